//! Scripts that are meant to do harm, each in both sandboxes.

use std::time::Duration;

use crate::setup::{assert_unharmed, both, ended_in_time, timed};

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

#[tokio::test]
async fn a_script_that_does_not_end_is_ended() {
    for (name, runner) in both() {
        for script in [
            "fn main() { loop {} }",
            "fn main() { while true { let x = 1; } }",
            "fn main() { try { loop {} } catch { loop {} } }",
            "loop {} fn main() {}",
            "fn main() { let a = [3, 1, 2]; loop { a.sort(); } }",
            // Rhai loses the error that ends a run where these catch one.
            "fn main() { loop { try { loop { try { print((+(1))); } catch { } } } catch { } } }",
            "fn main() { let x = 1; try { loop { try { x ^= `${range(`t`, `t`, 1.5).a}`; } catch {} continue; } } catch {} }",
        ] {
            let error = ended_in_time(&runner, Duration::from_millis(400), script).await;
            // An optimised build may come to the bound of operations first.
            assert!(error.contains("its time of") || error.contains("operations"), "{name}: {error}");
        }
        assert_unharmed(&runner).await;
    }
}

#[tokio::test]
async fn a_script_that_calls_itself_is_stopped() {
    check("fn f() { f() } fn main() { f() }", "calls within calls").await;
    check("fn main() { let f = |g| g.call(g); f.call(f) }", "went over").await;
    check("fn a() { b() } fn b() { a() } fn main() { try { a() } catch { 1 } }", "calls within calls").await;
}

#[tokio::test]
async fn nobody_sleeps() {
    check("fn main() { sleep(100000) }", "can't sleep").await;
    check("fn main() { sleep(100000.5) }", "can't sleep").await;
}

#[tokio::test]
async fn growth_is_stopped() {
    check(r#"fn main() { let s = "a"; loop { s += s; } }"#, "KiB of text").await;
    check(r#"fn main() { let s = "a"; loop { s = `${s}${s}`; } }"#, "KiB of text").await;
    check(r#"fn main() { let s = "a"; s.pad(1000000000, "a"); }"#, "KiB of text").await;
    check("fn main() { let a = [1]; loop { a += a; } }", "items of one array").await;
    check("fn main() { let a = [1]; loop { a = [a, a]; } }", "items of one array").await;
    check("fn main() { let a = []; a.pad(1000000000, 1); }", "items of one array").await;
    check("fn main() { let b = blob(1000000000, 0); }", "items of one array").await;
    check("fn main() { let m = #{}; for i in 0..2000 { m[`k${i}`] = i; } m.len() }", "entries of one map").await;
    check("fn main() { let m = #{}; loop { m = #{a: m, b: m}; } }", "entries of one map").await;
    check("fn main() { let b = blob(); loop { b.push(1); } }", "items of one array").await;
    check("fn main() { let m = #{a: \"\"}; loop { m.a += \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"; } }", "KiB of text")
        .await;
}

#[tokio::test]
async fn a_replacement_is_measured_before_it_is_made() {
    for replace in ["s.replace(\"a\", s)", "s.replace('a', s)", "replace(s, \"a\", s)", "s.replace(\"\", s)"] {
        check(&format!("fn main() {{ let s = \"a\"; s.pad(60000, \"a\"); {replace}; s.len() }}"), "KiB of text").await;
    }
    for (name, runner) in both() {
        let script = r#"fn main() {
            let s = "banana"; s.replace("an", "AN"); s.replace('b', "B"); s.replace("a", 'o'); s.replace('B', 'p');
            let empty = ""; empty.replace("", "x");
            s + empty
        }"#;
        assert_eq!(runner.run(script, "").await.unwrap().text, "pANANo", "{name}");
    }
}

#[tokio::test]
async fn deep_nesting_is_refused_with_its_place() {
    let many = |open: &str, close: &str, times: usize| {
        format!("fn main() {{ let x = {}1{}; }}", open.repeat(times), close.repeat(times))
    };
    for script in [
        many("(", ")", 10_000),
        many("[", "]", 10_000),
        many("#{a:", "}", 10_000),
        many("!", "", 100_000),
        many("-", "", 100_000),
        many("", "+1", 50_000),
        many("", ".b", 50_000),
        many("", "[0]", 40_000),
        many("if true {", "}", 10_000),
        format!("fn main() {{ {} {} }}", "{".repeat(20_000), "}".repeat(20_000)),
        format!("fn main() {{ if false {{}} {} }}", "else if false {}".repeat(7_000)),
        format!("fn main() {{ {} }}", "|a| ".repeat(20_000)),
    ] {
        for (name, runner) in both() {
            let error = runner.run(&script, "").await.expect_err(name).to_string();
            assert!(error.contains("can't be read at line 1, column"), "{name}: {error}");
            assert_unharmed(&runner).await;
        }
    }
    let json = "fn main(text) { parse_json(text) }";
    for (name, runner) in both() {
        let error = runner.run(json, &"[".repeat(60_000)).await.expect_err(name).to_string();
        assert!(error.contains("no JSON: recursion limit"), "{name}: {error}");
    }
}

#[tokio::test]
async fn code_from_elsewhere_is_refused() {
    check(r#"fn main() { eval("1 + 1") }"#, "can't be read at line 1").await;
    check(r#"import "/etc/passwd" as p; fn main() { p::x() }"#, "can't be read at line 1").await;
    check(r#"fn main() { let f = Fn("eval"); f.call("1") }"#, "the skill `script`").await;
    check(r#"export let x = 1; fn main() {}"#, "can't be read at line 1").await;
}

#[tokio::test]
async fn floods_of_output_are_bounded() {
    let shout = r#"fn main() { let s = ""; s.pad(50000, "x"); for i in 0..2000 { print(s); debug(s); } "done" }"#;
    for (name, runner) in both() {
        let output = runner.run(shout, "").await.unwrap();
        assert_eq!(output.text, "done", "{name}");
        assert!(output.printed.iter().map(String::len).sum::<usize>() < 20 * 1024, "{name}");
        assert!(output.printed.last().unwrap().contains("left out"));
        let lines = runner.run("fn main() { for i in 0..5000 { print(\"\"); } }", "").await.unwrap().printed;
        assert!(lines.len() <= 257, "{name}: {}", lines.len());
    }
    check(r#"fn main() { let s = ""; s.pad(200000, "x"); s }"#, "128 KiB of output").await;
    check(
        r#"fn main() { let s = ""; s.pad(100000, "x"); let a = []; for i in 0..5 { a.push(s); } a }"#,
        "128 KiB of output",
    )
    .await;
}

#[tokio::test]
async fn numbers_at_their_ends_are_errors_and_no_panics() {
    for (name, runner) in both() {
        for script in [
            "-9223372036854775808 / -1",
            "-9223372036854775808 % -1",
            "abs(-9223372036854775808)",
            "1 << 1000000",
            "2 ** 100000",
            "9223372036854775807 + 1",
            "1 / 0",
            "range(0, 10, 0)",
            "\"abc\"[100]",
            "[1][-5]",
            "let b = blob(); b[3]",
            "\"é\".sub_string(1, 9223372036854775807)",
            "(0.0 / 0.0).to_int()",
            "1e300.to_int()",
            "let a = [1, 2]; a.splice(-9, 9223372036854775807, [1]); a",
            "let a = [2, 1]; a.sort(|x, y| 7); a",
            "let a = [1]; a.pad(-1, 1); a",
            "to_char(-1)",
        ] {
            // Whatever it comes to is fine.
            let outcome = runner.run(&format!("fn main() {{ {script} }}"), "").await;
            let text = outcome.map_or_else(|error| error.to_string(), |output| output.text);
            assert!(!text.contains("panic") && !text.contains("its process"), "{name}: {script}: {text}");
        }
        assert_unharmed(&runner).await;
    }
}

#[tokio::test]
async fn mains_are_chosen_from_what_is_defined() {
    let both_mains = "fn main() { \"bare\" } fn main(a) { `text ${a}` }";
    for (name, runner) in both() {
        let run = async |source, text| runner.run(source, text).await;
        assert_eq!(run(both_mains, "x").await.unwrap().text, "text x", "{name}");
        assert_eq!(run(both_mains, "  ").await.unwrap().text, "bare");
        assert_eq!(run("fn main(a) { `<${a}>` }", "").await.unwrap().text, "<>");
        assert_eq!(run("fn main() { 1 }", "x").await.unwrap().text, "1");
        // A function that is missing inside is no reason to call the other main.
        let inner = "fn main() { \"wrong\" } fn main(a) { get_domain(a) }";
        let error = run(inner, "x").await.unwrap_err().to_string();
        assert!(error.contains("get_domain") && error.contains("at line 1, column 36"), "{name}: {error}");
        let error = run("fn other() {}", "").await.unwrap_err().to_string();
        assert!(error.contains("no function `main(args)`"), "{error}");
    }
}

#[tokio::test]
async fn errors_say_where() {
    for (name, runner) in both() {
        let run = async |source: &str| runner.run(source, "").await.unwrap_err().to_string();
        let thrown = run("fn main() {\n  let x = 1;\n  throw \"no such city\";\n}").await;
        assert_eq!(thrown, "the skill `script` failed at line 3, column 3: no such city", "{name}");
        let syntax = run("fn main() {\n  let = 1;\n}").await;
        assert!(syntax.starts_with("the skill `script` can't be read at line 2, column 7:"), "{name}: {syntax}");
        let unknown = run("fn main() { let x = y; }").await;
        assert!(unknown.contains("at line 1, column 21"), "{name}: {unknown}");
        let long = run(&format!("fn main() {{ throw \"{}\"; }}", "x".repeat(100_000))).await;
        assert!(long.len() < 2_000, "{name}");
        let too_long = run(&" ".repeat(129 * 1024)).await;
        assert!(too_long.contains("128 KiB of script"), "{name}: {too_long}");
        let binary = run("\u{0}\u{1}\u{feff}\u{202e}").await;
        assert!(binary.contains("can't be read"), "{name}: {binary}");
    }
}
