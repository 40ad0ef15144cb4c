//! What the local brain understands, and what it rightly does not.

use std::sync::Arc;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::brain::Lane;
use crate::data::{CallId, Timestamp, ToolCall};
use crate::hands::{Hands, Tool, ToolSpec, Toolbox, builtin};
use crate::store::MemoryStore;
use crate::testing::VirtualClock;

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
struct Weather {
    city: String,
}
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
struct Lamp {
    room: String,
    state: State,
}
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    On,
    Off,
}
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
struct Mail {
    to: String,
    text: String,
}
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
struct Greet {
    name: String,
}

fn builtins() -> Toolbox {
    let info = BrainInfo { name: "local".into(), model: "examples".into(), context_tokens: 1, free: true };
    builtin::toolbox(Arc::new(MemoryStore::new()), Arc::new(VirtualClock::default()), &info)
}

fn weather() -> Tool {
    Tool::new("weather", "Tells the weather in a city")
        .read_only()
        .example("weather in Hanoi", json!({"city": "Hanoi"}))
        .example("what is the weather like in Oslo?", json!({"city": "Oslo"}))
        .example("is it raining in Lima", json!({"city": "Lima"}))
        .example("河内的天气", json!({"city": "河内"}))
        .run(|_: Weather| async { Ok(()) })
}

fn others() -> [Tool; 4] {
    [
        Tool::new("lamp", "Switches the lamp of a room")
            .idempotent()
            .example("turn on the lamp in the kitchen", json!({"room": "kitchen", "state": "on"}))
            .example("switch the bedroom lamp off", json!({"room": "bedroom", "state": "off"}))
            .run(|_: Lamp| async { Ok(()) }),
        Tool::new("mail", "Sends a mail")
            .once()
            .example(
                "mail bob@example.com that I will be late today",
                json!({"to": "bob@example.com", "text": "I will be late today"}),
            )
            .run(|_: Mail| async { Ok(()) }),
        Tool::new("disk_usage", "Shows how full the disks are").read_only().run(|()| async { Ok(()) }),
        Tool::new("greet", "Greets somebody")
            .once()
            .example("hello Ada", json!({"name": "Ada"}))
            .run(|_: Greet| async { Ok(()) }),
    ]
}

fn specs(toolbox: Toolbox) -> Arc<[ToolSpec]> {
    toolbox.check().unwrap().tools()
}

fn think_about(message: &str, tools: &Arc<[ToolSpec]>) -> Completion {
    let messages = vec![Message::System { content: "rules".into() }, Message::User { content: message.into() }];
    think(&CompletionRequest {
        messages,
        tools: Arc::clone(tools),
        deadline: Timestamp::EPOCH,
        lane: Lane::Interactive,
        turn: None,
    })
}

/// The tool and arguments that a message leads to; null when it leads to none.
fn understood(message: &str, tools: &Arc<[ToolSpec]>) -> Value {
    match think_about(message, tools).calls.as_slice() {
        [] => Value::Null,
        [call] => json!([call.name, call.arguments]),
        several => panic!("{several:?}"),
    }
}

fn check(table: &[(&str, Value)], tools: Arc<[ToolSpec]>) {
    let wrong: Vec<_> = table
        .iter()
        .map(|(message, expected)| (message, expected, understood(message, &tools)))
        .filter(|(_, expected, found)| *expected != found)
        .map(|(message, expected, found)| format!("{message:?}\n  expected {expected}\n  found    {found}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

fn calc(expression: &str) -> Value {
    json!(["calc", {"expression": expression}])
}
fn note(arguments: Value) -> Value {
    json!(["note", arguments])
}
fn add(text: &str) -> Value {
    note(json!({"action": "add", "text": text}))
}
fn find(text: &str) -> Value {
    note(json!({"action": "find", "text": text}))
}
fn time() -> Value {
    json!(["time_now", {}])
}
fn model() -> Value {
    json!(["model_info", {}])
}
fn tail(arguments: Value) -> Value {
    json!(["session_tail", arguments])
}

#[test]
fn arithmetic_goes_to_calc() {
    check(
        &[
            ("what is 17 * 23?", calc("17 * 23")),
            ("What is 17*23", calc("17*23")),
            ("what's 5+5?", calc("5+5")),
            ("calculate (3+4)*2", calc("(3+4)*2")),
            ("17*23", calc("17*23")),
            ("17 * 23 = ?", calc("17 * 23")),
            ("(1 + 2) / 3", calc("(1 + 2) / 3")),
            ("please calculate 2^16 for me", calc("2^16")),
            ("can you compute 7/8?", calc("7/8")),
            ("how much is 15% of 80?", calc("15% of 80")),
            ("what is 12 plus 30", calc("12 plus 30")),
            ("what is 9 times 9?", calc("9 times 9")),
            ("hey, what is 100 divided by 8", calc("100 divided by 8")),
            ("convert 3 lb to kg", calc("3 lb to kg")),
            ("calc sqrt(2) * 10", calc("sqrt(2) * 10")),
            ("what is 5!", calc("5!")),
        ],
        specs(builtins()),
    );
}

#[test]
fn questions_of_time_model_and_session_go_to_their_tools() {
    check(
        &[
            ("what time is it", time()),
            ("What time is it?", time()),
            ("what's the time", time()),
            ("can you tell me the time please", time()),
            ("do you know what time it is?", time()),
            ("what is the date today?", time()),
            ("which day is it today", time()),
            ("what time is it in Europe/Paris?", json!(["time_now", {"zone": "Europe/Paris"}])),
            ("what time is it in Tokyo?", json!(["time_now", {"zone": "Tokyo"}])),
            ("time in New York", json!(["time_now", {"zone": "New York"}])),
            ("time in America/Sao_Paulo", json!(["time_now", {"zone": "America/Sao_Paulo"}])),
            ("which model are you", model()),
            ("Which model are you?", model()),
            ("what model are you using?", model()),
            ("what provider are you using?", model()),
            ("model info", model()),
            ("show the last 5 messages", tail(json!({"count": 5}))),
            ("show me the last 12 messages please", tail(json!({"count": 12}))),
            ("last 3 messages", tail(json!({"count": 3}))),
            ("show the last messages", tail(json!({}))),
            ("show the session history", tail(json!({}))),
            ("session tail", tail(json!({}))),
        ],
        specs(builtins()),
    );
}

#[test]
fn notes_are_kept_found_and_changed() {
    let id = |action: &str, id: u64| note(json!({"action": action, "id": id}));
    check(
        &[
            ("remember that the bins go out on Tuesday", add("the bins go out on Tuesday")),
            ("Please remember that Ada's birthday is May 5.", add("Ada's birthday is May 5")),
            ("remember to call the plumber", add("call the plumber")),
            ("can you remember that rent is due on Monday?", add("rent is due on Monday")),
            ("note that the key is under the mat", add("the key is under the mat")),
            ("note: buy milk", add("buy milk")),
            ("make a note that Bob is away", add("Bob is away")),
            ("add a note: wifi is \"attic\"", add("wifi is \"attic\"")),
            ("don't forget that the shop closes at 6", add("the shop closes at 6")),
            ("what did I note about bins", find("bins")),
            ("what did I note about the bins?", find("the bins")),
            ("find notes about rent", find("rent")),
            ("search my notes for milk", find("milk")),
            ("list notes", note(json!({"action": "list"}))),
            ("remove the note 2", id("remove", 2)),
            ("note down that I owe Bob 5 euros", add("I owe Bob 5 euros")),
            ("what notes do I have?", note(json!({"action": "list"}))),
            ("list my notes", note(json!({"action": "list"}))),
            ("show all my notes", note(json!({"action": "list"}))),
            ("what are my notes?", note(json!({"action": "list"}))),
            ("pin note 3", id("pin", 3)),
            ("pin the note 3", id("pin", 3)),
            ("list notes", note(json!({"action": "list"}))),
            ("what notes do I have?", note(json!({"action": "list"}))),
            ("notes about bins", find("bins")),
            ("note down that I owe Bob 5 euros", add("I owe Bob 5 euros")),
            ("remove the note 2", id("remove", 2)),
            ("please unpin note #12", id("unpin", 12)),
            ("forget note 2", id("remove", 2)),
            ("remove note 2", id("remove", 2)),
            ("delete note 7, please", id("remove", 7)),
        ],
        specs(builtins()),
    );
}

#[test]
fn talk_is_not_taken_for_a_request() {
    let table: Vec<_> = [
        "maybe remove note 2",
        "remove note 2?",
        "what are your notes on this code",
        "remember how to ride a bike",
        "remember the milk",
        "note that",
        "remember when we met",
        "I will remove note 2 later",
        "time is money",
        "the model said that 2 + 2 = 5",
        "he calculated 5 * 3",
        "delete all notes",
        "what is a note",
        "what is the date of easter",
        "find the bug in my code",
        "how do I calculate 3*4 in python",
        "which model is the best car",
        "",
        " ",
        "?",
        "hello",
        "hi there",
        "thanks",
        "tell me a joke",
        "I have time",
        "the price is 5",
        "who are you?",
        "what is love?",
        "what is 5?",
        "it is time to go",
        "time flies",
        "the bins go out on Tuesday",
        "I remember that summer",
        "my number is 555-1234",
        "2026-01-05",
        "call 0171-5556789",
        "what is the price",
        "list my files",
        "I took note of that",
        "should I remove note 2?",
        "don't remove note 2",
        "remove note 2 and 3",
        "forget it",
        "which colour do you like",
        "what time does the train leave",
        "what is the meaning of life",
        "write me a poem about rust",
        "show the menu",
        "summarise this text",
        "the model railway is nice",
        "do you remember me",
        "remember me",
        "what is the capital of France?",
        "5",
        "note",
        "add a note",
        "he said the time was right",
        "last christmas I gave you my heart",
        "is 5 more than 3?",
        "good morning",
        "what can you do?",
        "how are you today",
    ]
    .map(|message| (message, Value::Null))
    .into_iter()
    .collect();
    check(&table, specs(builtins()));
}

#[test]
fn tools_of_an_embedder_are_learned_from_their_examples() {
    let city = |city: &str| json!(["weather", {"city": city}]);
    let lamp = |room: &str, state: &str| json!(["lamp", {"room": room, "state": state}]);
    let toolbox = others().into_iter().fold(builtins().tool(weather()), Toolbox::tool);
    check(
        &[
            ("weather in Oslo", city("Oslo")),
            ("Weather in New York City?", city("New York City")),
            ("what's the weather in Ho Chi Minh", city("Ho Chi Minh")),
            ("please tell me the weather in Đà Nẵng", city("Đà Nẵng")),
            ("is it raining in São Paulo?", city("São Paulo")),
            ("东京的天气", city("东京")),
            ("the weather is nice", Value::Null),
            ("the weather in Hanoi is nice", Value::Null),
            ("weather", Value::Null),
            ("turn off the lamp in the living room", lamp("living room", "off")),
            ("switch the kitchen lamp on", lamp("kitchen", "on")),
            ("turn up the lamp in the kitchen", Value::Null),
            ("don't turn on the lamp in the kitchen", Value::Null),
            (
                "mail eve@example.org that we meet at 5",
                json!(["mail", {"to": "eve@example.org", "text": "we meet at 5"}]),
            ),
            ("mail Eve that we meet at 5", Value::Null),
            ("how full are the disks?", json!(["disk_usage", {}])),
            ("disk usage", json!(["disk_usage", {}])),
            ("hello Bob", json!(["greet", {"name": "Bob"}])),
            ("hello", Value::Null),
            ("what is 17 * 23?", calc("17 * 23")),
            ("what time is it", time()),
        ],
        specs(toolbox),
    );
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
struct Units {
    amount: f64,
    from: String,
    to: String,
}
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
struct Site {
    url: String,
}

#[test]
fn values_that_examples_have_are_a_request_and_others_are_talk() {
    let units = Tool::new("units", "Converts between units")
        .read_only()
        .example("5 km to mi", json!({"amount": 5, "from": "km", "to": "mi"}))
        .example("12 oz in g", json!({"amount": 12, "from": "oz", "to": "g"}))
        .run(|_: Units| async { Ok(()) });
    let site = Tool::new("site_status", "Tells whether a web site answers")
        .read_only()
        .example("is example.com up", json!({"url": "example.com"}))
        .example("check the site example.org", json!({"url": "example.org"}))
        .run(|_: Site| async { Ok(()) });
    let convert = |amount: f64, from: &str, to: &str| json!(["units", {"amount": amount, "from": from, "to": to}]);
    let up = |url: &str| json!(["site_status", {"url": url}]);
    check(
        &[
            ("5 km to mi", json!(["units", {"amount": 5, "from": "km", "to": "mi"}])),
            ("7.5 Oz to KM?", convert(7.5, "Oz", "KM")),
            ("please 2.5 g in oz", convert(2.5, "g", "oz")),
            ("5 people to feed", Value::Null),
            ("5 km to go", Value::Null),
            ("10 minutes to 5", Value::Null),
            ("km to mi", Value::Null),
            ("we ran 5 km to mi casa", Value::Null),
            ("is my.example.net up?", up("my.example.net")),
            ("is http://127.0.0.1:8080/ up", up("http://127.0.0.1:8080/")),
            ("is 192.168.1.1 up?", up("192.168.1.1")),
            ("check the site https://example.com/health", up("https://example.com/health")),
            ("is the milk up", Value::Null),
            ("is 3.5 up", Value::Null),
            ("check the site of the building", Value::Null),
            ("what is 17 * 23?", calc("17 * 23")),
        ],
        specs(builtins().tool(units).tool(site)),
    );
}

fn result(name: &str, content: &str) -> Message {
    Message::Tool { call: CallId::new("c1").unwrap(), name: name.into(), content: content.into() }
}

fn answer_after(results: Vec<Message>) -> String {
    let call = ToolCall { id: CallId::new("c1").unwrap(), name: "calc".into(), arguments: json!({}) };
    let mut messages = vec![
        Message::User { content: "old".into() },
        result("old", "an older result"),
        Message::User { content: "what is 17 * 23?".into() },
        Message::Assistant { content: String::new(), calls: vec![call] },
    ];
    messages.extend(results);
    let tools = specs(builtins());
    let completion =
        think(&CompletionRequest { messages, tools, deadline: Timestamp::EPOCH, lane: Lane::Interactive, turn: None });
    assert!(completion.calls.is_empty());
    completion.content
}

#[test]
fn results_are_told_as_they_are_and_failures_too() {
    assert_eq!(answer_after(vec![result("calc", "17 * 23 = 391")]), "17 * 23 = 391");
    let failed = "It failed: \"1/0\" can't be calculated: division by zero";
    assert_eq!(answer_after(vec![result("calc", failed)]), failed);
    assert_eq!(answer_after(vec![result("x", "")]), "`x` ran and gave no output.");
    assert_eq!(answer_after(vec![result("a", "1"), result("b", "2")]), "a: 1\nb: 2");
    let noticed = Message::System { content: "this call was made before".into() };
    assert_eq!(answer_after(vec![result("calc", "1"), noticed]), "1");
}

#[tokio::test]
async fn without_a_fitting_tool_it_says_what_it_is_and_can_do() {
    let said = think_about("tell me a joke", &specs(builtins())).content;
    for part in ["without a language model", "- calc: Calc", "what is 17 * 23?", "- note:", "RUSTY_PINCH_PROVIDER"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(think_about("hello", &specs(Toolbox::new())).content.contains("no tools"));

    let heard = Arc::new(std::sync::Mutex::new(String::new()));
    let sink = Arc::clone(&heard);
    let deltas = Deltas::new(move |delta| sink.lock().unwrap().push_str(&delta.to_string()));
    let messages = vec![Message::User { content: "hello".into() }];
    let tools = specs(builtins());
    let request =
        CompletionRequest { messages, tools, deadline: Timestamp::EPOCH, lane: Lane::Interactive, turn: None };
    let completion = LocalBrain::default().complete(&request, &deltas).await.unwrap();
    assert_eq!(*heard.lock().unwrap(), completion.content);
    assert_eq!(completion.attempts, 0);
}

#[test]
fn a_long_note_is_kept_whole_or_not_at_all() {
    let long = format!("remember that {}end", "a long story ".repeat(2_000));
    let call = understood(&long, &specs(builtins()));
    assert_eq!(call[1]["text"].as_str().map(str::len), Some(long.len() - "remember that ".len()), "{call}");
}

#[test]
fn a_huge_message_is_answered_in_little_time() {
    let tools = specs(others().into_iter().fold(builtins().tool(weather()), Toolbox::tool));
    for part in ["(1+", "1 + ", "remember ", "weather in ", "x", "note that weather in 5 * ", "\u{0}", "é "] {
        let message = part.repeat((1 << 20) / part.len());
        let _ = understood(&message, &tools);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_text_breaks_it(text in "\\PC{0,60}|((what|is|note|remember|that|in|the|pin|3|17|\\*|\\(|weather|time|mail|a@b|on|lamp|don't|,|\\?|\"|’s) ?){0,20}") {
        let tools = specs(others().into_iter().fold(builtins().tool(weather()), Toolbox::tool));
        let once = understood(&text, &tools);
        prop_assert_eq!(&once, &understood(&text, &tools));
        if let Some(name) = once.get(0).and_then(Value::as_str) {
            let spec = tools.iter().find(|tool| tool.name.as_str() == name).unwrap();
            prop_assert_eq!(crate::hands::argument_misfit(&spec.parameters, &once[1]), None);
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
struct Sum {
    expression: String,
}

#[test]
fn a_skill_does_not_take_over_what_a_tool_is_asked_with() {
    let skill = || Tool::new("a_skill", "Answers").read_only();
    let example = "what is 17 * 23?";
    let word_for_word = skill().example(example, json!({})).run(|()| async { Ok(()) });
    let the_same = skill().example(example, json!({"expression": "17 * 23"})).run(|_: Sum| async { Ok(()) });
    for skill in [word_for_word, the_same] {
        let mut tools = specs(builtins().tool(skill)).to_vec();
        for spec in tools.iter_mut().filter(|spec| spec.name.as_str() == "a_skill") {
            spec.kind = crate::hands::ToolKind::Skill;
        }
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        check(&[(example, calc("17 * 23"))], tools.into());
    }
}
