//! The egress: its judgement of a URL, and a fetch over a kept connection beside reqwest without any rules.

use std::time::Duration;

use benches::page_server;
use criterion::{BenchmarkId, Criterion};
use rusty_pinch_core::{
    Clock, Egress, EgressRules, EgressSettings, FETCH_BYTES_MAX, Fetch, FetchMethod, HttpEgress, SystemClock,
};
use tokio::runtime::Builder;

const URLS: [(&str, &str); 4] = [
    ("public", "https://www.example.com/a/page?with=a#query"),
    ("international", "https://bücher.example/"),
    ("loopback in octal", "http://0177.0.0.1/"),
    ("no URL", "http://["),
];

pub(crate) fn checks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("egress check");
    let rules = EgressRules::new(&EgressSettings::default());
    for (name, url) in URLS {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| bencher.iter(|| rules.check(url)));
    }
    group.finish();
}

pub(crate) fn fetches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pooled fetch of 4 KiB");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let address = page_server(4096).expect("a server on loopback");
    let mut settings = EgressSettings::default();
    settings.opened = vec![address.to_string().parse().expect("a target")];
    let egress = HttpEgress::new(&settings);
    let url = format!("http://{address}/");
    let request = || Fetch {
        method: FetchMethod::Get,
        url: url.clone(),
        headers: Vec::new(),
        body: Vec::new(),
        hosts: None,
        bytes_max: FETCH_BYTES_MAX,
        deadline: SystemClock.now() + Duration::from_secs(60),
    };
    group.bench_function("egress", |bencher| {
        bencher.to_async(&runtime).iter(|| async { egress.fetch(&request()).await.expect("a page") });
    });
    // The floor needs to be told which cryptography to use, although nothing here is encrypted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let bare = reqwest::Client::builder().no_proxy().build().expect("a client");
    group.bench_function("reqwest", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            let page = bare.get(&url).send().await.expect("an answer");
            page.bytes().await.expect("a body")
        });
    });
    group.finish();
}
