use super::*;
use crate::data::Timestamp;
use crate::store::Event;

fn brain() -> BrainInfo {
    BrainInfo { name: "b".into(), model: "m".into(), context_tokens: 2000, free: true }
}

fn lines(turns: usize) -> Vec<Located> {
    let mut events = Vec::new();
    for index in 0..turns {
        events.push(Event::User { content: format!("question {index} {}", "word ".repeat(20)), key: None });
        let content = format!("answer {index}");
        events.push(Event::Assistant { content, calls: vec![], brain: None, tried: vec![], usage: None });
    }
    events.push(Event::User { content: "now".into(), key: None });
    let line = |(at, event): (usize, Event)| Located {
        at: Position::new(at as u64),
        line: Line::Entry(event.at(Timestamp::EPOCH).into()),
    };
    events.into_iter().enumerate().map(line).collect()
}

#[test]
fn a_short_history_is_left_alone() {
    assert_eq!(plan(&lines(3), prompt_tokens(&brain())), None);
    assert_eq!(plan(&[], prompt_tokens(&brain())), None);
}

#[test]
fn a_long_history_is_folded_at_a_turn_and_the_newest_quarter_stays() {
    let lines = lines(60);
    let fold = plan(&lines, prompt_tokens(&brain())).unwrap();
    let through = usize::try_from(fold.through.number()).unwrap();
    assert_eq!(fold.lines.len(), through);
    assert!(opens(&lines[through].line), "cut in the middle of a turn");
    let kept = tokens_of(&lines[through..lines.len() - 1]);
    assert!(kept > 200 && kept <= prompt_tokens(&brain()) / 4, "{kept}");
}

#[test]
fn many_short_lines_are_folded_too_for_every_turn_reads_them() {
    let roomy = BrainInfo { context_tokens: 1_000_000, ..brain() };
    let lines = lines(300);
    let fold = plan(&lines, prompt_tokens(&roomy)).unwrap();
    assert_eq!(lines.len() - fold.lines.len(), HISTORY_LINES_MAX / 2 + 1);
}

#[test]
fn what_is_folded_twice_keeps_the_first_summary() {
    let mut lines = lines(60);
    let summary = Event::Summary { content: "the person is Bob".into(), through: Position::new(2) };
    let at = lines.len() as u64 - 1;
    lines.insert(10, Located { at: Position::new(10), line: Line::Entry(summary.at(Timestamp::EPOCH).into()) });
    assert!(at > 0);
    let fold = plan(&lines, prompt_tokens(&brain())).unwrap();
    assert_eq!(fold.previous, Some("the person is Bob"));
    assert!(extract(&Fold { lines: &fold.lines[..4], ..fold }).starts_with("the person is Bob"));
}

#[test]
fn an_extract_is_bounded_and_keeps_the_newest() {
    let lines = lines(500);
    let fold = Fold { previous: None, lines: &lines, through: Position::START };
    let text = extract(&fold);
    assert!(estimate_tokens(&text) <= SUMMARY_TOKENS_MAX, "{}", estimate_tokens(&text));
    assert!(text.contains("answer 499") && !text.contains("answer 1\n"), "{text}");
}
