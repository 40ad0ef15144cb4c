//! Scripts that are meant to do harm, each in both sandboxes.

use std::time::Duration;

use crate::setup::{assert_unharmed, both, timed};

/// Each script ends with an error that says `expected`, long before its time, and the next run is unaffected.
async fn check(source: &str, expected: &str) {
    for (name, runner) in both() {
        let (outcome, took) = timed(&runner, source, "").await;
        let error = outcome.expect_err(name).to_string();
        assert!(error.contains(expected), "{name}: {error}");
        assert!(took < Duration::from_secs(9), "{name}: {took:?}");
        assert_unharmed(&runner).await;
    }
}

#[tokio::test]
async fn ordinary_scripts_run() {
    for (name, runner) in both() {
        let run = async |source, text| runner.run(source, text).await.map(|output| output.text);
        assert_eq!(run("fn main(args) { `hello ${args}` }", " world ").await.unwrap(), "hello world", "{name}");
        assert_eq!(run("fn main() { #{a: [1, 2.5, ()]} }", "").await.unwrap(), r#"{"a":[1,2.5,null]}"#);
        assert_eq!(run("fn main() { print(1); }", "").await.unwrap(), "");
        assert_eq!(run("const N = 2; fn main(a) { global::N }", "").await.unwrap(), "2");
        assert_eq!(run("fn main() { args().text }", "by name").await.unwrap(), "by name");
        assert_eq!(run(r#"fn main() { parse_json("{\"a\": [1]}").a[0] }"#, "").await.unwrap(), "1");
    }
}
