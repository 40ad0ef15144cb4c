use std::time::Duration;

use super::*;
use crate::store::MemoryStore;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn task(prompt: &str, lane: Lane) -> CodexTask {
    CodexTask::new(prompt, "general", lane).unwrap()
}

fn queue(capacity: usize) -> CodexQueue {
    CodexQueue::new(Arc::new(MemoryStore::new()), capacity)
}

fn executed(output: &str) -> TaskEnding {
    TaskEnding::Executed { account_id: "a".into(), output: output.into(), latency_ms: 1 }
}

#[test]
fn tasks_keep_their_bounds() {
    assert!(CodexTask::new("x".repeat(TASK_PROMPT_BYTES_MAX), "", Lane::Background).is_ok());
    for (prompt, purpose) in [
        ("", "p"),
        (" \n", "p"),
        (&*"x".repeat(TASK_PROMPT_BYTES_MAX + 1), "p"),
        ("x", "a\nb"),
        ("x", &*"p".repeat(201)),
    ] {
        assert!(CodexTask::new(prompt, purpose, Lane::Background).is_err(), "{} {purpose:?}", prompt.len());
    }
}

#[tokio::test]
async fn people_come_first_and_nobody_waits_for_ever() {
    let queue = queue(99);
    for (prompt, lane, came) in [
        ("old", Lane::Background, 0),
        ("newer", Lane::Background, 1),
        ("person", Lane::Interactive, 599),
        ("late person", Lane::Interactive, 601),
    ] {
        queue.add(&task(prompt, lane), at(came)).await.unwrap();
    }
    let mut order = Vec::new();
    loop {
        let open = queue.open().await.unwrap();
        let Some(ticket) = next(&open, at(700), |_| true).cloned() else { break };
        order.push(ticket.row.body.prompt.clone());
        let lease = queue.claim(ticket, at(800)).await.unwrap().unwrap();
        assert!(queue.finish(&lease, executed("done"), at(701)).await.unwrap().is_some());
    }
    assert_eq!(
        order,
        ["person", "old", "newer", "late person"][..].iter().map(ToString::to_string).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_lane_that_may_not_run_does_not_hold_up_the_other() {
    let queue = queue(9);
    queue.add(&task("nobody", Lane::Background), at(0)).await.unwrap();
    queue.add(&task("person", Lane::Interactive), at(5000)).await.unwrap();
    let open = queue.open().await.unwrap();
    let first = |lane| next(&open, at(5000), |of| of == lane).map(|ticket| ticket.row.body.prompt.as_str());
    assert_eq!((first(Lane::Interactive), first(Lane::Background)), (Some("person"), Some("nobody")));
    assert!(next(&open, at(5000), |_| false).is_none());
}

#[tokio::test]
async fn a_full_queue_refuses_the_new_task_and_keeps_the_old_ones() {
    let queue = Arc::new(queue(5));
    let adds = (0..12).map(|n| {
        let queue = Arc::clone(&queue);
        tokio::spawn(async move { queue.add(&task(&format!("{n}"), Lane::Background), at(0)).await })
    });
    let mut added = 0;
    for add in adds.collect::<Vec<_>>() {
        match add.await.unwrap() {
            Ok(_) => added += 1,
            Err(QueueError::Full { capacity: 5 }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((added, queue.open().await.unwrap().len()), (5, 5));
    // A task that is worked on at once takes no room.
    queue.add_held(&task("now", Lane::Interactive), at(0), at(60)).await.unwrap();
    assert_eq!(queue.open().await.unwrap().len(), 6);
}

#[tokio::test]
async fn results_are_kept_up_to_their_bound_the_newest_first() {
    let queue = queue(999);
    for n in 0..TASK_RESULTS_KEPT + 7 {
        let lease = queue.add_held(&task("x", Lane::Background), at(0), at(60)).await.unwrap();
        let came = queue.finish(&lease, executed(&n.to_string()), at(1)).await.unwrap().unwrap();
        assert_eq!(came.task_id, n + 1);
    }
    let results = queue.finished(TASK_RESULTS_KEPT).await.unwrap();
    let ids: Vec<_> = results.iter().map(|result| result.task_id).collect();
    assert_eq!(ids, (8..=TASK_RESULTS_KEPT + 7).rev().collect::<Vec<_>>());
    assert_eq!(queue.finished(3).await.unwrap().len(), 3);
    let kept = queue.table.store().scan(&KeyRange::under(DONE), 999).await.unwrap();
    assert_eq!(kept.len() as u64, TASK_RESULTS_KEPT);
}

#[tokio::test]
async fn a_task_that_was_taken_over_ends_once() {
    let queue = queue(9);
    queue.add(&task("x", Lane::Background), at(0)).await.unwrap();
    let take = async |now| {
        let open = queue.open().await.unwrap();
        queue.claim(next(&open, at(now), |_| true).unwrap().clone(), at(now) + Duration::from_secs(60)).await.unwrap()
    };
    let first = take(0).await.unwrap();
    assert!(next(&queue.open().await.unwrap(), at(59), |_| true).is_none(), "it is held");
    let second = take(60).await.unwrap();
    assert!(queue.finish(&first, executed("stale"), at(61)).await.unwrap().is_none());
    assert!(queue.finish(&second, executed("good"), at(62)).await.unwrap().is_some());
    let results = queue.finished(9).await.unwrap();
    assert_eq!((results.len(), results[0].attempts, &results[0].ending), (1, 2, &executed("good")));
}
