//! The host of a running script: does what its header declares, refuses the rest, and writes down each call.

use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::bounds::{
    ANSWER_BYTES_MAX, ANSWER_QUOTED_BYTES_MAX, LOG_BYTES_MAX, REQUESTS_MAX, SENT_BYTES_MAX, TOOL_CALLS_MAX,
};
use super::library::Skill;
use super::manifest::SkillHosts;
use super::{HostCall, HostReply, SkillHost, permit, state};
use crate::data::{CallId, OutcomeStatus, SessionId, Timestamp, ToolCall};
use crate::hands::text::{bounded, visible};
use crate::hands::{Assessment, Egress, EgressError, Fetch, FetchMethod, Hands, Invocation, ToolSpec};
use crate::store::Store;
use crate::sys::Clock;

/// What the operator's rules say of calls that skills make.
pub(crate) trait SkillPolicy: Debug + Send + Sync {
    /// Why the skill may not call this tool; none when it may. A call that would wait for a person is refused.
    fn refusal(&self, skill: &Skill, spec: &ToolSpec, call: &ToolCall, assessment: &Assessment) -> Option<String>;
}

/// What a run may use beside its own header.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<dyn Store>,
    pub(super) egress: Option<Arc<dyn Egress>>,
    /// None in a dry run.
    pub(super) tools: Option<Tools>,
    /// How long one request may take.
    pub(super) request_time: Duration,
}

/// The tools that skills may call where they declare them, and what the operator's rules say of such a call.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    pub(super) hands: Arc<dyn Hands>,
    pub(super) policy: Arc<dyn SkillPolicy>,
}

/// One call of a script, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct HostRecord {
    /// What was asked for, such as `GET https://example.org/`.
    pub call: String,
    /// What came of it.
    pub outcome: String,
}

/// The host of one run.
pub(super) struct Desk<'a> {
    skill: &'a Skill,
    around: &'a Surroundings,
    session: SessionId,
    call: CallId,
    deadline: Timestamp,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    requests: usize,
    tool_calls: usize,
    records: Vec<HostRecord>,
    /// A call that changes something was begun, and its outcome is not known yet.
    is_acting: bool,
}

impl Debug for Desk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("skill", &self.skill.name).finish_non_exhaustive()
    }
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        skill: &'a Skill,
        around: &'a Surroundings,
        session: SessionId,
        call: CallId,
        deadline: Timestamp,
    ) -> Self {
        Self { skill, around, session, call, deadline, counts: Mutex::default() }
    }

    /// Every request, change and call of a tool so far.
    pub(super) fn records(&self) -> Vec<HostRecord> {
        self.counts().records.clone()
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the run ended while a call that changes something was under way, so that nobody knows what came of it.
    pub(super) fn is_acting(&self) -> bool {
        self.counts().is_acting
    }

    /// Does `work` and writes down that it was asked for, before it begins: the run may end at any moment of it.
    async fn recorded(&self, call: String, acts: bool, work: impl Future<Output = HostReply>) -> HostReply {
        let call = bounded(visible(&call), LOG_BYTES_MAX);
        let at = {
            let mut counts = self.counts();
            counts.is_acting = acts;
            counts.records.push(HostRecord { call: call.clone(), outcome: "outcome unknown".to_owned() });
            counts.records.len() - 1
        };
        let reply = work.await;
        let outcome = match &reply {
            Ok(Value::String(text)) => format!("{} bytes", text.len()),
            Ok(_) => "done".to_owned(),
            Err(why) => why.clone(),
        };
        let outcome = bounded(visible(&outcome), LOG_BYTES_MAX);
        tracing::info!(skill = %self.skill.name, call, outcome, "a skill asked its host");
        let mut counts = self.counts();
        counts.is_acting = false;
        if let Some(record) = counts.records.get_mut(at) {
            record.outcome = outcome;
        }
        drop(counts);
        reply
    }

    async fn http(&self, method: &str, url: &str, body: String) -> HostReply {
        if let Some(why) = permit::refusal(&self.skill.manifest, method, url) {
            return Err(format!("http {method} is refused: {why}"));
        }
        let Some(egress) = &self.around.egress else {
            return Err(format!("http {method} is refused: this program gives its skills no way out"));
        };
        let fetch_method = match method {
            "GET" => FetchMethod::Get,
            "POST" => FetchMethod::Post,
            other => return Err(format!("http {other} is refused: the methods are GET and POST")),
        };
        if body.len() > SENT_BYTES_MAX {
            return Err(format!("http {method} is refused: a body has at most {SENT_BYTES_MAX} bytes; send less"));
        }
        {
            let mut counts = self.counts();
            if counts.requests >= REQUESTS_MAX {
                return Err(format!("http {method} is refused: a run makes at most {REQUESTS_MAX} requests"));
            }
            counts.requests += 1;
        }
        let hosts = match &self.skill.manifest.hosts {
            SkillHosts::Named(hosts) => Some(Arc::clone(hosts)),
            SkillHosts::None => Some(Arc::from([])),
            SkillHosts::Any => None,
        };
        let headers = match fetch_method {
            FetchMethod::Post => vec![("content-type".to_owned(), "application/json".to_owned())],
            FetchMethod::Get => Vec::new(),
        };
        let deadline = self.deadline.min(self.around.clock.now() + self.around.request_time);
        let url = url.to_owned();
        let body = body.into_bytes();
        let bytes_max = ANSWER_BYTES_MAX;
        let request = Fetch { method: fetch_method, url, headers, body, hosts, bytes_max, deadline };
        let fetched = egress.fetch(&request).await.map_err(|error| failed(method, &error))?;
        let text = String::from_utf8(fetched.body)
            .map_err(|_| format!("http {method} failed: the answer of {} is no UTF-8 text", fetched.url))?;
        if fetched.status >= 400 {
            let quoted = bounded(visible(&text), ANSWER_QUOTED_BYTES_MAX);
            return Err(format!("http {method} failed: status {}: {quoted}", fetched.status));
        }
        Ok(Value::String(text))
    }

    async fn tool(&self, name: &str, arguments: Value) -> HostReply {
        let refused = |why: &str| Err(format!("the tool `{name}` is refused: {why}"));
        if !self.skill.manifest.tools.iter().any(|tool| tool.as_str() == name) {
            return refused(&format!("it is not declared; {}", permit::declaring(&self.skill.manifest, "tools", name)));
        }
        let Some(Tools { hands, policy }) = &self.around.tools else {
            return refused("a dry run has no tools");
        };
        let tools = hands.tools();
        let Some(spec) = tools.iter().find(|spec| spec.name.as_str() == name) else {
            return refused("there is no such tool");
        };
        let number = {
            let mut counts = self.counts();
            if counts.tool_calls >= TOOL_CALLS_MAX {
                return refused(&format!("a run calls at most {TOOL_CALLS_MAX} tools"));
            }
            counts.tool_calls += 1;
            counts.tool_calls
        };
        let id = CallId::new(&format!("{}-{number}", self.call)).map_err(|error| error.to_string())?;
        let call = ToolCall { id, name: name.to_owned(), arguments };
        let assessment = hands.assess(&call).await.map_err(|error| error.to_string())?;
        if let Some(why) = policy.refusal(self.skill, spec, &call, &assessment) {
            return refused(&why);
        }
        let invocation =
            Invocation { session: self.session.clone(), call, bound: assessment.bound, deadline: self.deadline };
        let outcome = hands.invoke(&invocation).await.map_err(|error| error.to_string())?;
        match outcome.status {
            OutcomeStatus::Ok => Ok(Value::String(outcome.content)),
            _ => Err(format!("the tool `{name}` failed: {}", outcome.content)),
        }
    }

    async fn state(&self, key: &str, value: Option<Value>) -> HostReply {
        if !self.skill.manifest.keeps_state {
            let fix = match self.skill.manifest.has_header {
                true => "its owner adds the line `//! state: yes` to its header".to_owned(),
                false => permit::declaring(&self.skill.manifest, "state", "yes"),
            };
            return Err(format!("keeping values is refused: it is not declared; {fix}"));
        }
        let store = &*self.around.store;
        match value {
            None => state::get(store, &self.skill.name, key).await,
            Some(value) => state::set(store, &self.skill.name, key, &value).await.map(|()| Value::Null),
        }
    }
}

fn failed(method: &str, error: &EgressError) -> String {
    match error {
        EgressError::Refused { url, rule, fix } => format!("http {method} is refused: {url}: {rule}; {fix}"),
        other => format!("http {method} failed: {other}"),
    }
}

#[async_trait]
impl SkillHost for Desk<'_> {
    async fn call(&self, call: HostCall) -> HostReply {
        match call {
            HostCall::Log { text } => {
                let text = bounded(visible(&text), LOG_BYTES_MAX);
                tracing::info!(skill = %self.skill.name, text, "a skill says");
                Ok(Value::Null)
            }
            HostCall::TimeNow => Ok(json!(self.around.clock.now().to_string())),
            HostCall::Http { method, url, body } => {
                self.recorded(format!("{method} {url}"), method != "GET", self.http(&method, &url, body)).await
            }
            HostCall::StateGet { key } => self.state(&key, None).await,
            HostCall::StateSet { key, value } => {
                self.recorded(format!("state_set {key}"), true, self.state(&key, Some(value))).await
            }
            HostCall::Tool { name, arguments } => {
                self.recorded(format!("tool {name}"), true, self.tool(&name, arguments)).await
            }
        }
    }
}
