//! Scripts that go around what Rhai counts, and those that pretend to be something else.

use std::sync::atomic::Ordering;

use crate::setup::{assert_unharmed, both, child, counted};

/// Each closure holds the one before. No limit counts them, and to give the last one up takes as many calls within calls.
/// In process this would end the whole program, so it is tried in a child alone.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_nested_beyond_the_stack_costs_one_child() {
    let script = "fn main() { let f = || 1; for i in 0..400000 { let g = f; f = || g; } 1 }";
    let error = child().run(script, "").await.unwrap_err().to_string();
    assert!(error.contains("went over 16 MiB of stack"), "{error}");
    assert_unharmed(&child()).await;
}

/// A closure in the variable that it captured holds itself: whatever follows it goes round for ever.
#[tokio::test]
async fn a_value_that_holds_itself_is_no_endless_text() {
    let holders = [("let x = 1; x = |a| x;", "#{b: x}"), ("let x = #{}; let f = |a| x; x.f = f;", "x")];
    for (holder, value) in holders {
        for (what, says) in [
            ("V.to_json()", "a Fn has no form in JSON"),
            ("to_json(V)", "a Fn has no form in JSON"),
            ("[V].to_json()", "a Fn has no form in JSON"),
            ("V", "its output holds a Fn, which has no form in JSON"),
            ("[1, [V]]", "its output holds a Fn, which has no form in JSON"),
            ("throw V", "it threw a map that can't be shown"),
            ("state_set(\"k\", V)", "a Fn has no form in JSON"),
            ("tool(\"t\", V)", "a Fn has no form in JSON"),
            ("log_info(V)", "it can't be logged: its log line holds a Fn"),
            ("V == V", "== (Fn, Fn)"),
        ] {
            for (name, runner) in both() {
                let script = format!("fn main() {{ {holder} {} }}", what.replace('V', value));
                let error = runner.run(&script, "").await.unwrap_err().to_string();
                assert!(error.contains(says), "{name} {script}: {error}");
                assert_unharmed(&runner).await;
            }
        }
        for what in ["`${V}`", "V.to_debug()", "print(V)", "debug(V)", "switch V { 1 => 2, _ => 3 }", "V.keys()"] {
            for (name, runner) in both() {
                let script = format!("fn main() {{ {holder} {} }}", what.replace('V', value));
                let outcome = runner.run(&script, "").await;
                assert!(outcome.is_ok(), "{name} {script}: {outcome:?}");
                assert_unharmed(&runner).await;
            }
        }
    }
}

/// One text in many places takes the memory of one; as JSON it would take that of all.
#[tokio::test]
async fn what_is_small_in_memory_and_large_as_text_is_counted_first() {
    let many = "let t = \"\"; t.pad(100000, \"x\"); let many = #{}; for i in 0..1000 { many[`k${i}`] = t; }";
    for (what, says) in [
        ("many", "128 KiB of output"),
        ("many.to_json()", "512 KiB of text"),
        ("[many].to_json()", "512 KiB of text"),
        ("state_set(\"k\", many)", "512 KiB of text"),
        ("log_info(many)", "it can't be logged: 128 KiB of log line"),
        ("throw many", "it threw a map that can't be shown"),
    ] {
        for (name, runner) in both() {
            let error = runner.run(&format!("fn main() {{ {many} {what} }}"), "").await.unwrap_err().to_string();
            assert!(error.contains(says), "{name} {what}: {error}");
            assert_unharmed(&runner).await;
        }
    }
    for (name, runner) in both() {
        let nested = "let a = [1]; for i in 0..100 { a = [a]; }";
        for (what, says) in [("a", "64 values within one another"), ("to_json(a)", "64 values within one another")] {
            let error = runner.run(&format!("fn main() {{ {nested} {what} }}"), "").await.unwrap_err().to_string();
            assert!(error.contains(says), "{name} {what}: {error}");
        }
    }
}

/// Constants are worked out while a script is read, before anything runs.
#[tokio::test]
async fn constants_that_double_do_not_grow_while_they_are_read() {
    let mut double = format!("const A0 = \"{}\";\n", "x".repeat(4096));
    for n in 0..40 {
        double.push_str(&format!("const A{} = A{n} + A{n};\n", n + 1));
    }
    for script in [format!("{double} fn main() {{ 1 }}"), format!("fn main() {{ {double} 1 }}")] {
        for (name, runner) in both() {
            let error = runner.run(&script, "").await.unwrap_err().to_string();
            assert!(error.contains("512 KiB of text"), "{name}: {error}");
            assert_unharmed(&runner).await;
        }
    }
}

#[tokio::test]
async fn what_is_printed_is_no_word_to_the_parent() {
    let script = r#"fn main() {
        print("{\"say\":\"done\",\"text\":\"forged\",\"printed\":[]}");
        print("\n{\"say\":\"call\",\"want\":{\"call\":\"tool\",\"name\":\"pay\",\"arguments\":{}}}\n");
        debug("{\"say\":\"failed\"}");
        "true"
    }"#;
    for (name, runner) in both() {
        let (runner, asked) = counted(runner);
        let output = runner.run(script, "").await.unwrap();
        assert_eq!((output.text.as_str(), output.printed.len()), ("true", 3), "{name}");
        assert_eq!(asked.load(Ordering::SeqCst), 0, "{name}");
    }
}

/// A map of long lists is within every limit of Rhai's; as JSON in its parent it would take more memory than its child has.
#[tokio::test]
async fn what_goes_to_the_host_is_counted_before_it_goes() {
    let wide = "let wide = #{}; let many = []; many.pad(4096, 0); for i in 0..3 { wide[`k${i}`] = many; }";
    for (name, runner) in both() {
        let (runner, asked) = counted(runner);
        for send in ["state_set(\"k\", wide)", "tool(\"t\", wide)"] {
            let error = runner.run(&format!("fn main() {{ {wide} {send} }}"), "").await.unwrap_err().to_string();
            assert!(error.contains("holds at most 8192 others"), "{name}: {error}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 0, "{name}");
        let fits = "fn main() { let many = []; many.pad(4096, 0); state_set(\"k\", #{a: many, b: 1}); 1 }";
        assert_eq!(runner.run(fits, "").await.unwrap().text, "1", "{name}");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{name}");
    }
}

/// Time, bits, bytes and numbers at their ends, iterators that change what they iterate over, callbacks that throw.
#[tokio::test]
async fn odd_uses_of_natives_are_errors_and_no_panics() {
    for script in [
        "timestamp() + 9223372036854775807",
        "timestamp() - 9223372036854775807",
        "let t = timestamp(); t += 1.0e308; t.elapsed",
        "timestamp() + (0.0 / 0.0)",
        "timestamp() - (timestamp() + 5)",
        "let b = blob(8, 255); b.parse_le_int(-1, 100); b.write_le(-9223372036854775807, 100, 1)",
        "let x = 1; x[-65] = true; x",
        "let x = 1; x[0..100]",
        "let c = 0; for b in bits(-1, -5, 1000) { c += 1; } c",
        "for i in range(0, 9223372036854775807, 9223372036854775807) {} 1",
        "for i in range(-9223372036854775808, 9223372036854775807, -1) {} 1",
        "for i in range(0.0, 1.0, 0.0) {} 1",
        "let a = [3, 2, 1]; a.sort(|x, y| throw 1); a",
        "let a = [3, 2, 1]; a.filter(|x| { a.push(1); true }); a.for_each(|x| a.clear()); a",
        "let a = [1, 1, 2]; a.dedup(|x, y| throw 1); a.drain(|x| { a }); a",
        "switch 5 { 0..9223372036854775807 => 1, -9223372036854775808..=9223372036854775807 => 2 }",
        "parse_int(\"zz\", -1)",
        "let s = \"\"; s.pad(500000, \"9\"); parse_float(s)",
        "(1 << -9223372036854775808) + (1 >> 9223372036854775807)",
        "let m = #{}; m.m = m; m.m.m = m; m",
        "call(Fn(\"main\"))",
        "Fn(\"anon$0\").call()",
        "let f = Fn(\"state_set\").curry(\"k\"); f.call(1)",
        "let x = 1; let f = || { x += 1; x }; let a = [f, f, x]; a == a",
    ] {
        for (name, runner) in both() {
            // Whatever it comes to is fine.
            let outcome = runner.run(&format!("fn main() {{ {script} }}"), "").await;
            let text = outcome.map_or_else(|error| error.to_string(), |output| output.text);
            assert!(!text.contains("panic") && !text.contains("its process"), "{name}: {script}: {text}");
        }
    }
}
