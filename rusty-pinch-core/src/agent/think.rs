//! One completion: asked of the brain, or, for a message that is a command, read off the message.

use serde_json::Value;

use super::history::{Opener, Progress, TurnState};
use super::limits::{CALLS_PER_COMPLETION_MAX, NAMES_TOLD_MAX};
use super::prompt::TooLong;
use super::reply::TurnError;
use super::tape::Tape;
use super::turn::{Run, command_of};
use super::{Parts, compact};
use crate::brain::{BrainError, Completion, CompletionRequest};
use crate::data::{CallId, ToolCall};
use crate::hands::{ToolCommand, ToolKind, ToolSpec, builtin};
use crate::store::{Event, TurnId};
use crate::sys::random;

/// Takes the turn's next completion and notes it.
pub(super) async fn think(run: &mut Run, tape: &mut Tape, turn: &TurnState) -> Result<(), TurnError> {
    if let Some(command) = command_of(turn) {
        let completion = of_command(run, &command, turn);
        note(run, tape, completion, None);
        return Ok(());
    }
    let id = TurnId { session: tape.session.clone(), opened_at: turn.opened_at };
    let completion = ask(run, tape, id, turn).await?;
    let brain = completion.by.as_ref().map_or(&run.parts.brain.info().name, |by| &by.brain).clone();
    note(run, tape, completion, Some(brain));
    Ok(())
}

/// What a command means: its call first, then the call's output as the answer. No brain takes part.
fn of_command(run: &Run, command: &ToolCommand, turn: &TurnState) -> Completion {
    match turn.calls.first() {
        None => match arguments_of(command, &run.parts) {
            Ok(arguments) => Completion::call(command.name.as_str(), arguments),
            // It could be run when the message came; the tools changed since.
            Err(error) => Completion::text(error.to_string()),
        },
        Some(state) => {
            let output = match &state.progress {
                Progress::Closed { content, .. } => content.as_str(),
                _ => "",
            };
            Completion::text(format!("[{}:{}]\n{output}", command.kind.name(), state.call.name))
        }
    }
}

/// The arguments of a command's call.
pub(super) fn arguments_of(command: &ToolCommand, parts: &Parts) -> Result<Value, TurnError> {
    let tools = parts.hands.tools();
    let (kind, name) = (command.kind, &command.name);
    // A skill is a tool too; a tool is no skill.
    let fits = |spec: &&ToolSpec| kind == ToolKind::Tool || spec.kind == ToolKind::Skill;
    if let Some(spec) = tools.iter().filter(fits).find(|spec| spec.name == *name) {
        return Ok(command.arguments(spec)?);
    }
    if kind == ToolKind::Skill
        && let Some(why) = parts.refreshed.iter().find_map(|hands| hands.missing_skill(name))
    {
        return Err(TurnError::UnusableSkill { name: name.clone(), why });
    }
    let available: Vec<&str> = tools.iter().filter(fits).map(|spec| spec.name.as_str()).collect();
    Err(TurnError::UnknownTool { kind, name: name.clone(), available: some_of(&available) })
}

/// The first of `names`, and how many more there are.
fn some_of(names: &[&str]) -> String {
    let (told, untold) = names.split_at(names.len().min(NAMES_TOLD_MAX));
    let told = told.join(", ");
    if untold.is_empty() { told } else { format!("{told} and {} more", untold.len()) }
}

async fn ask(run: &mut Run, tape: &mut Tape, id: TurnId, turn: &TurnState) -> Result<Completion, TurnError> {
    let parts = std::sync::Arc::clone(&run.parts);
    let brain = parts.brain.info();
    let tools = parts.hands.tools();
    let (fixed, cached) = parts.prompt.static_part(brain, &tools);
    run.log.prompted(cached);
    tape.read_back_for_prompt(fixed.room()).await?;
    if !brain.free {
        parts.barrier(tape, run.deadline).await?;
    }
    if let Some(fold) = compact::plan(&tape.lines, fixed.room()) {
        let through = fold.through;
        let content = compact::summarise(run, &fold, id.clone()).await;
        tape.push(Event::Summary { content, through });
    }
    let pinned = builtin::pinned(&*parts.store).await?;
    let pinned: Vec<String> = pinned.into_iter().map(|note| note.text).collect();
    // What led to a verdict may have been read only now.
    let again = matches!(turn.opener, Opener::Verdict { .. }).then(|| tape.turn()).flatten();
    let seen = &again.as_ref().unwrap_or(turn).seen;
    let messages = fixed.assemble(&pinned, &tape.lines, seen).map_err(|TooLong { needed, available }| {
        TurnError::PromptTooLong { brain: brain.name.clone(), needed, available }
    })?;
    if !brain.free {
        parts.barrier(tape, run.deadline).await?;
    }
    let request = CompletionRequest { messages, tools, deadline: run.deadline, lane: run.lane, turn: Some(id) };
    let completion = tokio::select! {
        biased;
        answer = parts.brain.complete(&request, &run.deltas) => answer,
        () = parts.clock.sleep_until(run.deadline) => Err(BrainError::DeadlineExceeded { brain: brain.name.clone() }),
    };
    run.log.asked(&completion);
    let completion = completion?;
    if completion.calls.is_empty() && completion.content.trim().is_empty() {
        let detail = "an empty answer".to_owned();
        let brain = completion.by.map_or_else(|| brain.name.clone(), |by| by.brain);
        return Err(BrainError::Malformed { brain, detail }.into());
    }
    Ok(completion)
}

fn note(run: &Run, tape: &mut Tape, completion: Completion, brain: Option<String>) {
    let ids: [u8; 8] = random(&*run.parts.entropy);
    let asked = completion.calls.len();
    if asked > CALLS_PER_COMPLETION_MAX {
        tracing::warn!(asked, kept = CALLS_PER_COMPLETION_MAX, "a completion asked for too many calls");
    }
    let calls = completion.calls.into_iter().take(CALLS_PER_COMPLETION_MAX).enumerate();
    let calls = calls.map(|(index, call)| ToolCall {
        id: CallId::mint(ids, index),
        name: call.name,
        arguments: call.arguments,
    });
    let content = completion.content;
    tape.push(Event::Assistant {
        content,
        calls: calls.collect(),
        brain,
        tried: completion.tried,
        usage: completion.usage,
    });
}
