//! Every failure that can be made to happen, on both transports: a typed error, one request upstream, no process left.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fake_model::{Reply, always, responses};
use rusty_pinch_core::{
    BrainError, Clock, Command, Deltas, ErrorClass, Input, Lines, OutputLimits, Spawn, SystemClock, SystemSpawn,
};

use crate::rig::{BOTH, Rig, Transport, meaning, request, with_tools};

/// What the server does, and what becomes of it: the error's meaning, and whether it says when to come back.
fn cases(resets_at: u64) -> Vec<(&'static str, Reply, (&'static str, bool))> {
    let status = |status: u16| responses::error(status, "fake_error", "no");
    let failed = |code: &str, message: &str| responses::failed(code, message);
    vec![
        ("400", status(400), ("rejected", false)),
        ("401", status(401), ("unauthorized", false)),
        ("403", status(403), ("unauthorized", false)),
        ("404", status(404), ("rejected", false)),
        ("429", status(429), ("rate limited", false)),
        ("429 with a pause", status(429).header("retry-after", "7"), ("rate limited", false)),
        ("500", status(500), ("overloaded", false)),
        ("503", status(503), ("overloaded", false)),
        ("quota", responses::error(429, "insufficient_quota", "no money"), ("quota", false)),
        ("usage limit", responses::usage_limit(resets_at, Duration::from_secs(3 * 3600)), ("quota", true)),
        ("rate", failed("rate_limit_exceeded", "Please try again in 1.5s."), ("rate limited", true)),
        ("context", failed("context_length_exceeded", "too long"), ("context", false)),
        ("overloaded", failed("server_is_overloaded", "busy"), ("overloaded", false)),
        ("odd", failed("something_else", "what?"), ("cut", false)),
        ("cut", responses::begun().closing(), ("cut", false)),
        ("html", Reply::html(200), ("cut", false)),
        ("closed", Reply::close(), ("unreachable", false)),
    ]
}

#[tokio::test]
async fn every_failure_has_its_meaning_and_is_asked_for_once() {
    let resets = SystemClock.now() + Duration::from_secs(3 * 3600);
    let resets_at = u64::try_from(resets.as_millis() / 1000).unwrap();
    for (transport, (name, reply, expected)) in
        BOTH.into_iter().flat_map(|transport| cases(resets_at).into_iter().map(move |case| (transport, case)))
    {
        let Some(rig) = Rig::new(always(reply)) else { return };
        let error = rig.ask(transport, &request("hello")).await.unwrap_err();
        assert_eq!(meaning(&error), expected, "{transport:?} {name}: {error}");
        assert_eq!(rig.model.request_count(), 1, "{transport:?} {name}: it tried again behind our back");
        if name == "usage limit" {
            let at = error.retry_at().unwrap();
            assert!(at >= resets && at <= resets + Duration::from_secs(61), "{at} instead of {resets}");
        }
        if expected.0 == "unauthorized" {
            assert!(error.to_string().contains("check the key"), "{error}");
            assert_eq!(error.class(), ErrorClass::FailOver);
        }
    }
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_cut() {
    for transport in BOTH {
        let Some(mut rig) = Rig::new(always(responses::begun().holding())) else { return };
        rig.config.idle_timeout = Duration::from_millis(300);
        assert_eq!(meaning(&rig.ask(transport, &request("hello")).await.unwrap_err()), ("cut", false));
        assert_eq!(rig.model.request_count(), 1, "{transport:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable_at_once() {
    for transport in BOTH {
        let Some(mut rig) = Rig::new(always(Reply::close())) else { return };
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        rig.config.base_url = Some(format!("http://{closed}/v1"));
        let start = SystemClock.now();
        let error = rig.ask(transport, &request("hello")).await.unwrap_err();
        assert_eq!(meaning(&error), ("unreachable", false));
        assert!(error.to_string().contains(&closed.to_string()), "{error}");
        assert!(SystemClock.now().since(start) < Duration::from_secs(5), "{transport:?}");
    }
}

#[tokio::test]
async fn large_prompts_and_answers_pass_and_an_endless_one_is_refused() {
    for transport in BOTH {
        let Some(rig) = Rig::new(always(responses::message(&"y".repeat(500 * 1024)))) else { return };
        let completion = rig.ask(transport, &request(&"x".repeat(1000 * 1024))).await.unwrap();
        assert_eq!(completion.content.len(), 500 * 1024);
        assert!(responses::prompt(&rig.model.requests()[0]).len() > 1000 * 1024);

        let error = rig.ask(transport, &request(&"x".repeat(1024 * 1024))).await.unwrap_err();
        assert_eq!((meaning(&error), rig.model.request_count()), (("context", false), 1));

        let Some(rig) = Rig::new(always(responses::message(&"z".repeat(10 * 1024 * 1024)))) else { return };
        let error = rig.ask(transport, &request("hello")).await.unwrap_err();
        assert_eq!((meaning(&error), rig.model.request_count()), (("too large", false), 1), "{transport:?}: {error}");
    }
}

#[tokio::test]
async fn the_deadline_stops_the_cli_and_whoever_it_started() {
    for transport in BOTH {
        let in_time = |(late, asked): &(Duration, usize)| *late < Duration::from_millis(300) && *asked == 1;
        let mut seen = Vec::new();
        // A busy machine may take longer to start the CLI, or to run this test's own code; the best of a few counts.
        for time_ms in [1500, 1500, 4000, 8000] {
            let Some(rig) = Rig::new(always(Reply::silence())) else { return };
            let mut request = request("hello");
            request.deadline = SystemClock.now() + Duration::from_millis(time_ms);
            let error = rig.ask(transport, &request).await.unwrap_err();
            seen.push((SystemClock.now().since(request.deadline), rig.model.request_count()));
            assert_eq!(meaning(&error), ("deadline", false));
            if seen.last().is_some_and(in_time) {
                break;
            }
        }
        assert!(seen.last().is_some_and(in_time), "{transport:?}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_is_killed_in_the_middle_is_a_failure_of_the_program() {
    for transport in BOTH {
        let Some(rig) = Rig::new(always(responses::begun().holding())) else { return };
        let brain = rig.brain(transport);
        let asked = tokio::spawn({
            let brain = brain.clone();
            async move { brain.complete(&request("hello"), &Deltas::none()).await }
        });
        rig.model.until_requests(1).await;
        let processes = rig.processes();
        assert_eq!(processes.len(), 1, "{transport:?}");
        kill(&processes[0]).await;
        let error = asked.await.unwrap().unwrap_err();
        assert_eq!(meaning(&error), ("program", false), "{transport:?}: {error}");
        assert!(error.to_string().contains("killed by signal 9"), "{transport:?}: {error}");
        assert_eq!(rig.model.request_count(), 1);
        drop(brain);
        rig.no_process_is_left().await;
    }
}

/// `kill -9`.
pub(crate) async fn kill(process: &str) {
    let command = Command {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), format!("kill -9 {process}").into()],
        environment: Default::default(),
        directory: "/".into(),
        input: Input::from([]),
        limits: OutputLimits::default(),
        deadline: SystemClock.now() + Duration::from_secs(10),
    };
    let exit = SystemSpawn::new(std::sync::Arc::new(SystemClock)).run(&command, &Lines::none()).await.unwrap();
    assert!(exit.ending.is_success(), "{}", exit.stderr.text());
}

/// A program that gives a catalogue and then does `what`.
fn script(folder: &Path, what: &str) -> PathBuf {
    let path = folder.join("codex");
    let catalogue = r#"{"models":[{"slug":"a"}]}"#;
    let text = format!("#!/bin/sh\nif [ \"$1\" = debug ]; then echo '{catalogue}'; exit 0; fi\n{what}\n");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}

async fn ask_program(transport: Transport, program: &Path) -> BrainError {
    let rig = Rig::with(program, always(Reply::close()));
    let mut request = with_tools(request("hello"));
    request.deadline = SystemClock.now() + Duration::from_secs(3);
    let error = rig.ask(transport, &request).await.unwrap_err();
    assert_eq!(rig.model.request_count(), 0);
    error
}

#[tokio::test]
async fn a_program_that_is_missing_or_another_is_told_apart() {
    for transport in BOTH {
        for program in ["/nowhere/codex", "/bin/true", "/bin/false", "/bin/cat", "/etc/passwd"] {
            let error = ask_program(transport, Path::new(program)).await;
            assert_eq!(meaning(&error), ("program", false), "{transport:?} {program}: {error}");
        }
    }
}

#[tokio::test]
async fn a_program_that_only_looks_like_codex_is_a_bounded_failure() {
    for transport in BOTH {
        for (what, expected) in [
            ("exit 0", "program"),
            ("exit 7", "program"),
            ("exec cat", "program"),
            ("kill -9 $$", "program"),
            (
                "yes garbage | head -n 100000; exec sleep 60",
                if transport == Transport::Exec { "deadline" } else { "program" },
            ),
            ("exec yes '{\"type\":\"nothing\"}'", if transport == Transport::Exec { "deadline" } else { "program" }),
            ("head -c 10485760 /dev/zero | tr '\\0' x; echo", "too large"),
            ("exec sleep 60", "deadline"),
            ("exec cat >/dev/null", if transport == Transport::Exec { "program" } else { "deadline" }),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let error = ask_program(transport, &script(folder.path(), what)).await;
            assert_eq!(meaning(&error).0, expected, "{transport:?} `{what}`: {error}");
            assert!(error.to_string().len() < 1024, "{error}");
        }
    }
}
