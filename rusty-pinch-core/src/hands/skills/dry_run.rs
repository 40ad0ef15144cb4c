//! Trying a skill with nothing at stake: compiled, looked through, and run on its cases against recorded answers.
//!
//! Nothing leaves the machine: the only way out is a list of recorded answers, values are kept in memory, and no tool
//! is there. What has no recorded answer is refused.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::bounds::{CASES_BYTES_MAX, CASES_MAX, CHECK_TIME_MAX};
use super::desk::{HostRecord, Surroundings};
use super::examine::shape_of;
use super::library::{Skill, SkillFault, SkillLibrary};
use super::manifest::SkillHosts;
use super::run::{Asked, run};
use super::{SKILL_TIME_MAX, Sandbox, ScriptLint, ScriptShape, SkillSandbox};
use crate::data::{CallId, IdError, SessionId, ToolName};
use crate::hands::text::quoted;
use crate::hands::{Egress, EgressError, Fetch, Fetched, argument_misfit};
use crate::store::MemoryStore;
use crate::sys::Clock;

/// What a dry run found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DryRun {
    /// The skill.
    pub skill: ToolName,
    /// What it may reach.
    pub capabilities: String,
    /// What is probably not meant.
    pub lints: Vec<String>,
    /// Its cases; none where it has no file of cases, and then only compiling and looking through are proven.
    pub cases: Vec<CaseResult>,
}

/// How one case went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CaseResult {
    /// Its name.
    pub name: String,
    /// What is wrong; none when it went as it should.
    pub fault: Option<String>,
    /// What the skill asked its host for.
    pub calls: Vec<HostRecord>,
}

impl DryRun {
    /// Whether every case went as it should.
    pub fn is_good(&self) -> bool {
        self.cases.iter().all(|case| case.fault.is_none())
    }
}

/// Why there is no dry run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DryRunError {
    /// There is no such skill.
    #[error("there is no skill `{name}` in {folder}; `rusty-pinch skills list` has those that are there")]
    NoSuchSkill {
        /// The name.
        name: ToolName,
        /// The folder.
        folder: PathBuf,
    },
    /// The file is no skill.
    #[error("the skill `{name}` can't be used: {fault}")]
    Fault {
        /// The name.
        name: ToolName,
        /// Why.
        fault: SkillFault,
    },
    /// The file of cases breaks a rule.
    #[error("the cases in {path} can't be used: {why}")]
    Cases {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
}

/// One case: arguments, the answers that the web gives, and what must come out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    arguments: Map<String, Value>,
    #[serde(default)]
    http: Vec<Recorded>,
    /// What comes out, exactly.
    output: Option<String>,
    /// What is in what comes out.
    contains: Option<String>,
    /// It fails, and this is in why.
    error: Option<String>,
}

/// What must come of a case.
#[derive(Clone, Copy, Debug)]
enum Expected<'a> {
    Output(&'a str),
    Contains(&'a str),
    Error(&'a str),
}

impl Case {
    fn expected(&self) -> Option<Expected<'_>> {
        match (&self.output, &self.contains, &self.error) {
            (Some(text), None, None) => Some(Expected::Output(text)),
            (None, Some(part), None) => Some(Expected::Contains(part)),
            (None, None, Some(part)) => Some(Expected::Error(part)),
            _ => None,
        }
    }
}

/// An answer of the web, for one request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    #[serde(default = "get")]
    method: String,
    url: String,
    /// The body that must be sent.
    sent: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    body: String,
}

fn get() -> String {
    "GET".to_owned()
}

fn ok() -> u16 {
    200
}

/// Gives recorded answers, each once, and reaches nothing.
#[derive(Debug)]
struct ReplayEgress(Mutex<Vec<Recorded>>);

#[async_trait]
impl Egress for ReplayEgress {
    async fn fetch(&self, request: &Fetch) -> Result<Fetched, EgressError> {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |answer: &Recorded| {
            let sent = answer.sent.as_ref().is_none_or(|sent| sent.as_bytes() == request.body);
            answer.method == request.method.name() && answer.url == request.url && sent
        };
        let Some(at) = recorded.iter().position(fits) else {
            return Err(EgressError::Refused {
                url: request.url.clone(),
                rule: "the case has no answer for it (left)".to_owned(),
                fix: "add one under `http`".to_owned(),
            });
        };
        let Recorded { url, status, body, .. } = recorded.remove(at);
        Ok(Fetched { status, url, content_type: None, body: body.into_bytes() })
    }
}

/// Compiles the skill `name`, looks it through, and runs its cases in `sandbox`. No tool has to be there for it.
///
/// # Errors
/// [`DryRunError`] when there is no such skill, or it or its cases break a rule. A case that goes wrong is no error: it is
/// in the result.
pub async fn dry_run(
    library: &SkillLibrary,
    name: &ToolName,
    sandbox: Sandbox,
    clock: Arc<dyn Clock>,
) -> Result<DryRun, DryRunError> {
    let missing = || DryRunError::NoSuchSkill { name: name.clone(), folder: library.folder().to_owned() };
    let file = library.find(name).ok_or_else(missing)?;
    let fault = |fault| DryRunError::Fault { name: name.clone(), fault };
    let skill = file.skill.map_err(fault)?;
    let sandbox = SkillSandbox::new(sandbox, Arc::clone(&clock));
    let shape = shape_of(&skill, &sandbox, clock.now() + CHECK_TIME_MAX).await.map_err(fault)?;
    let cases = read_cases(library, &skill)?;
    let mut results = Vec::new();
    for case in cases {
        results.push(try_case(&sandbox, &skill, case, &clock).await);
    }
    let capabilities = skill.manifest.capabilities();
    Ok(DryRun { skill: skill.name.clone(), capabilities, lints: lints(&skill, &shape), cases: results })
}

async fn try_case(sandbox: &SkillSandbox, skill: &Skill, case: Case, clock: &Arc<dyn Clock>) -> CaseResult {
    let name = case.name.clone();
    let egress = Arc::new(ReplayEgress(Mutex::new(case.http.clone())));
    let around = Surroundings {
        clock: Arc::clone(clock),
        store: Arc::new(MemoryStore::new()),
        egress: Some(Arc::clone(&egress) as Arc<dyn Egress>),
        tools: None,
        request_time: SKILL_TIME_MAX,
    };
    let asked = ids().map(|(session, call)| Asked {
        session,
        call,
        arguments: Value::Object(case.arguments.clone()),
        deadline: clock.now() + SKILL_TIME_MAX,
    });
    let ran = match asked {
        Ok(asked) => run(sandbox, skill, &around, asked).await,
        Err(error) => return CaseResult { name, fault: Some(error.to_string()), calls: Vec::new() },
    };
    let left = egress.0.lock().unwrap_or_else(PoisonError::into_inner).first().map(|answer| answer.url.clone());
    let output = ran.output.map(|output| output.text).map_err(|error| error.to_string());
    let fault = fault_of(case.expected(), output).or_else(|| left.map(|url| format!("it did not ask for {url}")));
    CaseResult { name, fault, calls: ran.records }
}

fn ids() -> Result<(SessionId, CallId), IdError> {
    Ok((SessionId::new("dry-run")?, CallId::new("dry-run")?))
}

/// How what came out differs from what was expected.
fn fault_of(expected: Option<Expected<'_>>, output: Result<String, String>) -> Option<String> {
    match (expected?, output) {
        (Expected::Output(text), Ok(output)) if output == text => None,
        (Expected::Contains(part), Ok(output)) if output.contains(part) => None,
        (Expected::Error(part), Err(why)) if why.contains(part) => None,
        (Expected::Output(text), Ok(output)) => Some(format!("it says {}, not {}", quoted(&output), quoted(text))),
        (Expected::Contains(part), Ok(output)) => {
            Some(format!("it says {}, without {}", quoted(&output), quoted(part)))
        }
        (Expected::Error(part), Ok(output)) => {
            Some(format!("it says {} and does not fail with {}", quoted(&output), quoted(part)))
        }
        (_, Err(why)) => Some(why),
    }
}

fn read_cases(library: &SkillLibrary, skill: &Skill) -> Result<Vec<Case>, DryRunError> {
    let path = library.cases_of(&skill.name);
    let bad = |why: String| DryRunError::Cases { path: path.clone(), why };
    let text = match super::library::read_bounded(&path, CASES_BYTES_MAX) {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(Vec::new()),
        Err(why) => return Err(bad(why)),
    };
    let cases: Vec<Case> =
        serde_json::from_str(&text).map_err(|error| bad(format!("{error}; `docs/SKILLS.md` shows the form")))?;
    if cases.len() > CASES_MAX {
        return Err(bad(format!("there are {} cases, and at most {CASES_MAX} are tried; leave some out", cases.len())));
    }
    let parameters = skill.manifest.parameters();
    for case in &cases {
        if case.expected().is_none() {
            let name = quoted(&case.name);
            return Err(bad(format!(
                "the case {name} needs one of `output`, `contains` and `error`, and no other of them"
            )));
        }
        if let Some(why) = argument_misfit(&parameters, &Value::Object(case.arguments.clone())) {
            return Err(bad(format!("the arguments of the case {} don't fit the header: {why}", quoted(&case.name))));
        }
    }
    Ok(cases)
}

/// What the compiler does not mind and its author should.
fn lints(skill: &Skill, shape: &ScriptShape) -> Vec<String> {
    let manifest = &skill.manifest;
    let uses = |names: &[&str]| shape.host_functions.iter().any(|used| names.contains(&used.as_str()));
    let mut lints: Vec<_> = shape.lints.iter().map(shown).collect();
    let mut lint = |is_so: bool, text: &str| {
        if is_so {
            lints.push(text.to_owned());
        }
    };
    let reaches = uses(&["http_get", "http_json", "http_post"]);
    lint(reaches && manifest.hosts == SkillHosts::None, "it makes requests and declares no `hosts`: each is refused");
    lint(
        uses(&["http_post"]) && manifest.hosts != SkillHosts::None && !manifest.methods.contains("POST"),
        "it calls `http_post` and does not declare the method POST: each is refused",
    );
    lint(uses(&["tool"]) && manifest.tools.is_empty(), "it calls `tool` and declares no `tools`: each is refused");
    let keeps = uses(&["state_get", "state_set"]);
    lint(keeps && !manifest.keeps_state, "it keeps values and does not declare `state: yes`: each is refused");
    lint(!reaches && manifest.hosts != SkillHosts::None, "it declares hosts and makes no requests; leave them out");
    lint(!uses(&["tool"]) && !manifest.tools.is_empty(), "it declares tools and calls none; leave them out");
    lint(
        !manifest.arguments.is_empty() && !shape.main_with_text && !uses(&["args"]),
        "it declares arguments and reads none: write `main(args)` or call `args()`",
    );
    lints
}

fn shown(lint: &ScriptLint) -> String {
    match lint.at {
        Some((line, column)) => format!("line {line}, column {column}: {}", lint.message),
        None => lint.message.clone(),
    }
}

/// A new skill to begin with: ten lines that keep every rule.
pub fn skill_template(name: &ToolName) -> String {
    format!(
        "//! name: {name}\n\
         //! description: Greets somebody by name.\n\
         //! version: 1\n\
         //! argument: who text optional - Whom to greet\n\
         //! example: greet Ada => {{\"who\": \"Ada\"}}\n\
         // To reach the web, add a line `//! hosts: api.example.org`. Nothing else is reached.\n\
         fn main() {{ main(\"you\") }}\n\
         fn main(args) {{\n    \
             `Hello, ${{args}}!`\n\
         }}\n"
    )
}

#[cfg(test)]
mod tests;
