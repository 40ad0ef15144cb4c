use serde_json::json;

use super::*;

fn assemble<T: AsRef<str>>(chunks: impl IntoIterator<Item = T>) -> Result<Completion, Fault> {
    let mut assembler = Assembler::default();
    let mut text = String::new();
    for chunk in chunks {
        text.push_str(&assembler.push(chunk.as_ref())?);
    }
    let completion = assembler.finish()?;
    assert_eq!(text, completion.content, "the previewed text is the answer's");
    Ok(completion)
}

fn delta(delta: Value) -> String {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] }).to_string()
}

fn finish(reason: &str) -> String {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] }).to_string()
}

fn call_piece(index: u64, id: Option<&str>, name: Option<&str>, arguments: &str) -> String {
    let function = json!({ "name": name, "arguments": arguments });
    delta(json!({ "tool_calls": [{ "index": index, "id": id, "function": function }] }))
}

#[track_caller]
fn check_calls(chunks: &[String], expected: &[(&str, Value)]) {
    let chunks = chunks.iter().cloned().chain([finish("tool_calls")]);
    let calls = assemble(chunks).unwrap().calls;
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, arguments)| ProposedCall { name: (*name).into(), arguments: arguments.clone() })
        .collect();
    assert_eq!(calls, expected);
}

#[test]
fn joins_text_and_counts_tokens() {
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 4 } }).to_string();
    let chunks =
        [delta(json!({ "role": "assistant" })), delta(json!({ "content": "he" })), delta(json!({ "content": "llo" }))];
    let completion = assemble(chunks.into_iter().chain([finish("stop"), usage])).unwrap();
    assert_eq!(completion.content, "hello");
    assert_eq!(completion.usage, Some(Usage { input_tokens: 3, output_tokens: 4 }));
    assert_eq!(completion.attempts, 1);
}

#[test]
fn reads_an_answer_in_one_piece_and_text_in_parts() {
    let whole = json!({ "choices": [{ "message": { "role": "assistant", "content": [{ "type": "text", "text": "a" }, { "text": "b" }],
        "tool_calls": [
            { "id": "x", "type": "function", "function": { "name": "one", "arguments": "{}" } },
            { "id": "y", "type": "function", "function": { "name": "two", "arguments": { "n": 1 } } },
            { "function": { "name": "three", "arguments": "" } },
            { "function": { "name": "three", "arguments": null } },
        ] }, "finish_reason": "tool_calls" }] });
    let completion = assemble([whole.to_string()]).unwrap();
    assert_eq!(completion.content, "ab");
    let calls: Vec<_> = completion.calls.iter().map(|call| (call.name.as_str(), call.arguments.clone())).collect();
    assert_eq!(calls, [("one", json!({})), ("two", json!({ "n": 1 })), ("three", json!({})), ("three", json!({}))]);
}

#[test]
fn joins_a_call_that_is_split_anywhere() {
    let arguments = r#"{"path":"a b","text":"½🦀","n":[1,2]}"#;
    for (cut, _) in arguments.char_indices() {
        let (first, second) = arguments.split_at(cut);
        let chunks = [
            call_piece(0, Some("c1"), Some("write"), ""),
            call_piece(0, None, None, first),
            call_piece(0, None, None, second),
        ];
        check_calls(&chunks, &[("write", serde_json::from_str(arguments).unwrap())]);
    }
}

#[test]
fn keeps_calls_apart_however_a_server_numbers_them() {
    let expected = [("a", json!({ "x": 1 })), ("b", json!({ "y": 2 }))];
    let interleaved = [
        call_piece(0, Some("c0"), Some("a"), "{\"x\""),
        call_piece(2, Some("c2"), Some("b"), "{\"y\""),
        call_piece(0, None, None, ":1}"),
        call_piece(2, None, None, ":2}"),
    ];
    check_calls(&interleaved, &expected);
    let all_zero =
        [call_piece(0, Some("c0"), Some("a"), "{\"x\":1}"), call_piece(0, Some("c1"), Some("b"), "{\"y\":2}")];
    check_calls(&all_zero, &expected);
    let piece = |id: Option<&str>, name: Option<&str>, arguments: &str| {
        delta(json!({ "tool_calls": [{ "id": id, "function": { "name": name, "arguments": arguments } }] }))
    };
    let without_index =
        [piece(Some("c0"), Some("a"), "{\"x\":"), piece(None, None, "1}"), piece(Some("c1"), Some("b"), "{\"y\":2}")];
    check_calls(&without_index, &expected);
    let repeating = [
        call_piece(0, Some("c0"), Some("a"), "{\"x\":"),
        call_piece(0, Some("c0"), Some("a"), "1}"),
        call_piece(1, Some("c1"), Some("b"), "{\"y\":2}"),
    ];
    check_calls(&repeating, &expected);
}

#[test]
fn hands_arguments_that_are_no_json_on_as_text() {
    check_calls(&[call_piece(0, Some("c"), Some("t"), "{\"a\":")], &[("t", json!("{\"a\":"))]);
    check_calls(&[call_piece(0, Some("c"), Some("t"), " ")], &[("t", json!({}))]);
}

#[test]
fn a_chunk_that_comes_twice_never_makes_a_call_of_two_halves() {
    let chunks = [
        call_piece(0, Some("c"), Some("calc"), ""),
        call_piece(0, None, None, "{\"expression\""),
        call_piece(0, None, None, ":\"17*23\"}"),
        finish("tool_calls"),
    ];
    for twice in 0..chunks.len() {
        let mut chunks = chunks.to_vec();
        chunks.insert(twice, chunks[twice].clone());
        let calls = assemble(&chunks).unwrap().calls;
        assert_eq!(calls.len(), 1, "chunk {twice} twice");
        assert_eq!(calls[0].name, "calc");
        let whole = json!({ "expression": "17*23" });
        assert!(calls[0].arguments == whole || calls[0].arguments.is_string(), "{:?}", calls[0].arguments);
    }
}

#[test]
fn gives_no_calls_before_the_end_is_beyond_doubt() {
    let call = call_piece(0, Some("c"), Some("t"), "{}");
    assert!(matches!(assemble([call.clone()]), Err(Fault::Cut(_))));
    assert!(matches!(assemble([call.clone(), finish("length")]), Err(Fault::OutOfRoom(_))));
    assert!(matches!(assemble([call.clone(), finish("content_filter")]), Err(Fault::Filtered(_))));
    assert!(matches!(assemble([call.clone(), finish("error")]), Err(Fault::Cut(_))));
    assert!(matches!(assemble([call.clone(), finish("whatever")]), Err(Fault::Malformed(_))));
    assert!(matches!(assemble([call.clone(), finish("stop"), call.clone()]), Err(Fault::Malformed(_))));
    assert!(matches!(assemble([call_piece(0, Some("c"), None, "{}"), finish("stop")]), Err(Fault::Malformed(_))));
    assert_eq!(assemble([call, finish("stop")]).unwrap().calls.len(), 1);
}

#[test]
fn takes_a_servers_own_word_for_done_when_there_is_only_text() {
    let hello = delta(json!({ "content": "hello" }));
    assert_eq!(assemble([hello.clone(), finish("eos")]).unwrap().content, "hello");
    assert!(matches!(assemble([hello, finish("")]), Err(Fault::Cut(_))));
    assert!(matches!(assemble([finish("stop")]), Err(Fault::Cut(_))));
    assert_eq!(assemble([delta(json!({ "refusal": "no" })), finish("stop")]).unwrap().content, "no");
}

#[test]
fn reports_errors_and_nonsense_and_ignores_other_choices() {
    let error = json!({ "error": { "message": "overloaded" }, "choices": [] });
    assert_eq!(assemble([error.to_string()]), Err(Fault::Reported(json!({ "message": "overloaded" }))));
    assert!(matches!(assemble(["{\"choices\":["]), Err(Fault::Cut(_))));
    for nonsense in ["null", "[]", "hello", "{\"choices\":3}", "{\"choices\":[{\"delta\":\"x\"}]}"] {
        assert!(matches!(assemble([nonsense]), Err(Fault::Malformed(_))), "{nonsense}");
    }
    let other = json!({ "choices": [{ "index": 1, "delta": { "content": "other" } }, { "index": 0, "delta": { "content": "mine" } }] });
    assert_eq!(assemble([other.to_string(), finish("stop")]).unwrap().content, "mine");
    assert!(matches!(assemble(["{}".to_owned()]), Err(Fault::Cut(_))));
}

#[test]
fn bounds_the_number_of_calls() {
    let calls = (0..=CALLS_MAX as u64).map(|n| call_piece(n, Some(&format!("c{n}")), Some("t"), "{}"));
    assert!(matches!(assemble(calls), Err(Fault::Malformed(_))));
}
