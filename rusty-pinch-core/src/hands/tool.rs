//! A tool made from a closure.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::toolbox::ToolboxError;
use super::{Material, Repeat, Risk, ToolExample, ToolKind, ToolSpec, schema};
use crate::data::{CallId, SessionId, Timestamp, ToolName};

/// What a running tool knows about its call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolContext {
    /// The session that the call belongs to.
    pub session: SessionId,
    /// The call's id. Session and call id together stay the same when a call runs again: the idempotency key.
    pub call: CallId,
    /// When the caller stops waiting.
    pub deadline: Timestamp,
}

/// Why a tool has no output.
///
/// Anything with a `Display` turns into a [`ToolError::failed`] by `?` or `into()`, texts and errors alike.
#[derive(Debug)]
pub struct ToolError {
    pub(super) kind: ToolErrorKind,
    pub(super) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToolErrorKind {
    Failed,
    NotStarted,
    Lost,
}

impl ToolError {
    /// It failed, and the model can read why and call differently.
    pub fn failed(why: impl fmt::Display) -> Self {
        Self { kind: ToolErrorKind::Failed, message: why.to_string() }
    }

    /// It did not start, for sure, and calling differently won't help.
    pub fn not_started(why: impl fmt::Display) -> Self {
        Self { kind: ToolErrorKind::NotStarted, message: why.to_string() }
    }

    /// It began, and nobody knows how far it came.
    pub fn lost(why: impl fmt::Display) -> Self {
        Self { kind: ToolErrorKind::Lost, message: why.to_string() }
    }

    /// What the model or the log reads.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// `ToolError` itself has no `Display`, or this would collide with the conversion of a type into itself.
impl<E: fmt::Display> From<E> for ToolError {
    fn from(error: E) -> Self {
        Self::failed(error)
    }
}

pub(super) type Outcome = Pin<Box<dyn Future<Output = Result<String, ToolError>> + Send>>;
type Run = dyn Fn(ToolContext, Value) -> Result<Outcome, serde_json::Error> + Send + Sync;
type Summarize = dyn Fn(&Value) -> String + Send + Sync;

/// A tool: what it is, and the closure that runs it.
///
/// ```
/// # use rusty_pinch_core::{Tool, Toolbox};
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Add {
///     a: f64,
///     b: f64,
/// }
///
/// let add = Tool::new("add", "Adds two numbers").read_only().run(|x: Add| async move { Ok(x.a + x.b) });
/// let hands = Toolbox::new().tool(add).check()?;
/// # Ok::<(), rusty_pinch_core::ToolboxError>(())
/// ```
#[derive(Clone)]
pub struct Tool {
    pub(super) spec: Result<ToolSpec, ToolboxError>,
    pub(super) run: Arc<Run>,
    pub(super) summarize: Option<Arc<Summarize>>,
}

impl Tool {
    /// Begins a tool with its name and what it does, in one sentence. Say next what happens when a call runs twice.
    #[expect(clippy::new_ret_no_self, reason = "a tool is whole only when it has a repeat class and a closure")]
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> ToolDraft {
        ToolDraft { name: name.into(), description: description.into() }
    }

    /// What it is; the error when it can't be.
    ///
    /// # Errors
    /// [`ToolboxError`] when its name, arguments, positional parameters or examples are against the rules.
    pub fn spec(&self) -> Result<&ToolSpec, ToolboxError> {
        self.spec.as_ref().map_err(Clone::clone)
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").field("spec", &self.spec).finish_non_exhaustive()
    }
}

/// A tool that has not said yet what happens when a call runs twice. There is no default: a wrong guess does harm.
#[derive(Clone, Debug)]
pub struct ToolDraft {
    name: String,
    description: String,
}

impl ToolDraft {
    /// It only reads: running again is harmless.
    pub fn read_only(self) -> ToolBuilder {
        self.repeat(Repeat::ReadOnly)
    }

    /// Running again with the same session and call id does nothing more.
    pub fn idempotent(self) -> ToolBuilder {
        self.repeat(Repeat::Idempotent)
    }

    /// It must not run twice: after a crash in the middle its outcome is unknown.
    pub fn once(self) -> ToolBuilder {
        self.repeat(Repeat::Once)
    }

    fn repeat(self, repeat: Repeat) -> ToolBuilder {
        let (risk, output) = (Risk::Low, Material::Own);
        ToolBuilder { draft: self, repeat, risk, output, examples: vec![], positional: vec![], summarize: None }
    }
}

/// A tool that still needs its closure.
#[derive(Clone)]
pub struct ToolBuilder {
    draft: ToolDraft,
    repeat: Repeat,
    risk: Risk,
    output: Material,
    examples: Vec<ToolExample>,
    positional: Vec<String>,
    summarize: Option<Arc<Summarize>>,
}

impl fmt::Debug for ToolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolBuilder").field("name", &self.draft.name).finish_non_exhaustive()
    }
}

impl ToolBuilder {
    /// How much harm it can do. Unless told, [`Risk::Low`].
    #[must_use]
    pub fn risk(mut self, risk: Risk) -> Self {
        self.risk = risk;
        self
    }

    /// Its output may be other people's words: a page, a file, mail. After it, calls of the model that can do harm wait
    /// for a person.
    #[must_use]
    pub fn foreign(mut self) -> Self {
        self.output = Material::Foreign;
        self
    }

    /// A sentence that asks for it, and the arguments that it means, as an object.
    ///
    /// A value that stands in the sentence shows where to find it in other sentences, so `"weather in Hanoi"` with
    /// `{"city": "Hanoi"}` also teaches `"weather in Oslo"`.
    #[must_use]
    pub fn example(mut self, message: impl Into<String>, arguments: Value) -> Self {
        self.examples.push(ToolExample { message: message.into(), arguments });
        self
    }

    /// The parameters that `/tool <name> [args]` fills, in order; the last takes the rest of the text. A tool with one
    /// parameter needs no list.
    #[must_use]
    pub fn positional<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.positional = names.into_iter().map(Into::into).collect();
        self
    }

    /// A sentence about one call for its approver. The call's arguments are shown beside it in any case.
    #[must_use]
    pub fn summary(mut self, summarize: impl Fn(&Value) -> String + Send + Sync + 'static) -> Self {
        self.summarize = Some(Arc::new(summarize));
        self
    }

    /// The closure that runs it. Its argument's type makes the schema; what it returns becomes the output: text as it
    /// is, everything else as JSON.
    pub fn run<Args, Output, F, Fut>(self, run: F) -> Tool
    where
        Args: DeserializeOwned + JsonSchema + 'static,
        Output: Serialize + 'static,
        F: Fn(Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Output, ToolError>> + Send + 'static,
    {
        self.run_with(move |_, arguments| run(arguments))
    }

    /// Like [`run`](Self::run), for a closure that also needs session, call id or deadline.
    pub fn run_with<Args, Output, F, Fut>(self, run: F) -> Tool
    where
        Args: DeserializeOwned + JsonSchema + 'static,
        Output: Serialize + 'static,
        F: Fn(ToolContext, Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Output, ToolError>> + Send + 'static,
    {
        let summarize = self.summarize.clone();
        let run = move |context, arguments: Value| {
            let arguments = Args::deserialize(&arguments).or_else(|error| {
                // The unit type reads null only; as a tool's arguments it means that there are none.
                if is_empty(&arguments) { Args::deserialize(Value::Null).map_err(|_| error) } else { Err(error) }
            })?;
            let future = run(context, arguments);
            let outcome: Outcome = Box::pin(async move { rendered(&future.await?) });
            Ok(outcome)
        };
        Tool { spec: self.spec(schema::of::<Args>()), run: Arc::new(run), summarize }
    }

    fn spec(mut self, parameters: Option<Value>) -> Result<ToolSpec, ToolboxError> {
        let name = ToolName::new(&self.draft.name)?;
        let Some(parameters) = parameters else { return Err(ToolboxError::NotAnObject { tool: name }) };
        if let (true, Some(only)) = (self.positional.is_empty(), only_property(&parameters)) {
            self.positional.push(only.clone());
        }
        if let Some(parameter) = self.positional.iter().find(|p| parameters["properties"].get(p.as_str()).is_none()) {
            return Err(ToolboxError::UnknownParameter { tool: name, parameter: parameter.clone() });
        }
        for example in &self.examples {
            if let Some(why) = schema::misfit(&parameters, &example.arguments) {
                return Err(ToolboxError::BadExample { tool: name, message: example.message.clone(), why });
            }
        }
        Ok(ToolSpec {
            name,
            description: self.draft.description,
            parameters,
            positional: self.positional,
            repeat: self.repeat,
            risk: self.risk,
            examples: self.examples,
            kind: ToolKind::Tool,
            output: self.output,
        })
    }
}

/// The name of the parameter, when there is one alone.
fn only_property(parameters: &Value) -> Option<&String> {
    let properties = parameters.get("properties")?.as_object()?;
    let mut names = properties.keys();
    names.next().filter(|_| properties.len() == 1)
}

fn is_empty(arguments: &Value) -> bool {
    arguments.as_object().is_some_and(serde_json::Map::is_empty)
}

fn rendered(output: &impl Serialize) -> Result<String, ToolError> {
    match serde_json::to_value(output) {
        Ok(Value::String(text)) => Ok(text),
        Ok(Value::Null) => Ok("(no output)".to_owned()),
        Ok(value) => Ok(value.to_string()),
        Err(error) => Err(ToolError::lost(format!("it ran, but its output can't be written as JSON: {error}"))),
    }
}
