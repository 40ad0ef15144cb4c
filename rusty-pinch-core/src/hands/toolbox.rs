//! Tools from closures, by name.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

use super::bounds::{SUMMARY_BYTES_MAX, TOOL_OUTPUT_BYTES_MAX};
use super::text::{bounded, quoted, visible};
use super::tool::{Tool, ToolErrorKind};
use super::{Assessment, Hands, HandsError, Invocation, Risk, ToolContext, ToolSpec, schema};
use crate::data::{CallOutcome, IdError, ToolCall, ToolName, canonical_json};

/// A tool that can't be put into a [`Toolbox`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToolboxError {
    /// Its name is against the rules.
    #[error(transparent)]
    Name(#[from] IdError),
    /// There is a tool of that name already.
    #[error("there are two tools named `{tool}`; rename one of them")]
    Duplicate {
        /// The name.
        tool: ToolName,
    },
    /// Its arguments are not an object.
    #[error("the arguments of `{tool}` are not an object; take a struct, or `()` when there are none")]
    NotAnObject {
        /// The tool.
        tool: ToolName,
    },
    /// A positional parameter is not one of its arguments.
    #[error("`{tool}` has no argument `{parameter}`; name in `positional` only fields of its arguments")]
    UnknownParameter {
        /// The tool.
        tool: ToolName,
        /// The parameter.
        parameter: String,
    },
    /// An example's arguments don't fit its schema.
    #[error("the example {message:?} of `{tool}` does not fit its own arguments: {why}")]
    BadExample {
        /// The tool.
        tool: ToolName,
        /// The example's message.
        message: String,
        /// What does not fit.
        why: String,
    },
}

/// Tools made from closures.
///
/// A tool that breaks a rule is left out, which is logged as an error and told whoever calls it;
/// [`check`](Self::check) makes it an error at once.
#[derive(Clone, Debug, Default)]
pub struct Toolbox {
    tools: BTreeMap<ToolName, Tool>,
    /// What they are, collected when somebody first asks.
    specs: OnceLock<Arc<[ToolSpec]>>,
    faults: Vec<ToolboxError>,
}

impl Toolbox {
    /// An empty toolbox.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `tool` in. The tools stay sorted by name.
    #[must_use]
    pub fn tool(mut self, tool: Tool) -> Self {
        match &tool.spec {
            Ok(spec) if self.tools.contains_key(&spec.name) => {
                self.leave_out(ToolboxError::Duplicate { tool: spec.name.clone() });
            }
            Ok(spec) => {
                self.tools.insert(spec.name.clone(), tool);
                self.specs = OnceLock::new();
            }
            Err(fault) => self.leave_out(fault.clone()),
        }
        self
    }

    /// Puts every tool of `other` in.
    #[must_use]
    pub fn tools_of(self, other: Self) -> Self {
        let mut joined = other.tools.into_values().fold(self, Self::tool);
        joined.faults.extend(other.faults);
        joined
    }

    /// The toolbox, when every tool that was given is in it.
    ///
    /// # Errors
    /// The first [`ToolboxError`] when a tool had to be left out.
    pub fn check(self) -> Result<Self, ToolboxError> {
        match self.faults.into_iter().next() {
            Some(fault) => Err(fault),
            None => Ok(Self { faults: Vec::new(), ..self }),
        }
    }

    fn leave_out(&mut self, fault: ToolboxError) {
        tracing::error!(error = %fault, "a tool was left out of the toolbox");
        self.faults.push(fault);
    }

    fn specs(&self) -> &Arc<[ToolSpec]> {
        let collect = || self.tools.values().filter_map(|tool| tool.spec.as_ref().ok()).cloned().collect();
        self.specs.get_or_init(collect)
    }

    fn find(&self, name: &str) -> Option<(&Tool, &ToolSpec)> {
        let tool = self.tools.get(&ToolName::new(name).ok()?)?;
        Some((tool, tool.spec.as_ref().ok()?))
    }

    fn unknown(&self, name: &str) -> CallOutcome {
        let mut outcome = unknown_tool(name, self.specs());
        for fault in &self.faults {
            outcome.content.push_str(&format!("\nA tool was left out: {fault}."));
        }
        outcome
    }
}

/// The outcome of a call of a tool that does not exist: it names the nearest one and all there are.
pub(crate) fn unknown_tool(name: &str, specs: &[ToolSpec]) -> CallOutcome {
    if specs.is_empty() {
        return CallOutcome::failed(format!("There is no tool {}; there are no tools here.", quoted(name)));
    }
    let likeness = |spec: &ToolSpec| strsim::jaro_winkler(&short(name), spec.name.as_str());
    let nearest = specs.iter().map(|spec| (likeness(spec), spec)).max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = match nearest {
        Some((likeness, spec)) if likeness >= LIKENESS_MIN => format!(" Did you mean `{}`?", spec.name),
        _ => String::new(),
    };
    let names: Vec<_> = specs.iter().map(|spec| format!("`{}`", spec.name)).collect();
    CallOutcome::failed(format!("There is no tool {}.{hint} The tools are {}.", quoted(name), names.join(", ")))
}

/// From this Jaro-Winkler likeness on, a wrong name is taken for a slip.
const LIKENESS_MIN: f64 = 0.75;

/// Enough of a foreign name to compare it; comparing costs the product of both lengths.
fn short(name: &str) -> String {
    name.chars().take(crate::data::TOOL_NAME_BYTES_MAX).collect()
}

#[async_trait]
impl Hands for Toolbox {
    fn tools(&self) -> Arc<[ToolSpec]> {
        Arc::clone(self.specs())
    }

    async fn assess(&self, call: &ToolCall) -> Result<Assessment, HandsError> {
        let Some((tool, spec)) = self.find(&call.name) else { return Ok(Assessment::of_nothing(call)) };
        let own = summary_of(tool, call)?;
        Ok(Assessment { risk: spec.risk, summary: summary(own.as_deref(), call), bound: Vec::new(), stands_for: None })
    }

    async fn invoke(&self, invocation: &Invocation) -> Result<CallOutcome, HandsError> {
        let Invocation { session, call, bound, deadline } = invocation;
        let Some((tool, spec)) = self.find(&call.name) else { return Ok(self.unknown(&call.name)) };
        if let Some(bound) = bound.first() {
            let why = format!("it was allowed with the content of {}, which it does not use", quoted(&bound.what));
            return Err(HandsError::NotStarted { tool: call.name.clone(), why: format!("{why}; ask for it again") });
        }
        let misfit = |why| Ok(CallOutcome::failed(format!("`{}` did not run: {why}. {}", spec.name, usage(spec))));
        let arguments = schema::without_nulls(&spec.parameters, &call.arguments);
        if let Some(why) = schema::misfit(&spec.parameters, &arguments) {
            return misfit(why);
        }
        let context = ToolContext { session: session.clone(), call: call.id.clone(), deadline: *deadline };
        let ran = unwinding(async {
            match (tool.run)(context, arguments) {
                Ok(outcome) => Ok(outcome.await),
                Err(error) => Err(error),
            }
        });
        let tool = || call.name.clone();
        match ran.await {
            Ok(Err(error)) => misfit(error.to_string()),
            Ok(Ok(Ok(output))) => Ok(CallOutcome::ok(bounded(output, TOOL_OUTPUT_BYTES_MAX))),
            Ok(Ok(Err(error))) => {
                let why = bounded(error.message, TOOL_OUTPUT_BYTES_MAX);
                match error.kind {
                    ToolErrorKind::Failed => Ok(CallOutcome::failed(why)),
                    ToolErrorKind::NotStarted => Err(HandsError::NotStarted { tool: tool(), why }),
                    ToolErrorKind::Lost => Err(HandsError::Lost { tool: tool(), why }),
                }
            }
            Err(panic) => Err(HandsError::Lost { tool: tool(), why: format!("it panicked: {}", quoted(&panic)) }),
        }
    }
}

fn usage(spec: &ToolSpec) -> String {
    format!("Its arguments are {}", canonical_json(&spec.parameters["properties"]))
}

impl Assessment {
    /// The assessment of a call whose tool does not exist. Nothing will run, so nothing can do harm; `invoke` says that
    /// there is no such tool.
    pub(crate) fn of_nothing(call: &ToolCall) -> Self {
        Self { risk: Risk::Low, summary: summary(None, call), bound: Vec::new(), stands_for: None }
    }
}

/// What an approver is shown: tool and arguments as they will run, then the tool's own words about them.
fn summary(own: Option<&str>, call: &ToolCall) -> String {
    let facts = visible(&format!("{} {}", short(&call.name), canonical_json(&call.arguments)));
    let text = own.map_or_else(|| facts.clone(), |own| format!("{facts}\n{}", visible(own)));
    bounded(text, SUMMARY_BYTES_MAX)
}

fn summary_of(tool: &Tool, call: &ToolCall) -> Result<Option<String>, HandsError> {
    let Some(summarize) = &tool.summarize else { return Ok(None) };
    catch_unwind(AssertUnwindSafe(|| summarize(&call.arguments))).map(Some).map_err(|panic| HandsError::NotStarted {
        tool: call.name.clone(),
        why: format!("its summary panicked: {}", quoted(&said(&*panic))),
    })
}

/// `future`, with a panic inside it caught and its message given back.
///
/// A future that panicked is dropped and never polled again, so nobody sees what it left half done; what it shares with
/// others is guarded by their locks, which are poisoned.
async fn unwinding<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => std::task::Poll::Ready(Err(said(&*panic))),
    })
    .await
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
#[path = "toolbox/tests.rs"]
mod tests;
