//! `cargo run -p fake-model -- --port P --protocol chat SCENARIO…`: plays the scenarios, one per request, the last one
//! for ever, and prints what was asked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test tool panics where a test should fail"
)]

use std::error::Error;
use std::process::ExitCode;

use fake_model::{FakeModel, Protocol, SCENARIOS, Scenario};

const USAGE: &str = "usage: fake-model [--port P] [--protocol chat|responses] SCENARIO…\nfor example: fake-model --port 8080 \
                     'call=calc:{\"expression\":\"17*23\"}'\nscenarios: ";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}\n{USAGE}{SCENARIOS}");
            ExitCode::from(2)
        }
    }
}

fn run(mut words: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    let (mut port, mut protocol, mut scenarios) = (0, Protocol::Chat, Vec::<Scenario>::new());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--port" => port = words.next().ok_or("--port needs a number")?.parse()?,
            "--protocol" => protocol = words.next().ok_or("--protocol needs a name")?.parse()?,
            scenario => scenarios.push(scenario.parse()?),
        }
    }
    let last = scenarios.last().cloned().ok_or("give at least one scenario")?;
    let server = FakeModel::bind(port, move |number, request| {
        let scenario = scenarios.get(number).unwrap_or(&last);
        let body = serde_json::to_string_pretty(&request.json()).unwrap_or_default();
        println!("#{number} {} {} -> {scenario:?}\n{body}", request.method, request.path);
        scenario.reply(protocol, request)
    })?;
    println!("listening at {}; base URL {}", server.url(), server.base_url());
    loop {
        std::thread::park();
    }
}
