//! One run of a skill, from its arguments to its outcome.

use serde_json::{Map, Value};

use super::desk::{Desk, HostRecord, Surroundings};
use super::library::Skill;
use super::{SkillError, SkillJob, SkillOutput, SkillSandbox, SkillWork};
use crate::data::{CallId, SessionId, Timestamp};

/// What a run is asked for.
pub(super) struct Asked {
    pub(super) session: SessionId,
    pub(super) call: CallId,
    pub(super) arguments: Value,
    pub(super) deadline: Timestamp,
}

/// What a run came to, and what it asked its host for.
pub(super) struct Ran {
    pub(super) output: Result<SkillOutput, SkillError>,
    pub(super) records: Vec<HostRecord>,
    /// It ended while a call that changes something was under way.
    pub(super) was_acting: bool,
}

/// Runs `skill`, whose bytes are those that were checked.
pub(super) async fn run(sandbox: &SkillSandbox, skill: &Skill, around: &Surroundings, asked: Asked) -> Ran {
    let Asked { session, call, arguments, deadline } = asked;
    let named = match arguments {
        Value::Object(named) => named,
        _ => Map::new(),
    };
    let job = SkillJob {
        skill: skill.name.clone(),
        source: skill.source.clone(),
        work: SkillWork::Run { text: text_of(&skill.manifest.positional(), &named), named },
        deadline,
    };
    let desk = Desk::new(skill, around, session, call, deadline);
    let output = sandbox.run(&job, &desk).await;
    for line in output.iter().flat_map(|output| &output.printed) {
        tracing::info!(skill = %skill.name, line, "a skill printed");
    }
    Ran { output, records: desk.records(), was_acting: desk.is_acting() }
}

/// The arguments as the one text that `main(args)` gets: the values in the order of the header, with blanks between.
fn text_of(order: &[String], named: &Map<String, Value>) -> String {
    let values = order.iter().filter_map(|name| named.get(name)).filter(|value| !value.is_null());
    let texts: Vec<_> = values
        .map(|value| match value {
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        })
        .collect();
    texts.join(" ").trim().to_owned()
}
