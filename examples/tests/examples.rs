//! Every example runs and prints what its page says.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test starts the examples as a person would")]

use std::process::Command;

fn check(program: &str, expected: &[&str]) {
    let output = Command::new(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{program}: {text}{}", String::from_utf8_lossy(&output.stderr));
    for part in expected {
        assert!(text.contains(part), "{program} printed {text:?}, without {part:?}");
    }
}

#[test]
fn hello_calculates() {
    check(env!("CARGO_BIN_EXE_hello"), &["391"]);
}

#[test]
fn own_brain_answers() {
    check(env!("CARGO_BIN_EXE_own-brain"), &["hcnip"]);
}

#[test]
fn own_tool_is_found_and_says_what_is_wrong() {
    check(env!("CARGO_BIN_EXE_own-tool"), &["4 cups are ready", "the pot holds 12 cups"]);
}

#[test]
fn own_store_keeps_the_contract() {
    check(env!("CARGO_BIN_EXE_own-store"), &["keeps the contract", "the bins go out on Tuesday"]);
}

#[test]
fn own_channel_is_answered() {
    check(env!("CARGO_BIN_EXE_own-channel"), &["to ann:", "42"]);
}

#[test]
fn an_answer_streams() {
    check(env!("CARGO_BIN_EXE_streaming"), &["note"]);
}

#[test]
fn a_payment_waits_for_a_person() {
    check(env!("CARGO_BIN_EXE_approval"), &["asked: ", "7 euros are paid"]);
}

#[test]
fn skills_run_and_are_refused_what_they_do_not_declare() {
    check(env!("CARGO_BIN_EXE_skills"), &["90 g of coffee", "it declares no hosts"]);
}
