use super::*;
use crate::LocalBrain;
use crate::agent::Agent;
use crate::agent::history::TurnEnd;

fn said(content: &str) -> Event {
    Event::User { content: content.into(), key: Some(content.into()) }
}

fn answered(content: &str) -> Event {
    Event::Assistant { content: content.into(), calls: vec![], brain: None, tried: vec![], usage: None }
}

async fn tape_with(turns: usize) -> Tape {
    let agent = Agent::new(LocalBrain::default());
    let session = SessionId::new("s").unwrap();
    let mut tape = Tape::open(&agent.parts, &session, Timestamp::from_nanos(i64::MAX)).await.unwrap();
    for index in 0..turns {
        tape.push(said(&format!("q{index}")));
        tape.push(answered(&format!("a{index}")));
    }
    tape.flush().await.unwrap();
    drop(tape);
    Tape::open(&agent.parts, &session, Timestamp::from_nanos(i64::MAX)).await.unwrap()
}

#[tokio::test]
async fn a_turn_is_found_wherever_it_is() {
    let tape = tape_with(200).await;
    for wanted in [0, 31, 32, 33, 63, 64, 150, 199] {
        let key = format!("q{wanted}");
        let same = |event: &Event| matches!(event, Event::User { key: Some(found), .. } if *found == key);
        let turn = tape.find_turn(Position::START, same).await.unwrap().unwrap();
        assert_eq!(turn.opened_at, Position::new(wanted * 2));
        assert_eq!(turn.end, Some(TurnEnd::Answer(format!("a{wanted}"))));
    }
    assert_eq!(tape.find_turn(Position::START, |_| false).await.unwrap(), None);
    assert_eq!(tape.find_turn(Position::new(2), |event| event.content() == "q0").await.unwrap(), None);
}

#[tokio::test]
async fn reading_back_stops_at_the_start_or_when_there_is_enough() {
    let mut tape = tape_with(500).await;
    assert_eq!(tape.lines.len(), WINDOW_LINES);
    tape.read_back_for_prompt(10).await.unwrap();
    assert_eq!(tape.lines.len(), WINDOW_LINES);
    tape.read_back_for_prompt(usize::MAX).await.unwrap();
    assert_eq!(tape.lines.len(), 1000);
}
