//! One turn: from a message, a verdict or an interrupted journal to a reply.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::act::close;
use super::approval::{self, ApprovalError};
use super::history::{Opener, Progress, TurnEnd, TurnState};
use super::limits::RACES_MAX;
use super::next_step::{Step, next_step};
use super::record::Log;
use super::reply::{Reply, TurnError, TurnReport, check_message};
use super::tape::Tape;
use super::{Agent, Parts, think};
use crate::brain::{Delta, Deltas, Lane};
use crate::data::{ApprovalToken, CallOutcome, IdError, OutcomeStatus, SessionId, Timestamp};
use crate::hands::ToolCommand;
use crate::store::{Event, Position, StoreError};

/// A turn that is about to run: `await` it for the reply, or [`report`](Self::report) for all that is known about it.
///
/// Dropping it at any moment is safe: what is durable by then stays, and [`resume`](Agent::resume) goes on.
#[must_use = "a turn does nothing until it is awaited"]
pub struct Turn {
    agent: Agent,
    work: Work,
    deltas: Deltas,
    lane: Lane,
    time_max: Duration,
}

pub(super) enum Work {
    Message { session: Result<SessionId, IdError>, text: String, origin: Option<Origin> },
    Resume { session: Result<SessionId, IdError> },
    Settle { token: ApprovalToken },
}

/// Where a message came from, for senders that may send it again.
pub(super) struct Origin {
    key: String,
    since: Position,
}

impl Turn {
    pub(super) fn new(agent: Agent, work: Work) -> Self {
        let time_max = agent.parts.limits.turn_time_max;
        Self { agent, work, deltas: Deltas::none(), lane: Lane::Interactive, time_max }
    }

    /// Previews the answer through `sink`, which must return at once.
    pub fn deltas(mut self, sink: impl Fn(Delta<'_>) + Send + Sync + 'static) -> Self {
        self.deltas = Deltas::new(sink);
        self
    }

    /// Says who waits for the answer.
    pub fn lane(mut self, lane: Lane) -> Self {
        self.lane = lane;
        self
    }

    /// Bounds this turn to `time`, instead of the agent's own bound.
    pub fn time_max(mut self, time: Duration) -> Self {
        self.time_max = time;
        self
    }

    /// Makes the message's turn happen once, however often it is asked for with this `key`: if a turn with the key was
    /// opened at or after `since`, that one is carried on, or its reply given again.
    pub fn once(mut self, key: impl Into<String>, since: Position) -> Self {
        if let Work::Message { origin, .. } = &mut self.work {
            *origin = Some(Origin { key: key.into(), since });
        }
        self
    }

    /// Runs the turn and tells everything about it.
    pub async fn report(self) -> TurnReport {
        let parts = Arc::clone(&self.agent.parts);
        let mut run = Run {
            deadline: parts.clock.now() + self.time_max,
            deltas: self.deltas,
            lane: self.lane,
            log: Log::begin(&parts, &self.work),
            position: None,
            parts,
        };
        // Before anything is judged: whatever was changed since the last turn is what counts from here on.
        run.parts.refresh().await;
        let reply = match self.work {
            Work::Message { session, text, origin } => run.message(session, text, origin).await,
            Work::Resume { session } => run.resume(session).await,
            Work::Settle { token } => run.settle(&token).await,
        };
        let record = run.log.finish(&run.parts, &reply);
        // A turn with nothing to do was none.
        if let Some(observer) = run.parts.observer.as_ref().filter(|_| !matches!(reply, Ok(Reply::Idle))) {
            observer.turn(&record);
        }
        TurnReport { reply, position: run.position, record }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("lane", &self.lane).field("time_max", &self.time_max).finish_non_exhaustive()
    }
}

impl IntoFuture for Turn {
    type Output = Result<Reply, TurnError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.report().await.reply })
    }
}

/// A turn that runs.
pub(super) struct Run {
    pub(super) parts: Arc<Parts>,
    pub(super) deadline: Timestamp,
    pub(super) deltas: Deltas,
    pub(super) lane: Lane,
    pub(super) log: Log,
    position: Option<Position>,
}

impl Run {
    async fn message(
        &mut self,
        session: Result<SessionId, IdError>,
        text: String,
        origin: Option<Origin>,
    ) -> Result<Reply, TurnError> {
        let session = session?;
        check_message(&text, self.parts.limits.message_bytes_max)?;
        if let Some(parsed) = ToolCommand::parse(&text) {
            // Refused before anything is stored, as every other message that can't be taken.
            think::arguments_of(&parsed?, &self.parts)?;
        }
        let tape = Tape::open(&self.parts, &session, self.deadline).await?;
        let (key, since) = origin.map(|Origin { key, since }| (key, since)).unzip();
        let opening = Event::User { content: text, key: key.clone() };
        let same = |event: &Event| matches!(event, Event::User { key: found @ Some(_), .. } if *found == key);
        self.open_once(tape, since, same, &opening).await
    }

    async fn resume(&mut self, session: Result<SessionId, IdError>) -> Result<Reply, TurnError> {
        let tape = Tape::open(&self.parts, &session?, self.deadline).await?;
        match tape.turn() {
            Some(TurnState { end: None, opened_at, .. }) => {
                self.position = Some(opened_at);
                self.drive(tape).await
            }
            _ => Ok(Reply::Idle),
        }
    }

    /// Carries a verdict out. Whatever happened to it before is in the journal, from where the approval says on.
    async fn settle(&mut self, token: &ApprovalToken) -> Result<Reply, TurnError> {
        let found = approval::find(&*self.parts.store, token).await.map_err(ApprovalError::from)?;
        let Some((approval, _)) = found else {
            return Err(ApprovalError::NotFound { token: token.clone() }.into());
        };
        self.log.session(&approval.session);
        let Some(decision) = approval.decision else {
            return Err(ApprovalError::Undecided { token: token.clone() }.into());
        };
        let tape = Tape::open(&self.parts, &approval.session, self.deadline).await?;
        let opening = Event::Decided {
            token: token.clone(),
            verdict: decision.verdict,
            call: approval.call,
            content: decision.reason,
        };
        let same = |event: &Event| matches!(event, Event::Decided { token: found, .. } if found == token);
        let reply = self.open_once(tape, Some(approval.journal_end), same, &opening).await?;
        approval::settled(&*self.parts.store, token).await?;
        Ok(reply)
    }

    /// Opens a turn and runs it, or goes on with the one that was opened from `since` on.
    ///
    /// An append of a dropped turn may land late, even the opening of this one. Nothing that must not repeat happened
    /// yet, so whoever loses that race looks again from the start.
    async fn open_once(
        &mut self,
        mut tape: Tape,
        since: Option<Position>,
        same: impl Fn(&Event) -> bool,
        opening: &Event,
    ) -> Result<Reply, TurnError> {
        let mut races = 0;
        loop {
            if let Some(since) = since
                && let Some(turn) = tape.find_turn(since, &same).await?
            {
                return self.follow(tape, &turn).await;
            }
            let opened = match self.close_previous(&mut tape).await {
                Ok(()) => tape.open_turn(opening).await.map_err(TurnError::from),
                Err(error) => Err(error),
            };
            match opened {
                Ok(at) => {
                    self.position = Some(at);
                    return self.drive(tape).await;
                }
                Err(TurnError::Store(StoreError::Moved { .. })) if races < RACES_MAX => {
                    races += 1;
                    tape.reread().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes on with a turn that was opened before.
    async fn follow(&mut self, tape: Tape, turn: &TurnState) -> Result<Reply, TurnError> {
        self.position = Some(turn.opened_at);
        let is_latest = tape.turn().is_some_and(|latest| latest.opened_at == turn.opened_at);
        match &turn.end {
            Some(TurnEnd::Answer(text)) => Ok(Reply::Said(text.clone())),
            Some(TurnEnd::Stopped(why)) => Ok(Reply::Stopped(why.clone())),
            Some(TurnEnd::Parked(token)) => self.parked(token).await,
            None if is_latest => self.drive(tape).await,
            None => Ok(Reply::Stopped("another turn began before it was answered".to_owned())),
        }
    }

    async fn parked(&self, token: &ApprovalToken) -> Result<Reply, TurnError> {
        match approval::find(&*self.parts.store, token).await? {
            Some((approval, _)) => Ok(Reply::NeedsApproval(Box::new(approval))),
            None => Err(ApprovalError::NotFound { token: token.clone() }.into()),
        }
    }

    /// Leaves no call of an interrupted turn without a result.
    async fn close_previous(&self, tape: &mut Tape) -> Result<(), TurnError> {
        loop {
            let turn = tape.turn();
            match next_step(turn.as_ref(), &self.parts.limits) {
                Step::Repair(call) => self.repair(tape, &call).await?,
                Step::Stop(why) => self.stop(tape, why),
                Step::Act(call) => match turn.filter(|turn| turn.approval_of(&call).is_some()) {
                    // A person said yes to it: the next message does not take that back.
                    Some(turn) => self.parts.act(tape, &turn, &call, self.deadline).await?,
                    None => self.parts.close_interrupted(tape, &call, self.deadline).await?,
                },
                Step::Think | Step::Idle | Step::Ask(_) | Step::Answer(_) | Step::Stopped(_) => break,
            }
        }
        Ok(tape.flush().await?)
    }

    /// Runs the turn to its end. Whatever is known when it fails is written down.
    async fn drive(&mut self, mut tape: Tape) -> Result<Reply, TurnError> {
        let reply = self.steps(&mut tape).await;
        match reply {
            Err(TurnError::Store(_)) => {}
            // A failed flush here changes nothing: the turn failed already, and repeats what is missing.
            Err(_) => drop(tape.flush().await),
            Ok(_) => tape.flush().await?,
        }
        reply
    }

    async fn steps(&mut self, tape: &mut Tape) -> Result<Reply, TurnError> {
        loop {
            let turn = tape.turn();
            match (next_step(turn.as_ref(), &self.parts.limits), turn) {
                (Step::Repair(call), _) => self.repair(tape, &call).await?,
                (Step::Stop(why), _) => self.stop(tape, why),
                (Step::Act(call), Some(turn)) => {
                    self.log.tool(&call.name);
                    self.parts.act(tape, &turn, &call, self.deadline).await?;
                }
                (Step::Think, Some(turn)) => think::think(self, tape, &turn).await?,
                (Step::Ask(token), _) => return self.parked(&token).await,
                (Step::Answer(text), turn) => {
                    self.log.answered(turn.as_ref());
                    return Ok(Reply::Said(text));
                }
                (Step::Stopped(why), _) => return Ok(Reply::Stopped(why)),
                (Step::Idle | Step::Act(_) | Step::Think, _) => return Ok(Reply::Idle),
            }
        }
    }

    /// Closes a call that began and whose end is not in the journal, before anything else happens.
    async fn repair(&self, tape: &mut Tape, call: &crate::data::ToolCall) -> Result<(), TurnError> {
        let content = "the program ended while it ran; whether it took effect has to be looked up".to_owned();
        close(tape, call, CallOutcome { status: OutcomeStatus::Unknown, content });
        Ok(tape.flush().await?)
    }

    fn stop(&self, tape: &mut Tape, why: String) {
        if let Some(turn) = tape.turn() {
            let (status, content) = if turn.damaged.is_some() {
                (OutcomeStatus::Unknown, "a line that can't be read may have said that it began")
            } else {
                (OutcomeStatus::Skipped, "the turn was stopped before it began")
            };
            for state in turn.calls.iter().filter(|state| state.progress == Progress::Open) {
                close(tape, &state.call, CallOutcome { status, content: content.to_owned() });
            }
        }
        tape.push(Event::Stopped { content: why });
    }
}

impl Parts {
    /// The one place before every effect: what happened so far is durable, and there is time left.
    pub(super) async fn barrier(&self, tape: &mut Tape, deadline: Timestamp) -> Result<(), TurnError> {
        tape.flush().await?;
        self.in_time(deadline)
    }

    pub(super) fn in_time(&self, deadline: Timestamp) -> Result<(), TurnError> {
        if self.clock.now() < deadline { Ok(()) } else { Err(TurnError::DeadlineExceeded { deadline }) }
    }
}

/// The message that opened the turn, when it is a command.
pub(super) fn command_of(turn: &TurnState) -> Option<ToolCommand> {
    match &turn.opener {
        Opener::Message { text } => ToolCommand::parse(text)?.ok(),
        Opener::Verdict { .. } => None,
    }
}
