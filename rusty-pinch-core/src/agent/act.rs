//! One call: judged, asked about or run, and its outcome noted.

use std::sync::Arc;
use std::time::Duration;

use super::Parts;
use super::approval::{self, Question};
use super::history::TurnState;
use super::limits::OUTCOME_BYTES_MAX;
use super::origin::origin;
use super::policy::{CallOrigin, Judgement, judge};
use super::prompt::shorten;
use super::reply::TurnError;
use super::tape::Tape;
use super::turn::command_of;
use crate::data::{ApprovalToken, CallOutcome, OutcomeStatus, Timestamp, ToolCall};
use crate::hands::{Assessment, Bound, HandsError, Invocation, Repeat, Risk, ToolSpec, unknown_tool};
use crate::store::Event;
use crate::sys::random;

/// How long after the deadline hands are given to say that they stopped.
const DEADLINE_GRACE: Duration = Duration::from_millis(250);

/// A call that may run, and under what.
struct Cleared {
    repeat: Repeat,
    assessment: Assessment,
    token: Option<ApprovalToken>,
}

impl Parts {
    /// Judges a call and runs it, asks about it, or closes it.
    pub(super) async fn act(
        &self,
        tape: &mut Tape,
        turn: &TurnState,
        call: &ToolCall,
        deadline: Timestamp,
    ) -> Result<(), TurnError> {
        let tools = self.hands.tools();
        let Some(spec) = tools.iter().find(|spec| spec.name.as_str() == call.name) else {
            // Not even the hands are asked: they may have a tool by now that nobody judged.
            close(tape, call, unknown_tool(&call.name, &tools));
            return Ok(());
        };
        let assessment = match self.assess(call, deadline).await {
            Ok(assessment) => assessment,
            Err(error) => {
                close(tape, call, outcome_of(&error, Repeat::ReadOnly));
                return Ok(());
            }
        };
        let cleared = match turn.approval_of(call) {
            Some(token) => self.redeem(tape, spec, call, assessment, token).await?,
            None => self.clear(tape, turn, &tools, call, assessment).await?,
        };
        if let Some(cleared) = cleared {
            self.run(tape, call, cleared, deadline).await?;
        }
        Ok(())
    }

    async fn assess(&self, call: &ToolCall, deadline: Timestamp) -> Result<Assessment, HandsError> {
        tokio::select! {
            biased;
            assessed = self.hands.assess(call) => assessed,
            () = self.clock.sleep_until(deadline) => {
                let why = "it could not be judged in time".to_owned();
                Err(HandsError::NotStarted { tool: call.name.clone(), why })
            }
        }
    }

    /// Asks the policy. Whatever it does not allow is closed or parked here.
    async fn clear(
        &self,
        tape: &mut Tape,
        turn: &TurnState,
        tools: &Arc<[ToolSpec]>,
        call: &ToolCall,
        assessment: Assessment,
    ) -> Result<Option<Cleared>, TurnError> {
        let Some(spec) = tools.iter().find(|spec| spec.name.as_str() == call.name) else { return Ok(None) };
        let origin = self.origin(tape, turn, tools, call, spec.risk.max(assessment.risk)).await?;
        match judge(spec, call, &assessment, &origin, &self.grants) {
            Judgement::Allow => Ok(Some(Cleared { repeat: spec.repeat, assessment, token: None })),
            Judgement::Deny(why) => {
                close(tape, call, CallOutcome { status: OutcomeStatus::Refused, content: why });
                Ok(None)
            }
            Judgement::Ask(why) => {
                self.park(tape, turn, spec, call, &assessment, why).await?;
                Ok(None)
            }
        }
    }

    /// Who is behind a call, where that can make a difference: for what can do no harm, and for what a person typed, it is
    /// not looked up.
    async fn origin(
        &self,
        tape: &mut Tape,
        turn: &TurnState,
        tools: &Arc<[ToolSpec]>,
        call: &ToolCall,
        risk: Risk,
    ) -> Result<CallOrigin, TurnError> {
        if risk < Risk::Medium {
            return Ok(CallOrigin::Model);
        }
        if command_of(turn).is_some() {
            return Ok(CallOrigin::Owner);
        }
        // After a restart the lines that the model has read are not at hand yet.
        tape.read_back_for_prompt(self.prompt.room(self.brain.info(), tools)).await?;
        Ok(origin(turn, call, tools, &tape.lines))
    }

    /// Records the approval, then says in the journal that the call waits and that the calls behind it do not run.
    async fn park(
        &self,
        tape: &mut Tape,
        turn: &TurnState,
        spec: &ToolSpec,
        call: &ToolCall,
        assessment: &Assessment,
        why: String,
    ) -> Result<(), TurnError> {
        tape.flush().await?;
        let question = Question {
            session: &tape.session,
            spec,
            call,
            assessment,
            why,
            journal_end: tape.end(),
            now: self.clock.now(),
            valid_for: self.limits.approval_time_max,
            random: random(&*self.entropy),
        };
        let approval = approval::ask(&*self.store, question).await?;
        if approval.decision.is_some() || self.clock.now() >= approval.expires {
            // Asked before a crash, and over by now: nobody could approve it any more.
            let content = format!("its approval ended at {}; ask for the action again", approval.expires);
            close(tape, call, CallOutcome { status: OutcomeStatus::Refused, content });
            return Ok(());
        }
        tape.push(Event::Asked { call: call.id.clone(), token: approval.token, content: approval.summary });
        let behind = turn.calls.iter().map(|state| &state.call).skip_while(|other| other.id != call.id).skip(1);
        for other in behind {
            let content = "a call before it waits for an approval".to_owned();
            close(tape, other, CallOutcome { status: OutcomeStatus::Skipped, content });
        }
        Ok(())
    }

    /// Checks that an approved call is still the one that was approved. If not, it is closed and nothing runs.
    async fn redeem(
        &self,
        tape: &mut Tape,
        spec: &ToolSpec,
        call: &ToolCall,
        assessment: Assessment,
        token: &ApprovalToken,
    ) -> Result<Option<Cleared>, TurnError> {
        let refusal = match approval::find(&*self.store, token).await? {
            None => Some("its approval is gone; ask for the action again".to_owned()),
            Some((approval, _)) if !approval.is_approved() => Some("it was not approved".to_owned()),
            Some((approval, _)) if self.clock.now() >= approval.expires => {
                Some(format!("its approval ended at {}; ask for the action again", approval.expires))
            }
            Some((approval, _)) if approval.digest != approval::digest(&tape.session, spec, call, &assessment) => {
                Some("what it would do is no longer what was approved; ask for the action again".to_owned())
            }
            Some((approval, _)) if tape.may_have_begun(token, approval.journal_end).await? => {
                Some("it may have run under this approval before; look whether it took effect".to_owned())
            }
            // Who is behind it was the approver's to weigh; what is denied stays denied.
            Some(_) => match judge(spec, call, &assessment, &CallOrigin::Owner, &self.grants) {
                Judgement::Deny(why) => Some(why),
                Judgement::Allow | Judgement::Ask(_) => None,
            },
        };
        if let Some(content) = refusal {
            close(tape, call, CallOutcome { status: OutcomeStatus::Refused, content });
            return Ok(None);
        }
        Ok(Some(Cleared { repeat: spec.repeat, assessment, token: Some(token.clone()) }))
    }

    /// Runs a call, behind the barrier that its class needs.
    async fn run(
        &self,
        tape: &mut Tape,
        call: &ToolCall,
        cleared: Cleared,
        deadline: Timestamp,
    ) -> Result<(), TurnError> {
        let Cleared { repeat, assessment, token } = cleared;
        let leaves_a_mark = repeat == Repeat::Once || token.is_some();
        if leaves_a_mark {
            // Before the mark: a call that only came too late has not begun.
            self.in_time(deadline)?;
            tape.push(Event::Started { call: call.id.clone(), token });
        }
        // Reading again, for a brain that asks the same again, loses nothing when the process dies here.
        if leaves_a_mark || repeat != Repeat::ReadOnly || !self.brain.info().free {
            let passed = self.barrier(tape, deadline).await;
            if let (Err(TurnError::DeadlineExceeded { .. }), true) = (&passed, leaves_a_mark) {
                let content = "the turn's time was over before it began".to_owned();
                close(tape, call, CallOutcome { status: OutcomeStatus::Skipped, content });
            }
            passed?;
        }
        let repeat = if leaves_a_mark { Repeat::Once } else { repeat };
        let outcome = self.invoke(tape, call, repeat, &assessment.bound, deadline).await;
        close(tape, call, outcome);
        Ok(())
    }

    async fn invoke(
        &self,
        tape: &Tape,
        call: &ToolCall,
        repeat: Repeat,
        bound: &[Bound],
        deadline: Timestamp,
    ) -> CallOutcome {
        let invocation =
            Invocation { session: tape.session.clone(), call: call.clone(), bound: bound.to_vec(), deadline };
        let ended = tokio::select! {
            biased;
            ended = self.hands.invoke(&invocation) => ended,
            () = self.clock.sleep_until(deadline + DEADLINE_GRACE) => {
                Err(HandsError::Lost { tool: call.name.clone(), why: "it did not end in time".to_owned() })
            }
        };
        let mut outcome = ended.unwrap_or_else(|error| outcome_of(&error, repeat));
        shorten(&mut outcome.content, OUTCOME_BYTES_MAX);
        outcome
    }

    /// The calls of a turn that a new message interrupts: what may run again does, the rest is closed.
    pub(super) async fn close_interrupted(
        &self,
        tape: &mut Tape,
        call: &ToolCall,
        deadline: Timestamp,
    ) -> Result<(), TurnError> {
        let tools = self.hands.tools();
        let repeatable = tools.iter().find(|spec| spec.name.as_str() == call.name && spec.repeat != Repeat::Once);
        if let (Some(spec), Ok(assessment), Some(turn)) = (repeatable, self.assess(call, deadline).await, tape.turn())
            && let origin = self.origin(tape, &turn, &tools, call, spec.risk.max(assessment.risk)).await?
            && judge(spec, call, &assessment, &origin, &self.grants) == Judgement::Allow
        {
            return self.run(tape, call, Cleared { repeat: spec.repeat, assessment, token: None }, deadline).await;
        }
        let content = "the turn was interrupted before it began".to_owned();
        close(tape, call, CallOutcome { status: OutcomeStatus::Skipped, content });
        Ok(())
    }
}

/// Notes what came of a call.
pub(super) fn close(tape: &mut Tape, call: &ToolCall, outcome: CallOutcome) {
    tape.push(Event::Tool { call: call.id.clone(), name: call.name.clone(), outcome });
}

fn outcome_of(error: &HandsError, repeat: Repeat) -> CallOutcome {
    let status = match (error, repeat) {
        (HandsError::Lost { .. }, Repeat::Once) => OutcomeStatus::Unknown,
        _ => OutcomeStatus::Failed,
    };
    CallOutcome { status, content: error.to_string() }
}
