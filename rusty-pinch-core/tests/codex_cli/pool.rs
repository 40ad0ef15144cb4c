//! Several accounts of the real Codex CLI at once, against a fake Responses server on a real socket.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fake_model::{FakeModel, Reply, Request, responses};
use rusty_pinch_core::{
    AccountId, Brain, BrainError, Clock, CodexAccount, CodexBrain, CodexConfig, CodexEnvironment, CodexPool, CodexWork,
    CodexWorkConfig, Completion, CompletionRequest, Deltas, Lane, MemoryStore, Message, PoolPolicy, Store, SystemClock,
    SystemSpawn,
};

use crate::rig::cli;

/// Two accounts, `one` and `two`, whose keys are `sk-one` and `sk-two`, asked at `model`.
struct Rig {
    model: FakeModel,
    accounts: Vec<CodexAccount>,
    store: Arc<dyn Store>,
    clock: Arc<SystemClock>,
    spawn: Arc<SystemSpawn>,
}

impl Rig {
    fn new(script: impl FnMut(usize, &Request) -> Reply + Send + 'static) -> Option<Self> {
        let program = cli()?;
        let model = FakeModel::start(script);
        let account = |id: &str| {
            // One home for each account, kept between runs: a new one costs the CLI half a second.
            let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("codex-pool-home-{id}"));
            let mut config = CodexConfig::new(&program, home);
            config.base_url = Some(model.base_url());
            config.api_key = Some(format!("sk-{id}").into());
            config.environment = CodexEnvironment::default().with("PATH", "/usr/bin:/bin");
            CodexAccount::new(AccountId::new(id).unwrap(), config, 4)
        };
        let accounts = vec![account("one"), account("two")];
        let clock = Arc::new(SystemClock);
        let spawn = Arc::new(SystemSpawn::new(clock.clone()));
        Some(Self { model, accounts, store: Arc::new(MemoryStore::new()), clock, spawn })
    }

    fn pool(&self) -> Arc<CodexPool> {
        let (spawn, clock) = (Arc::clone(&self.spawn), Arc::clone(&self.clock));
        let store = Arc::clone(&self.store);
        let pool = CodexPool::new(self.accounts.clone(), PoolPolicy::default(), store, clock.clone(), |account, _| {
            Arc::new(CodexBrain::new(account.config.clone(), spawn.clone(), clock.clone()))
        });
        Arc::new(pool)
    }

    /// How often each key asked.
    fn asked(&self) -> BTreeMap<String, usize> {
        self.model.requests().iter().fold(BTreeMap::new(), |mut asked, request| {
            *asked.entry(request.header("authorization").unwrap_or_default().to_owned()).or_default() += 1;
            asked
        })
    }
}

fn request() -> CompletionRequest {
    CompletionRequest {
        messages: vec![Message::User { content: "hello".into() }],
        tools: Arc::from([]),
        deadline: SystemClock.now() + Duration::from_secs(60),
        lane: Lane::Interactive,
        turn: None,
    }
}

async fn ask(pool: &CodexPool) -> Result<Completion, BrainError> {
    pool.complete(&request(), &Deltas::none()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b5_six_parallel_turns_share_two_accounts() {
    let Some(rig) = Rig::new(|_, _: &Request| responses::message("ok")) else { return };
    let pool = rig.pool();
    let turns: Vec<_> = (0..6)
        .map(|_| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { ask(&pool).await.unwrap() })
        })
        .collect();
    let mut by = BTreeMap::new();
    for turn in turns {
        let completion = turn.await.unwrap();
        assert_eq!(completion.content, "ok");
        *by.entry(completion.by.unwrap().account.unwrap()).or_insert(0) += 1;
    }
    assert_eq!(by, [("one".to_owned(), 3), ("two".to_owned(), 3)].into());
    let keys = ["one", "two"].map(|id| (format!("Bearer sk-{id}"), 3));
    assert_eq!(rig.asked(), keys.into(), "each account is asked with its own key");
    // Two more are left, and then none.
    let (last, also, none) = tokio::join!(ask(&pool), ask(&pool), ask(&pool));
    let refused = [last, also, none].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert!(matches!(&refused[..], [BrainError::NoAccount { asked: 0, .. }]), "{refused:?}");
    assert_eq!(rig.model.request_count(), 8);
}

#[tokio::test]
async fn b5_a_revoked_key_and_a_usage_limit_move_the_turn_to_the_other_account() {
    let resets = SystemClock.now() + Duration::from_secs(3 * 3600);
    let resets_at = u64::try_from(resets.as_millis() / 1000).unwrap();
    for is_limit in [false, true] {
        let script = move |_: usize, request: &Request| match request.header("authorization") {
            Some("Bearer sk-one") if is_limit => responses::usage_limit(resets_at, Duration::from_secs(3 * 3600)),
            Some("Bearer sk-one") => responses::error(401, "invalid_api_key", "revoked"),
            _ => responses::message("from the other"),
        };
        let Some(rig) = Rig::new(script) else { return };
        let completion = ask(&rig.pool()).await.unwrap();
        assert_eq!((completion.content.as_str(), completion.attempts), ("from the other", 2));
        assert_eq!(completion.tried[0].who.account.as_deref(), Some("one"));
        // In the next process too the account is left alone.
        ask(&rig.pool()).await.unwrap();
        assert_eq!(rig.asked()["Bearer sk-one"], 1);
        let status = rig.pool().status().await.unwrap();
        let until = status.accounts[0].skipped_until.unwrap();
        assert_eq!(until >= resets, is_limit, "{until}");
        assert_eq!(status.accounts[0].healthy, is_limit);
    }
}

#[tokio::test]
async fn the_real_program_is_known_by_its_version_and_its_login_is_seen() {
    let Some(mut rig) = Rig::new(|_, _: &Request| Reply::close()) else { return };
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    rig.accounts[1].config.api_key = None;
    rig.accounts[1].config.home = home.path().to_owned();
    let work = CodexWork::new(rig.pool(), CodexWorkConfig::default(), Arc::clone(&rig.store), rig.spawn.clone());
    let reports = work.check_all().await.unwrap();
    assert!(reports[0].healthy && reports[0].message.starts_with("codex-cli 0."), "{reports:?}");
    assert!(!reports[1].healthy && reports[1].message.contains("is not logged in"), "{reports:?}");
    std::fs::write(home.path().join("auth.json"), r#"{"auth_mode":"apikey","OPENAI_API_KEY":"sk-login"}"#).unwrap();
    assert!(work.check("two").await.unwrap().healthy);
    assert_eq!(rig.model.request_count(), 0, "a look asks no model");
}
