//! What the tables promise, tried on all of them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use proptest::prelude::*;

use super::names::{SECTIONS, variables};
use super::no_effect::NO_EFFECT;
use super::*;
use crate::brain::{CapLimit, Caps, CodexTransport, Money, Provider};

fn load(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_vars(&pairs.iter().copied().collect())
}

/// The messages of everything that is wrong with `pairs`.
fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
    load(pairs).map_or_else(|error| error.problems.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

#[test]
fn nothing_has_to_be_set() {
    let settings = load(&[]).unwrap();
    assert!(settings.brain.providers.is_empty());
    assert_eq!(settings.brain.request_timeout.as_secs(), 60);
    assert_eq!(settings.brain.retries, 2);
    assert_eq!(settings.codex.timeout.as_secs(), 120);
    assert!(settings.codex.enabled && settings.codex.arguments.is_none());
    assert_eq!(settings.store.data_dir, Path::new("./data"));
    assert_eq!(settings.telemetry.file, Path::new("./data/telemetry/latest.json"));
    let moved = load(&[("RUSTY_PINCH_DATA_DIR", "/d")]).unwrap();
    assert_eq!(moved.telemetry.file, Path::new("/d/telemetry/latest.json"));
}

#[test]
fn only_background_work_is_capped_unless_somebody_says_so_and_amounts_are_exact() {
    let caps = load(&[]).unwrap().budget.caps;
    let background_day = CapLimit { tokens: Some(200_000), money: None };
    assert_eq!(caps, Caps { background_day, ..Caps::default() });
    let caps = load(&[
        ("RUSTY_PINCH_BUDGET_DAY_USD", "1.50"),
        ("RUSTY_PINCH_BUDGET_TURN_TOKENS", "0"),
        ("RUSTY_PINCH_BUDGET_SESSION_USD", "0.000001"),
        ("RUSTY_PINCH_BUDGET_BACKGROUND_DAY_TOKENS", " 7 "),
    ]);
    let caps = caps.unwrap().budget.caps;
    assert_eq!((caps.day.money, caps.day.tokens), (Some(Money::from_micros(1_500_000)), None));
    assert_eq!((caps.turn.tokens, caps.session.money), (Some(0), Some(Money::from_micros(1))));
    assert_eq!(caps.background_day.tokens, Some(7));
    let found = problems(&[("RUSTY_PINCH_BUDGET_DAY_USD", "1,50")]).concat();
    for part in ["RUSTY_PINCH_BUDGET_DAY_USD", "1,50", "such as `1.50`", "6 decimal places"] {
        assert!(found.contains(part), "{part:?} is not in {found}");
    }
}

#[test]
fn every_variable_has_one_row_and_is_read() {
    let vars = Vars::default();
    let mut reader = Reader::new(&vars, Vec::new());
    Settings::read(&vars, &mut reader);
    let rows: BTreeSet<_> = variables().map(|variable| variable.name).collect();
    assert_eq!(reader.names_read, rows);
    let all: Vec<_> = variables().flat_map(Variable::names).chain(NO_EFFECT.iter().map(|(name, _)| *name)).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "a name stands in two rows");
    assert!(SECTIONS.iter().all(|section| !section.title.is_empty() && section.doc.ends_with('.')));
}

#[test]
fn every_variable_refuses_what_breaks_its_rule_and_says_so() {
    for variable in variables() {
        let bad = match variable.kind {
            Kind::Integer { max, .. } => vec!["x".to_owned(), "-1".into(), "1.5".into(), (max + 1).to_string()],
            Kind::Usd => ["x", "-1", "1,5", "$1", "1e3", "0.0000001", "1000000.01"].map(str::to_owned).to_vec(),
            Kind::List | Kind::Targets => vec!["calc,No Such".to_owned(), "../x".into()],
            Kind::Boolean | Kind::Choice(_) | Kind::Choices(_) => vec!["Y".to_owned(), "enabled".into()],
            Kind::Url => vec!["example.com".to_owned(), "https://user@host".into()],
            _ => vec!["a\nb".to_owned(), "a\u{1b}[31m".into(), "x".repeat(5000)],
        };
        for value in bad {
            for name in variable.names() {
                let found = problems(&[(name, &value)]);
                let message = found.first().unwrap_or_else(|| panic!("{name}={value:?} was taken"));
                assert!(message.contains(name), "{message}");
                assert!(!message.chars().any(char::is_control), "{message:?}");
            }
        }
    }
}

#[test]
fn no_message_shows_what_may_be_a_secret() {
    for variable in variables() {
        let bad = match variable.kind {
            Kind::Secret => vec!["hush-1\u{7}".to_owned(), format!("hush-{}", "x".repeat(5000))],
            Kind::Url => vec!["https://hush-me@host/v1".to_owned(), "host?key=hush-me".into()],
            _ => continue,
        };
        for value in bad {
            let error = load(&[(variable.name, &value)]).unwrap_err();
            let shown = format!("{error} {error:?} {:?}", error.problems.iter().map(SettingsProblem::fix));
            assert!(shown.contains(variable.name) && !shown.contains("hush"), "{shown}");
        }
    }
}

#[test]
fn integers_take_both_ends_of_their_range() {
    for variable in variables() {
        if let Kind::Integer { min, max } = variable.kind {
            for value in [min, max] {
                let found = problems(&[(variable.name, &value.to_string())]);
                assert!(found.iter().all(|problem| !problem.contains("a whole number")), "{found:?}");
            }
            if let Some(below) = min.checked_sub(1) {
                let found = problems(&[(variable.name, &below.to_string())]).concat();
                assert!(found.contains(&format!("from {min} to {max}")), "{found}");
            }
        }
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let error = load(&[
        ("RUSTY_PINCH_PROVIDER", "opnai"),
        ("RUSTY_PINCH_REQUEST_RETRIES", "4294967295"),
        ("RUSTY_PINCH_CODEX_ENABLED", "Y"),
        ("RUSTY_PINCH_TIMEOUT", "3"),
    ])
    .unwrap_err();
    let shown = error.to_string();
    for part in ["`openai`", "from 0 to 20", "RUSTY_PINCH_CODEX_ENABLED is \"Y\"", "from the environment"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert_eq!(error.problems.len(), 3);
    assert_eq!(error.unknown.len(), 1);
    assert!(error.problems.iter().all(|problem| !problem.fix().is_empty()));
}

#[test]
fn providers_are_known_by_name_and_the_rest_is_refused_with_the_names() {
    for (given, provider) in [
        ("local", Provider::Local),
        (" Offline ", Provider::Local),
        ("CODEX", Provider::Codex),
        ("openai", Provider::Openai),
        ("openrouter", Provider::Openrouter),
    ] {
        assert_eq!(load(&[("RUSTY_PINCH_PROVIDER", given)]).unwrap().brain.providers, [provider]);
    }
    let anthropic = problems(&[("RUSTY_PINCH_PROVIDER", "anthropic")]).concat();
    assert!(anthropic.contains("not available") && anthropic.contains("`openrouter`"), "{anthropic}");
    let compatible = problems(&[("RUSTY_PINCH_PROVIDER", "compatible")]).concat();
    assert!(compatible.contains("RUSTY_PINCH_MODEL") && compatible.contains("RUSTY_PINCH_API_BASE"), "{compatible}");
    let contradiction = [("RUSTY_PINCH_PROVIDER", "codex"), ("RUSTY_PINCH_CODEX_ENABLED", "off")];
    assert!(problems(&contradiction).concat().contains("RUSTY_PINCH_CODEX_ENABLED"));
    let backoff = [("RUSTY_PINCH_RETRY_BACKOFF_MS", "900"), ("RUSTY_PINCH_RETRY_MAX_BACKOFF_MS", "100")];
    assert!(problems(&backoff).concat().contains("less than"));
}

#[test]
fn several_providers_are_a_chain_and_what_is_ambiguous_is_refused() {
    let chain = |value: &str| load(&[("RUSTY_PINCH_PROVIDER", value)]).unwrap().brain.providers;
    assert_eq!(chain("codex, OpenRouter ,offline"), [Provider::Codex, Provider::Openrouter, Provider::Local]);
    for (value, part) in [
        ("codex,local,codex", "`codex` is named twice"),
        ("local,offline", "`local` is named twice"),
        ("codex,,local", "a name is missing"),
        ("codex,", "a name is missing"),
        ("codex,locl", "one of `local`"),
    ] {
        let found = problems(&[("RUSTY_PINCH_PROVIDER", value)]).concat();
        assert!(found.contains("RUSTY_PINCH_PROVIDER") && found.contains(part), "{value}: {found}");
    }
    let disabled = [("RUSTY_PINCH_PROVIDER", "codex,local"), ("RUSTY_PINCH_CODEX_ENABLED", "off")];
    assert!(problems(&disabled).concat().contains("RUSTY_PINCH_CODEX_ENABLED"));
    for name in ["RUSTY_PINCH_API_KEY", "RUSTY_PINCH_API_BASE", "RUSTY_PINCH_MODEL"] {
        let value = "https://host/v1";
        let ambiguous = problems(&[("RUSTY_PINCH_PROVIDER", "openai,groq"), (name, value)]).concat();
        assert!(ambiguous.contains(name) && ambiguous.contains("does not say whose"), "{ambiguous}");
        assert!(problems(&[("RUSTY_PINCH_PROVIDER", "codex,groq,local"), (name, value)]).is_empty());
    }
}

#[test]
fn in_a_chain_the_general_values_belong_to_one_member() {
    let pairs = [
        ("RUSTY_PINCH_PROVIDER", "openai,compatible,codex"),
        ("RUSTY_PINCH_MODEL", "m"),
        ("RUSTY_PINCH_API_KEY", "general"),
        ("RUSTY_PINCH_API_BASE", "http://host/v1"),
        ("OPENAI_API_KEY", "own"),
        ("RUSTY_PINCH_OPENAI_MODEL", "o"),
    ];
    let brain = load(&pairs).unwrap().brain;
    let key = |provider| brain.endpoint(provider).unwrap().key.unwrap().expose().clone();
    assert_eq!((key(Provider::Openai).as_str(), key(Provider::Compatible).as_str()), ("own", "general"));
    assert_eq!(brain.endpoint(Provider::Openai).unwrap().base.as_deref(), Some("https://api.openai.com/v1"));
    let models = [Provider::Openai, Provider::Compatible, Provider::Codex].map(|provider| brain.model(provider));
    assert_eq!(models, [Some("o"), Some("m"), None]);
    let one = load(&[("RUSTY_PINCH_PROVIDER", "codex"), ("RUSTY_PINCH_MODEL", "m")]).unwrap().brain;
    assert_eq!(one.model(Provider::Codex), Some("m"));
    let offline = load(&[("RUSTY_PINCH_PROVIDER", "codex,local"), ("RUSTY_PINCH_MODEL", "m")]).unwrap().brain;
    assert_eq!(offline.model(Provider::Codex), Some("m"), "nobody else could be meant");
}

#[test]
fn the_first_name_that_is_not_blank_gives_the_value() {
    let key = |pairs: &[(&str, &str)]| {
        let endpoint = load(pairs).unwrap().brain.endpoint(Provider::Openai).unwrap();
        endpoint.key.map(|key| key.expose().clone())
    };
    assert_eq!(key(&[]), None);
    assert_eq!(key(&[("PICOCLAW_PROVIDERS_OPENAI_API_KEY", "c")]), Some("c".into()));
    assert_eq!(key(&[("PICOCLAW_PROVIDERS_OPENAI_API_KEY", "c"), ("OPENAI_API_KEY", "b")]), Some("b".into()));
    assert_eq!(key(&[("RUSTY_PINCH_OPENAI_API_KEY", "  "), ("OPENAI_API_KEY", "b")]), Some("b".into()));
    assert_eq!(key(&[("RUSTY_PINCH_API_KEY", "a"), ("OPENAI_API_KEY", "b")]), Some("a".into()));
}

#[test]
fn a_compatible_server_is_never_sent_somebody_elses_key() {
    let settings = load(&[
        ("RUSTY_PINCH_PROVIDER", "compatible"),
        ("RUSTY_PINCH_MODEL", "m"),
        ("RUSTY_PINCH_API_BASE", "http://127.0.0.1:1/"),
        ("OPENAI_API_KEY", "sk-openai"),
    ]);
    let endpoint = settings.unwrap().brain.endpoint(Provider::Compatible).unwrap();
    assert_eq!((endpoint.base.as_deref(), endpoint.key), (Some("http://127.0.0.1:1"), None));
}

#[cfg(feature = "http")]
#[test]
fn what_is_documented_of_the_providers_is_what_their_brains_know() {
    use crate::brain::HttpPreset;
    let settings = load(&[]).unwrap().brain;
    for (provider, preset) in [
        (Provider::Openai, HttpPreset::OpenAi),
        (Provider::Openrouter, HttpPreset::OpenRouter),
        (Provider::Groq, HttpPreset::Groq),
        (Provider::Compatible, HttpPreset::Compatible),
    ] {
        assert_eq!(provider.name(), preset.name());
        assert_eq!(settings.model(provider), preset.model());
        assert_eq!(settings.endpoint(provider).unwrap().base.as_deref(), preset.base_url());
    }
}

#[test]
fn lists_of_tools_and_the_least_risk_make_the_grants() {
    use crate::hands::Risk;
    let grants = load(&[
        ("RUSTY_PINCH_TOOLS_DENIED", " calc, note,,"),
        ("RUSTY_PINCH_TOOLS_ALLOWED", ""),
        ("RUSTY_PINCH_ASK_FROM", "Critical"),
    ]);
    let grants = grants.unwrap().grants;
    assert_eq!(grants.denied.into_iter().collect::<Vec<_>>(), ["calc", "note"]);
    assert!(grants.allowed.is_empty() && grants.asked.is_empty());
    assert_eq!(grants.ask_from, Risk::Critical);
    assert_eq!(load(&[]).unwrap().grants, crate::agent::Grants::default());
}

#[test]
fn blank_arguments_mean_none_and_unset_means_the_built_in_invocation() {
    let arguments = |value| load(&[("RUSTY_PINCH_CODEX_CLI_ARGS", value)]).unwrap().codex.arguments;
    assert_eq!(arguments(""), Some(vec![]));
    assert_eq!(arguments(" exec  --json "), Some(vec!["exec".to_owned(), "--json".to_owned()]));
    assert_eq!(load(&[("RUSTY_PINCH_CODEX_MODEL_FLAG", "")]).unwrap().codex.model_flag, Some(String::new()));
}

#[test]
fn the_transport_of_codex_is_a_word_and_a_server_takes_no_invocation_of_ones_own() {
    let transport = |value| load(&[("RUSTY_PINCH_CODEX_TRANSPORT", value)]).unwrap().codex.transport;
    assert_eq!((transport(""), transport("exec")), (CodexTransport::Exec, CodexTransport::Exec));
    assert_eq!(transport(" App-Server "), CodexTransport::AppServer);
    let bad = problems(&[("RUSTY_PINCH_CODEX_TRANSPORT", "appserver")]).concat();
    assert!(bad.contains("RUSTY_PINCH_CODEX_TRANSPORT") && bad.contains("`app-server`"), "{bad}");
    for own in ["RUSTY_PINCH_CODEX_CLI_ARGS", "RUSTY_PINCH_CODEX_PROMPT_FLAG", "RUSTY_PINCH_CODEX_MODEL_FLAG"] {
        let both = problems(&[("RUSTY_PINCH_CODEX_TRANSPORT", "app-server"), (own, "-x")]).concat();
        assert!(both.contains("RUSTY_PINCH_CODEX_TRANSPORT") && both.contains(own), "{both}");
        assert_eq!(problems(&[("RUSTY_PINCH_CODEX_TRANSPORT", "exec"), (own, "-x")]), Vec::<String>::new());
    }
}

#[test]
fn unknown_names_are_reported_with_the_nearest_and_old_ones_with_their_room() {
    let sources = load(&[
        ("RUSTY_PINCH_PROVIDR", "local"),
        ("RUSTY_PINCH_REQUEST_TIMEOUT", "3"),
        ("RUSTY_PINCH_XYZZY", "1"),
        ("RUSTY_PINCH_CHANNELS_TELEGRAM_TOKEN", "t"),
        ("RUSTY_PINCH_PULSE_AUTO_ALLOW_ACTIONS", ""),
        ("SOMEBODY_ELSES", "1"),
    ])
    .unwrap()
    .sources;
    let unknown: Vec<_> = sources.unknown.iter().map(|found| (found.name.as_str(), found.nearest)).collect();
    assert_eq!(
        unknown,
        [
            ("RUSTY_PINCH_PROVIDR", Some("RUSTY_PINCH_PROVIDER")),
            ("RUSTY_PINCH_REQUEST_TIMEOUT", Some("RUSTY_PINCH_REQUEST_TIMEOUT_SECS")),
            ("RUSTY_PINCH_XYZZY", None),
        ]
    );
    assert_eq!(sources.without_effect, [("RUSTY_PINCH_CHANNELS_TELEGRAM_TOKEN", "channels")]);
}

#[test]
fn the_environment_wins_over_the_file_and_both_name_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("my.env");
    std::fs::write(&file, "RUSTY_PINCH_MODEL=file\nRUSTY_PINCH_REQUEST_RETRIES=many\nUNRELATED=x\n").unwrap();
    let environment = [("RUSTY_PINCH_MODEL", "env"), ("RUSTY_PINCH_ENV_FILE", file.to_str().unwrap())];
    let os = |pairs: &[(&str, &str)]| -> Vec<(OsString, OsString)> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    };
    let (vars, found) = Vars::from_sources(os(&environment), Path::new("no.env"));
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(vars.get("RUSTY_PINCH_MODEL").unwrap().value, "env");
    assert!(vars.get("UNRELATED").is_none());
    let shown = Settings::from_parts(&vars, found).unwrap_err().to_string();
    assert!(shown.contains("my.env line 2") && shown.contains("\"many\""), "{shown}");

    let (vars, found) = Vars::from_sources(os(&[]), &file);
    assert!(found.is_empty() && vars.get("RUSTY_PINCH_MODEL").unwrap().value == "file");
    let (_, found) = Vars::from_sources(os(&[]), &dir.path().join("none.env"));
    assert!(found.is_empty(), "the default file need not exist");
    for (bad, why) in [(dir.path().join("none.env"), "does not exist"), (dir.path().to_owned(), "can't be read")] {
        let (_, found) = Vars::from_sources(os(&[("RUSTY_PINCH_ENV_FILE", bad.to_str().unwrap())]), &file);
        let shown = found.first().unwrap().to_string();
        assert!(shown.contains(why) && shown.contains(bad.to_str().unwrap()), "{shown}");
    }
}

#[test]
fn values_that_are_not_utf8_are_errors() {
    let bytes = OsString::from_vec(vec![b'a', 0xff]);
    let (_, found) = Vars::from_sources([("RUSTY_PINCH_MODEL".into(), bytes.clone())], Path::new("no.env"));
    assert!(found.first().unwrap().to_string().contains("RUSTY_PINCH_MODEL"));
    let (_, found) = Vars::from_sources([("SOMEBODY_ELSES".into(), bytes)], Path::new("no.env"));
    assert!(found.is_empty());
}

proptest! {
    #[test]
    fn any_value_of_any_variable_is_taken_or_refused_in_words(index in 0..1000_usize, value in ".{0,80}") {
        let all: Vec<_> = variables().collect();
        let variable = all[index % all.len()];
        match load(&[(variable.name, &value)]) {
            Ok(settings) => {
                let shown = format!("{settings:?}");
                let long_enough = value.trim().len() > 12;
                prop_assert!(!(long_enough && matches!(variable.kind, Kind::Secret) && shown.contains(value.trim())));
            }
            Err(error) => prop_assert!(error.to_string().contains("RUSTY_PINCH_"), "{error}"),
        }
    }
}

/// Compares a generated page with the checked-in one.
fn check_page(path: &str, generated: &str) {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let checked_in = std::fs::read_to_string(&full).unwrap_or_default();
    assert!(checked_in == generated, "{path} is not what the tables say; run `cargo xtask docs`");
}

#[test]
fn the_checked_in_pages_say_what_the_tables_say() {
    check_page("docs/CONFIGURATION.md", &reference_markdown());
    check_page(".env.example", &env_example());
}

#[test]
fn the_example_file_is_valid_as_it_is_and_with_its_defaults_uncommented() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".env");
    let uncommented = env_example().replace("\n#RUSTY_PINCH_", "\nRUSTY_PINCH_");
    for text in [env_example(), uncommented] {
        std::fs::write(&file, text).unwrap();
        let (vars, found) = Vars::from_sources([], &file);
        Settings::from_parts(&vars, found).unwrap();
    }
}

#[test]
fn accounts_of_codex_have_their_keys_and_no_message_shows_one() {
    let settings = load(&[
        ("RUSTY_PINCH_CODEX_ACCOUNTS", "work|WORK_KEY|5|small; home"),
        ("WORK_KEY", "sk-work"),
        ("RUSTY_PINCH_CODEX_ACCOUNT_MAX_REQUESTS", "9"),
    ])
    .unwrap();
    let [work, home] = &settings.codex.accounts[..] else { panic!("{:?}", settings.codex.accounts) };
    assert_eq!((work.id.as_str(), work.requests_max, work.model.as_deref()), ("work", 5, Some("small")));
    assert_eq!((home.id.as_str(), home.requests_max, home.api_key.is_none()), ("home", 9, true));
    assert!(settings.secrets().any(|secret| secret.expose() == "sk-work"));
    assert!(!format!("{settings:?}").contains("sk-work"));

    let usual = load(&[]).unwrap().codex;
    assert_eq!(
        (usual.accounts.len(), usual.accounts[0].id.as_str(), usual.accounts[0].requests_max),
        (1, "default", 200)
    );
    assert_eq!((usual.queue_capacity, usual.reserve_percent, usual.rate_window.as_secs()), (256, 25, 3600));
    assert_eq!(usual.healthcheck_arguments, ["--version"]);

    for (name, value, said) in [
        ("RUSTY_PINCH_CODEX_ACCOUNTS", "a|sk-hush", "entry 1 (`a`): its api_key_env"),
        ("RUSTY_PINCH_CODEX_ACCOUNTS", "a|NOT_SET", "in the variable NOT_SET, which is not set"),
        ("RUSTY_PINCH_CODEX_ACCOUNTS", "a;a", "another entry has the same id"),
        ("RUSTY_PINCH_CODEX_ACCOUNT_API_KEY_ENV", "sk-hush", "the name of a variable"),
        ("RUSTY_PINCH_CODEX_CHATGPT_AUTH_JSON_B64", "aHVzaA==", "a JSON object as base64"),
    ] {
        let error = load(&[(name, value)]).unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.problems[0].fix());
        assert!(shown.contains(name) && shown.contains(said) && !shown.contains("hush"), "{shown}");
    }
    let both = [("RUSTY_PINCH_CODEX_CHATGPT_AUTH_FILE", "/x"), ("RUSTY_PINCH_CODEX_CHATGPT_AUTH_JSON_B64", "e30=")];
    assert!(problems(&both).concat().contains("both set"));
}

#[test]
fn a_key_is_read_from_the_variable_that_an_account_names_whatever_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("vars");
    let text = "RUSTY_PINCH_CODEX_ACCOUNTS='a|MY_KEY|; b|RUSTY_PINCH_MY_KEY;c|OTHER'\nMY_KEY=sk-file\nOTHER=sk-other\nSTRANGER=x\n";
    std::fs::write(&file, text).unwrap();
    let environment = [("MY_KEY", "sk-environment"), ("RUSTY_PINCH_MY_KEY", "sk-b"), ("STRANGER", "y")];
    let environment = environment.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let (vars, found) = Vars::from_sources(environment, &file);
    let settings = Settings::from_parts(&vars, found).unwrap();
    let keys: Vec<_> =
        settings.codex.accounts.iter().filter_map(|a| a.api_key.as_ref()).map(|k| k.expose().as_str()).collect();
    assert_eq!(keys, ["sk-environment", "sk-b", "sk-other"]);
    assert!(settings.sources.unknown.is_empty(), "{:?}", settings.sources.unknown);
    assert_eq!(vars.named("STRANGER"), None, "what nobody names is not kept");
}
