//! Running one turn for a person or a script, and saying what came of it.

use rusty_pinch_core::{
    Approval, Event, JournalId, OutcomeStatus, Reply, SessionId, Span, ToolName, Tried, Turn, TurnPath, TurnReport,
    TurnStatus, Verdict,
};
use serde_json::{Value, json};

use crate::failure::{Code, Failure};
use crate::output::Output;
use crate::preview::Preview;
use crate::program::Runtime;

/// Entries of a turn that are looked at to tell why its command failed.
const ENTRIES_LOOKED_AT: usize = 16;

/// A turn that ended, or was interrupted by the person.
pub(crate) struct Ended {
    report: Option<TurnReport>,
    /// What a terminal shows of the answer already.
    shown: String,
    /// Whether a tool's output is printed without the line that names the tool.
    is_bare: bool,
    /// Whether it carried out what a person said to a call.
    is_of_verdict: bool,
}

/// Runs `turn`, previewing its answer on a terminal, until it ends or Ctrl-C is pressed.
///
/// An interrupted turn is dropped: what is durable by then stays, and `resume` goes on.
pub(crate) async fn run(turn: Turn, output: &Output) -> Ended {
    let preview = (output.is_terminal && !output.json).then(Preview::start);
    let turn = match &preview {
        Some(preview) => turn.deltas(preview.sink()),
        None => turn,
    };
    let report = tokio::select! {
        report = turn.report() => Some(report),
        () = interrupted() => None,
    };
    let shown = preview.map(Preview::finish).unwrap_or_default();
    Ended { report, shown, is_bare: false, is_of_verdict: false }
}

/// Waits for Ctrl-C; for ever where the system can't tell.
pub(crate) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What a turn came to, in words and as JSON.
#[derive(Debug)]
pub(crate) struct Conclusion {
    pub(crate) code: Code,
    pub(crate) text: String,
    pub(crate) json: Value,
    pub(crate) approval: Option<Box<Approval>>,
    /// That another provider than the first one answered, and why.
    instead: Option<String>,
    /// That the call that was approved was refused or failed.
    missed: Option<Failure>,
}

/// That another provider than the first answered, for people: they should know whose answer it is.
fn stood_in(provider: &str, tried: &[Tried]) -> Option<String> {
    let first = tried.iter().find(|tried| tried.who.brain != provider)?;
    Some(format!("`{provider}` answered, because `{}` did not: {}", first.who.brain, first.why))
}

/// Sorts a report into a conclusion or a failure.
async fn conclude(runtime: &Runtime, report: TurnReport) -> Result<Conclusion, Failure> {
    let record = report.record;
    let is_stored = report.position.is_some();
    let failure = |error| Failure::of_turn(record.request_id.clone(), &record.session_id, &error, is_stored);
    let reply = report.reply.map_err(failure)?;
    let (status, code) = match &reply {
        Reply::NeedsApproval(_) => ("needs_approval", Code::NeedsApproval),
        Reply::Stopped(why) => {
            let error = format!("turn {} in session `{}` was stopped: {why}", record.request_id, record.session_id);
            return Err(Failure::new(Code::Failed, error, Some("say what to do differently, or ask for less")));
        }
        // A tool or skill that a person named is the whole turn: its failure is the turn's.
        Reply::Said(_) if record.status == TurnStatus::Error && record.path != TurnPath::Provider => {
            match report.position {
                Some(at) if was_refused(runtime, &record.session_id, Span::From(at, ENTRIES_LOOKED_AT)).await => {
                    ("refused", Code::Refused)
                }
                _ => ("failed", Code::Failed),
            }
        }
        _ => ("ok", Code::Done),
    };
    let text = reply.to_string();
    let approval = match reply {
        Reply::NeedsApproval(approval) => Some(approval),
        _ => None,
    };
    let record = record.redacted(&runtime.output.redactor);
    let instead = stood_in(&record.provider, &record.tried);
    let json = json!({"status": status, "reply": text, "approval": approval, "turn": record});
    Ok(Conclusion { code, text, json, approval, instead, missed: None })
}

/// The same for a turn that carried out a verdict: what came of the call counts, whatever was said about it.
async fn conclude_verdict(runtime: &Runtime, report: TurnReport) -> Result<Conclusion, Failure> {
    let missed = match report.position {
        Some(at) => missed(runtime, &report.record.session_id, Span::From(at, ENTRIES_LOOKED_AT)).await,
        None => None,
    };
    let concluded = conclude(runtime, report).await;
    let Some(missed) = missed else { return concluded };
    let Ok(mut conclusion) = concluded else {
        runtime.output.complain(&missed);
        return concluded;
    };
    if conclusion.code == Code::Done {
        conclusion.code = missed.code();
        let status = if conclusion.code == Code::Refused { "refused" } else { "failed" };
        conclusion.json["status"] = status.into();
    }
    conclusion.missed = Some(missed);
    Ok(conclusion)
}

/// That the call whose approval opened the turn in `span` was refused or failed.
async fn missed(runtime: &Runtime, session: &str, span: Span) -> Option<Failure> {
    let session = SessionId::new(session).ok()?;
    let page = runtime.agent.store().read(&JournalId::from(&session), span).await.ok()?;
    let mut entries = page.entries();
    let Event::Decided { verdict: Verdict::Approved, call: approved, .. } = &entries.next()?.event else {
        return None;
    };
    let outcome = entries.find_map(|entry| match &entry.event {
        Event::Tool { call, outcome, .. } if *call == approved.id => Some(outcome),
        _ => None,
    })?;
    let (code, did_what) = match outcome.status {
        OutcomeStatus::Ok => return None,
        OutcomeStatus::Refused => (Code::Refused, "was refused"),
        _ => (Code::Failed, "failed"),
    };
    let error = format!("the approved call of `{}` {did_what}: {}", approved.name, outcome.content);
    Some(Failure::new(code, error, None))
}

async fn was_refused(runtime: &Runtime, session: &str, span: Span) -> bool {
    let Ok(session) = SessionId::new(session) else { return false };
    let Ok(page) = runtime.agent.store().read(&JournalId::from(&session), span).await else { return false };
    page.entries()
        .any(|entry| matches!(&entry.event, Event::Tool { outcome, .. } if outcome.status == OutcomeStatus::Refused))
}

impl Conclusion {
    /// Tells a person that another provider than the first answered; scripts have the turn's line.
    pub(crate) fn tell_stand_in(&self, output: &Output) {
        if let Some(instead) = self.instead.as_deref().filter(|_| output.tells_people) {
            output.warning(instead);
        }
    }

    /// Tells that the call that was approved was refused or failed.
    pub(crate) fn tell_missed(&self, output: &Output) {
        if let Some(missed) = &self.missed {
            output.complain(missed);
        }
    }

    /// Tells on standard error who stood in, and that the tool of the turn failed, which is an answer too.
    pub(crate) fn complain(&self, output: &Output) {
        self.tell_stand_in(output);
        if self.missed.is_some() {
            return self.tell_missed(output);
        }
        let did_what = match self.code {
            Code::Failed => "failed",
            Code::Refused => "was refused",
            _ => return,
        };
        let (kind, name, why) = tool_output(&self.text).unwrap_or(("tool", "?", &self.text));
        let whose = format!("the {kind} `{name}` ");
        // A skill that failed says so itself, with its name.
        let says_so = why.get(..whose.len()).is_some_and(|start| start.eq_ignore_ascii_case(&whose));
        let error = if says_so { why.to_owned() } else { format!("{whose}{did_what}: {why}") };
        // What ran says itself what can be done; wrong names and arguments are told before anything runs.
        output.complain(&Failure::new(self.code, error, None));
    }
}

impl Conclusion {
    /// How a call that waits goes on.
    fn hint(&self, output: &Output) {
        if let Some(approval) = &self.approval {
            let token = &approval.token;
            output.hint(&format!("`rusty-pinch approvals approve --token {token}` runs it, `reject` refuses it"));
        }
    }
}

/// `tool` or `skill`, its name and what it said, of the answer to a `/tool` or `/skill` command.
pub(crate) fn tool_output(text: &str) -> Option<(&'static str, &str, &str)> {
    ["tool", "skill"].into_iter().find_map(|kind| {
        let rest = text.strip_prefix('[')?.strip_prefix(kind)?.strip_prefix(':')?;
        let (name, output) = rest.split_once("]\n")?;
        Some((kind, name, output))
    })
}

impl Ended {
    /// Leaves out the line that names the tool.
    pub(crate) fn bare(self) -> Self {
        Self { is_bare: true, ..self }
    }

    /// Says that the turn carried out a verdict, so that what came of the approved call decides the exit code.
    pub(crate) fn of_verdict(self) -> Self {
        Self { is_of_verdict: true, ..self }
    }

    /// Sorts the turn's report, once, into a conclusion or a failure; none when the turn was interrupted.
    pub(crate) async fn conclude(&mut self, runtime: &Runtime) -> Option<Result<Conclusion, Failure>> {
        let report = self.report.take()?;
        Some(match self.is_of_verdict {
            true => conclude_verdict(runtime, report).await,
            false => conclude(runtime, report).await,
        })
    }

    /// Prints what the turn came to, for verbs that run one turn, and gives the exit code. An interrupted turn goes on
    /// with the command `go_on`.
    pub(crate) async fn print(mut self, runtime: &Runtime, go_on: &str) -> Result<Code, Failure> {
        let output = &runtime.output;
        let Some(concluded) = self.conclude(runtime).await else {
            return Err(interrupted_before(go_on));
        };
        let conclusion = match concluded {
            Ok(conclusion) => conclusion,
            Err(failure) => {
                if !self.shown.is_empty() {
                    // The error begins on a line of its own.
                    output.text("\n")?;
                }
                return Err(failure);
            }
        };
        if output.json {
            output.json(&conclusion.json)?;
        } else {
            let text = conclusion.text.as_str();
            let text = tool_output(text).filter(|_| self.is_bare).map_or(text, |(_, _, output)| output);
            output.text(&rest(&self.shown, text))?;
        }
        conclusion.complain(output);
        conclusion.hint(output);
        Ok(conclusion.code)
    }

    /// Prints what a skill gave, as `skills run` does: to programs as JSON.
    pub(crate) async fn print_skill(
        mut self,
        runtime: &Runtime,
        skill: &ToolName,
        go_on: &str,
    ) -> Result<Code, Failure> {
        if !runtime.output.data_as_json() {
            return self.bare().print(runtime, go_on).await;
        }
        let output = &runtime.output;
        let Some(concluded) = self.conclude(runtime).await else { return Err(interrupted_before(go_on)) };
        let conclusion = concluded?;
        let text = tool_output(&conclusion.text).map_or(conclusion.text.as_str(), |(_, _, output)| output);
        output.json(&json!({"output": text, "skill": skill, "status": conclusion.json["status"]}))?;
        conclusion.complain(output);
        conclusion.hint(output);
        Ok(conclusion.code)
    }

    /// What a terminal still has to show of `text`.
    pub(crate) fn rest_of(&self, text: &str) -> String {
        rest(&self.shown, text)
    }
}

fn interrupted_before(go_on: &str) -> Failure {
    let fix = format!("{go_on} goes on with what is stored");
    Failure::new(Code::Interrupted, "interrupted; the turn did not end", Some(&fix))
}

/// What is left to print when `shown` stands on the terminal already.
fn rest(shown: &str, text: &str) -> String {
    if shown.is_empty() {
        return text.to_owned();
    }
    if shown.trim_end().ends_with(text.trim_end()) {
        return if shown.ends_with('\n') { String::new() } else { "\n".to_owned() };
    }
    format!("\n{text}")
}

#[cfg(test)]
mod tests {
    use rusty_pinch_core::{Answerer, Tried};

    use super::{rest, stood_in};

    #[test]
    fn a_person_is_told_who_stood_in_and_not_of_accounts_of_who_answered() {
        let tried = |brain: &str, why: &str| Tried {
            who: Answerer { brain: brain.into(), model: "m".into(), account: None },
            why: why.into(),
        };
        let all = [tried("codex", "it is down"), tried("groq", "it is slow")];
        let told = stood_in("local", &all);
        assert_eq!(told.as_deref(), Some("`local` answered, because `codex` did not: it is down"));
        assert_eq!(stood_in("codex", &all[..1]), None, "another account of the same provider");
        assert_eq!(stood_in("codex", &[]), None);
    }

    #[test]
    fn an_answer_is_shown_once() {
        for (shown, text, left) in [
            ("", "hello", "hello"),
            ("hello", "hello", "\n"),
            ("let me see\nhello", "hello", "\n"),
            ("hel", "hello", "\nhello"),
        ] {
            assert_eq!(rest(shown, text), left, "{shown:?}");
        }
    }
}
