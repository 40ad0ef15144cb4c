//! Gathers what the log says about a turn while it runs.

use super::Parts;
use super::history::{Progress, TurnState};
use super::reply::{Reply, TurnError};
use super::turn::{Work, command_of};
use crate::brain::{BrainError, Completion};
use crate::causes::with_causes;
use crate::data::{Answerer, IdError, OutcomeStatus, RequestId, SessionId, Timestamp, Tried};
use crate::hands::{ToolCommand, ToolKind};
use crate::sys::random;
use crate::telemetry::{TurnPath, TurnRecord, TurnStatus};

pub(super) struct Log {
    began: Timestamp,
    request_id: RequestId,
    session: String,
    path: TurnPath,
    user_chars: usize,
    tool: Option<String>,
    attempts: Option<u32>,
    /// Who answered last, where the brain said so.
    by: Option<Answerer>,
    tried: Vec<Tried>,
    cache_hits: u32,
    cache_misses: u32,
    error: Option<String>,
}

fn name(session: &Result<SessionId, IdError>) -> String {
    session.as_ref().map_or_else(|_| String::new(), SessionId::to_string)
}

impl Log {
    pub(super) fn begin(parts: &Parts, work: &Work) -> Self {
        let began = parts.clock.now();
        let (session, text) = match work {
            Work::Message { session, text, .. } => (name(session), text.as_str()),
            Work::Resume { session } => (name(session), ""),
            Work::Settle { .. } => (String::new(), ""),
        };
        let path = match ToolCommand::parse(text) {
            None => TurnPath::Provider,
            Some(Ok(command)) => path_of(command.kind),
            Some(Err(_)) if text.starts_with("/skill") => TurnPath::Skill,
            Some(Err(_)) => TurnPath::Tool,
        };
        Self {
            began,
            request_id: RequestId::mint(began, random(&*parts.entropy)),
            session,
            path,
            user_chars: text.chars().count(),
            tool: None,
            attempts: None,
            by: None,
            tried: Vec::new(),
            cache_hits: 0,
            cache_misses: 0,
            error: None,
        }
    }

    pub(super) fn session(&mut self, session: &SessionId) {
        self.session = session.to_string();
    }

    pub(super) fn tool(&mut self, name: &str) {
        self.tool = Some(name.to_owned());
    }

    /// A prompt was assembled; its static part was at hand or not.
    pub(super) fn prompted(&mut self, cached: bool) {
        if cached {
            self.cache_hits += 1;
        } else {
            self.cache_misses += 1;
        }
    }

    /// A brain was asked.
    pub(super) fn asked(&mut self, answer: &Result<Completion, BrainError>) {
        let (attempts, tried) = match answer {
            Ok(completion) => (completion.attempts, completion.tried.as_slice()),
            Err(error) => (error.attempts(), error.tried()),
        };
        // Of a turn with several completions: who answered last, and each that failed, once.
        self.by = answer.as_ref().map_or(None, |completion| completion.by.clone()).or_else(|| self.by.take());
        self.tried.retain(|before| tried.iter().all(|now| now.who != before.who));
        self.tried.extend_from_slice(tried);
        self.attempts = Some(self.attempts.unwrap_or(0).saturating_add(attempts));
    }

    /// The turn ended with an answer. A command whose tool failed is an answer to the person and an error to the log.
    pub(super) fn answered(&mut self, turn: Option<&TurnState>) {
        let Some((turn, command)) = turn.and_then(|turn| Some((turn, command_of(turn)?))) else { return };
        self.path = path_of(command.kind);
        self.error = turn.calls.iter().find_map(|state| match &state.progress {
            Progress::Closed { status, content } if *status != OutcomeStatus::Ok => Some(content.clone()),
            _ => None,
        });
    }

    pub(super) fn finish(&mut self, parts: &Parts, reply: &Result<Reply, TurnError>) -> TurnRecord {
        let now = parts.clock.now();
        let error = match reply {
            Err(error) => Some(with_causes(error)),
            Ok(Reply::Stopped(why)) => Some(why.clone()),
            Ok(_) => self.error.take(),
        };
        let status = match reply {
            Ok(Reply::NeedsApproval(_)) => TurnStatus::NeedsApproval,
            _ if error.is_some() => TurnStatus::Error,
            _ => TurnStatus::Ok,
        };
        let response_chars = match reply {
            Ok(reply @ (Reply::Said(_) | Reply::NeedsApproval(_))) => reply.to_string().chars().count(),
            _ => 0,
        };
        let info = parts.brain.info();
        TurnRecord {
            timestamp: now,
            request_id: self.request_id.clone(),
            session_id: std::mem::take(&mut self.session),
            path: self.path,
            status,
            provider: self.by.as_ref().map_or(&info.name, |by| &by.brain).clone(),
            model: self.by.as_ref().map_or(&info.model, |by| &by.model).clone(),
            tried: std::mem::take(&mut self.tried),
            provider_reason: parts.provider_reason.clone(),
            tool_name: self.tool.take(),
            attempts: self.attempts,
            latency_ms: self.attempts.map(|_| u64::try_from(now.since(self.began).as_millis()).unwrap_or(u64::MAX)),
            user_chars: self.user_chars as u64,
            response_chars: response_chars as u64,
            prompt_cache_hits: self.cache_hits,
            prompt_cache_misses: self.cache_misses,
            error,
        }
    }
}

fn path_of(kind: ToolKind) -> TurnPath {
    match kind {
        ToolKind::Tool => TurnPath::Tool,
        ToolKind::Skill => TurnPath::Skill,
    }
}
