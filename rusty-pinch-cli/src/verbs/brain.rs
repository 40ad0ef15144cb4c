//! `brain`: the chain of providers, as far as it is known without asking them.

use std::fmt::Write;

use rusty_pinch_core::config::{BrainStatus, BreakerState, MemberStatus, brain_status, reset_breakers};
use rusty_pinch_core::{Clock, Provider, SystemClock};
use serde_json::json;

use crate::arguments::{Brain, Reset};
use crate::failure::{Code, Failure};
use crate::program::Program;
use crate::verbs::stats::spend_page;

pub(crate) async fn run(program: &Program, arguments: Brain) -> Result<Code, Failure> {
    match arguments {
        Brain::Status => status(program).await,
        Brain::Reset(arguments) => reset(program, arguments).await,
    }
}

async fn status(program: &Program) -> Result<Code, Failure> {
    let status = brain_status(&program.settings, SystemClock.now()).await?;
    if program.output.data_as_json() {
        program.output.json(&status)?;
    } else {
        program.output.text(&page(&status))?;
    }
    Ok(Code::Done)
}

fn page(status: &BrainStatus) -> String {
    let mut page = String::new();
    if let Some(why) = &status.provider_reason {
        // Writing to a string can't fail.
        let _ = writeln!(page, "chosen because {why}");
    }
    for (index, member) in status.chain.iter().enumerate() {
        let model = member.model.as_deref().map_or_else(String::new, |model| format!(" ({model})"));
        let _ = writeln!(page, "{}. {}{model}: {}", index + 1, member.provider, state(member));
        if let Some(price) = &member.price {
            let _ = writeln!(page, "   price        {price}");
        }
        if let (Some(error), Some(at)) = (&member.last_error, member.last_failure_at) {
            let _ = writeln!(page, "   last error   {at}: {error}");
        }
        if let Some(at) = member.last_success_at {
            let _ = writeln!(page, "   last answer  {at}");
        }
    }
    page.push_str(&status.spend.as_ref().map(spend_page).unwrap_or_default());
    page
}

fn state(member: &MemberStatus) -> String {
    if let Some(problem) = &member.problem {
        return format!("can't be used: {problem}");
    }
    let until = member.until.map_or_else(String::new, |until| format!(" until {until}"));
    match member.breaker {
        BreakerState::Closed if member.failures == 0 => "ready".to_owned(),
        BreakerState::Closed => format!("ready, after {} failures in a row", member.failures),
        BreakerState::Open => format!("left alone{until}"),
        BreakerState::HalfOpen => "to be tried with the next message".to_owned(),
        BreakerState::Probing => format!("being tried{until}"),
        _ => "in a state that this version has no word for".to_owned(),
    }
}

async fn reset(program: &Program, arguments: Reset) -> Result<Code, Failure> {
    let only = arguments.provider.as_deref().map(|name| known(program, name)).transpose()?;
    let reset = reset_breakers(&program.settings, only, SystemClock.now()).await?;
    if program.output.data_as_json() {
        program.output.json(&json!({"reset": reset}))?;
        return Ok(Code::Done);
    }
    let names: Vec<_> = reset.iter().map(|provider| provider.name()).collect();
    program.output.text(&match names.as_slice() {
        [] => "Nothing keeps them from being asked.".to_owned(),
        names => format!("Asked again from now on: {}.", names.join(", ")),
    })?;
    Ok(Code::Done)
}

/// The provider with this name, where the chain has it.
fn known(program: &Program, name: &str) -> Result<Provider, Failure> {
    let chain = rusty_pinch_core::config::provider_choice(&program.settings).chain;
    chain.iter().copied().find(|provider| provider.name() == name).ok_or_else(|| {
        let names: Vec<_> = chain.iter().map(|provider| provider.name()).collect();
        let error = format!("{name:?} is not in the chain of providers");
        Failure::usage(error, &format!("choose one of: {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusty_pinch_core::{Settings, Vars};

    #[test]
    fn the_page_has_a_line_for_each_member_and_says_what_is_wrong() {
        let dir = std::env::temp_dir().join("rusty-pinch-no-such-folder");
        let dir = dir.to_str().unwrap_or_default();
        let pairs = [("RUSTY_PINCH_PROVIDER", "groq,local"), ("RUSTY_PINCH_DATA_DIR", dir)];
        let settings =
            Settings::from_vars(&pairs.into_iter().collect::<Vars>()).unwrap_or_else(|error| panic!("{error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let status = runtime.map(|runtime| runtime.block_on(brain_status(&settings, SystemClock.now())));
        let Ok(Ok(mut status)) = status else { panic!("{status:?}") };
        assert!(page(&status).starts_with("1. groq: can't be used: "), "{}", page(&status));
        assert!(page(&status).ends_with("2. local (examples): ready\n"), "{}", page(&status));
        let member = &mut status.chain[1];
        let at = SystemClock.now();
        (member.breaker, member.until, member.failures) = (BreakerState::Open, Some(at), 3);
        (member.last_error, member.last_failure_at) = (Some("it is down".into()), Some(at));
        let expected = format!("2. local (examples): left alone until {at}\n   last error   {at}: it is down\n");
        assert!(page(&status).ends_with(&expected), "{}", page(&status));
    }
}
