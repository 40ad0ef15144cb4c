//! Skills as tools.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::desk::{SkillPolicy, Surroundings, Tools};
use super::library::{LibraryError, STARTER_SKILLS, Skill, SkillFault, SkillFile, SkillLibrary, SkillScan};
use super::manifest::{Manifest, ManifestFault};
use super::run::{Asked, Ran, run};
use super::{SKILL_TIME_MAX, Sandbox, SkillError, SkillSandbox};
use crate::causes::with_causes;
use crate::data::{CallOutcome, ToolCall, ToolName};
use crate::hands::text::{bounded, quoted, visible};
use crate::hands::{
    Assessment, Bound, Egress, Hands, HandsError, Invocation, Material, Refresh, Repeat, Risk, SUMMARY_BYTES_MAX,
    TOOL_OUTPUT_BYTES_MAX, ToolCommand, ToolExample, ToolKind, ToolSpec, argument_misfit, schema, unknown_tool,
};
use crate::store::Store;
use crate::sys::Clock;

/// The tool that names the skills.
const LIST: &str = "skill_list";
/// The tool that runs a skill by its name.
const RUN: &str = "skill_run";

/// Which skills an agent has, and where they run.
#[derive(Clone, Debug)]
#[must_use]
pub struct Skills {
    library: SkillLibrary,
    sandbox: Sandbox,
    time_max: Duration,
    request_time: Duration,
    has_starters: bool,
}

impl Skills {
    /// The skills of `library`, each run in `sandbox`.
    pub fn new(library: SkillLibrary, sandbox: Sandbox) -> Self {
        let request_time = crate::hands::egress::FETCH_TIME_MAX;
        Self { library, sandbox, time_max: SKILL_TIME_MAX, request_time, has_starters: false }
    }

    /// With the starter skills, as long as they were not copied into the folder: from then on its files count.
    pub fn with_starters(mut self) -> Self {
        self.has_starters = true;
        self
    }

    /// How long one run may take, requests included.
    pub fn time_max(mut self, time: Duration) -> Self {
        self.time_max = time;
        self
    }

    /// How long one request of a skill may take.
    pub fn request_time(mut self, time: Duration) -> Self {
        self.request_time = time;
        self
    }
}

/// What skills share with the agent that has them.
#[derive(Clone, Debug)]
pub(crate) struct SkillContext {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) egress: Option<Arc<dyn Egress>>,
    /// The tools that skills may call where they declare them; no skill is among them, so that none calls another.
    pub(crate) hands: Arc<dyn Hands>,
    pub(crate) policy: Arc<dyn SkillPolicy>,
}

/// Each skill of a folder as a tool, and `skill_list` and `skill_run`.
///
/// The folder is read when [`refresh`](Refresh::refresh) is called, which the agent does at the start of a turn. Between
/// two refreshes the skills are what they were: what was assessed is what runs, whatever happens to the file. A call
/// that was assessed with another content is refused.
#[derive(Debug)]
pub(crate) struct SkillHands {
    library: SkillLibrary,
    sandbox: SkillSandbox,
    /// The tools that are no skills.
    tools: Arc<dyn Hands>,
    around: Surroundings,
    time_max: Duration,
    has_starters: bool,
    shelf: RwLock<Arc<Shelf>>,
}

/// The skills as they were last read.
#[derive(Debug)]
struct Shelf {
    files: Vec<SkillFile>,
    skills: BTreeMap<ToolName, Arc<Skill>>,
    specs: Arc<[ToolSpec]>,
    /// The tools that the files were judged by.
    tools: Arc<[ToolSpec]>,
    /// Why skills are not there that should be.
    fault: Option<LibraryError>,
}

impl Shelf {
    fn new(files: Vec<SkillFile>, tools: Arc<[ToolSpec]>) -> Self {
        let good = files.iter().filter_map(|file| file.skill.as_ref().ok());
        let skills: BTreeMap<_, _> = good.map(|skill| (skill.name.clone(), Arc::clone(skill))).collect();
        let mut specs: Vec<_> = skills.values().map(|skill| skill.manifest.spec(&skill.name)).collect();
        specs.extend(own_tools());
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        Self { files, skills, specs: specs.into(), tools, fault: None }
    }

    /// Whether it was made of these files, unchanged since, and of these tools.
    fn is_of(&self, files: &[SkillFile], tools: &Arc<[ToolSpec]>) -> bool {
        let mut pairs = self.files.iter().zip(files);
        let same_tools = Arc::ptr_eq(&self.tools, tools);
        self.fault.is_none() && same_tools && self.files.len() == files.len() && pairs.all(|(a, b)| a.is_same(b))
    }

    fn find(&self, name: &str) -> Option<&Arc<Skill>> {
        self.skills.get(&ToolName::new(name).ok()?)
    }

    /// Why there is no skill of this name, where more is known than that there is none.
    fn why_missing(&self, name: &str) -> Option<String> {
        if let Some(file) = self.files.iter().find(|file| file.name == name) {
            return file.skill.as_ref().err().map(ToString::to_string);
        }
        let fault = self.fault.as_ref()?;
        let is_starter = || STARTER_SKILLS.iter().any(|starter| starter.name == name);
        let may_be_there = !matches!(fault, LibraryError::Note { .. }) || is_starter();
        may_be_there.then(|| format!("{}; {}", with_causes(fault), fault.fix()))
    }

    /// The same in words for the model.
    fn missing(&self, name: &str) -> CallOutcome {
        if let Some(why) = self.why_missing(name) {
            return CallOutcome::failed(format!("The skill {} can't be used: {why}.", quoted(name)));
        }
        let specs: Vec<_> = self.specs.iter().filter(|spec| spec.kind == ToolKind::Skill).cloned().collect();
        let mut outcome = unknown_tool(name, &specs);
        outcome.content = outcome.content.replace("no tool", "no skill").replace("The tools are", "The skills are");
        outcome
    }
}

/// What a call runs.
enum Meant {
    Skill(Arc<Skill>, Value),
    Nothing(CallOutcome),
    List,
}

impl SkillHands {
    pub(crate) fn new(skills: Skills, context: SkillContext) -> Self {
        let Skills { library, sandbox, time_max, request_time, has_starters } = skills;
        let SkillContext { clock, store, egress, hands, policy } = context;
        let tools = Some(Tools { hands: Arc::clone(&hands), policy });
        let around = Surroundings { clock: Arc::clone(&clock), store, egress, tools, request_time };
        let shelf = RwLock::new(Arc::new(Shelf::new(Vec::new(), Arc::from([]))));
        Self {
            library,
            sandbox: SkillSandbox::new(sandbox, clock),
            tools: hands,
            around,
            time_max,
            has_starters,
            shelf,
        }
    }

    fn shelf(&self) -> Arc<Shelf> {
        Arc::clone(&self.shelf.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which skill a call runs, with which arguments.
    fn meant(&self, shelf: &Shelf, call: &ToolCall) -> Meant {
        match call.name.as_str() {
            LIST => match argument_misfit(&no_parameters(), &call.arguments) {
                None => Meant::List,
                Some(why) => Meant::Nothing(CallOutcome::failed(format!("`{LIST}` did not run: {why}."))),
            },
            RUN => self.run_by_name(shelf, &call.arguments),
            name => match shelf.find(name) {
                Some(skill) => fitted(skill, &call.arguments),
                None => Meant::Nothing(shelf.missing(name)),
            },
        }
    }

    fn run_by_name(&self, shelf: &Shelf, arguments: &Value) -> Meant {
        let parameters = run_parameters();
        let arguments = schema::without_nulls(&parameters, arguments);
        if let Some(why) = argument_misfit(&parameters, &arguments) {
            return Meant::Nothing(CallOutcome::failed(format!("`{RUN}` did not run: {why}.")));
        }
        let text = |key: &str| arguments.get(key).and_then(Value::as_str).unwrap_or_default();
        let name = text("name");
        let name = name.strip_suffix(".rhai").unwrap_or(name);
        let Some(skill) = shelf.find(name) else { return Meant::Nothing(shelf.missing(name)) };
        let spec = skill.manifest.spec(&skill.name);
        let command = ToolCommand::for_skill(skill.name.clone(), text("args"));
        match command.and_then(|command| command.arguments(&spec)) {
            Ok(arguments) => fitted(skill, &arguments),
            Err(error) => Meant::Nothing(CallOutcome::failed(error.to_string())),
        }
    }

    fn listing(shelf: &Shelf) -> CallOutcome {
        let names: Vec<_> = shelf.skills.keys().map(ToolName::as_str).collect();
        let broken: Map<_, _> = shelf
            .files
            .iter()
            .filter_map(|file| Some((file.name.clone(), Value::from(file.skill.as_ref().err()?.to_string()))))
            .collect();
        let mut listing = json!({ "skills": names });
        if let (false, Some(listing)) = (broken.is_empty(), listing.as_object_mut()) {
            listing.insert("broken".to_owned(), Value::Object(broken));
        }
        if let (Some(fault), Some(listing)) = (&shelf.fault, listing.as_object_mut()) {
            listing.insert("fault".to_owned(), Value::from(with_causes(fault)));
        }
        CallOutcome::ok(bounded(listing.to_string(), TOOL_OUTPUT_BYTES_MAX))
    }
}

/// The skill with these arguments, if it takes them.
fn fitted(skill: &Arc<Skill>, arguments: &Value) -> Meant {
    let parameters = skill.manifest.parameters();
    let arguments = schema::without_nulls(&parameters, arguments);
    match argument_misfit(&parameters, &arguments) {
        None => Meant::Skill(Arc::clone(skill), arguments),
        Some(why) => {
            let usage = skill.manifest.spec(&skill.name).usage();
            Meant::Nothing(CallOutcome::failed(format!(
                "The skill `{}` did not run: {why}. Call it as {usage}.",
                skill.name
            )))
        }
    }
}

#[async_trait]
impl Hands for SkillHands {
    fn tools(&self) -> Arc<[ToolSpec]> {
        Arc::clone(&self.shelf().specs)
    }

    async fn assess(&self, call: &ToolCall) -> Result<Assessment, HandsError> {
        let nothing = Assessment::of_nothing(call);
        let shelf = self.shelf();
        let skill = match self.meant(&shelf, call) {
            Meant::Skill(skill, _) => skill,
            // What does not run can't do harm, but its tool's risk stays what it is.
            Meant::Nothing(_) | Meant::List => {
                let risk =
                    shelf.specs.iter().find(|spec| spec.name.as_str() == call.name).map_or(Risk::Low, |s| s.risk);
                return Ok(Assessment { risk, ..nothing });
            }
        };
        let risk = skill.manifest.risk();
        let notes = format!("the skill `{}` may reach: {}", skill.name, skill.manifest.capabilities());
        let stands_for = (call.name == RUN).then(|| skill.name.clone());
        let summary = bounded(format!("{}\n{}", nothing.summary, visible(&notes)), SUMMARY_BYTES_MAX);
        Ok(Assessment { risk, summary, bound: vec![bound_of(&skill)], stands_for })
    }

    async fn invoke(&self, invocation: &Invocation) -> Result<CallOutcome, HandsError> {
        let Invocation { session, call, bound, deadline } = invocation;
        let shelf = self.shelf();
        let not_started = |why: String| Err(HandsError::NotStarted { tool: call.name.clone(), why });
        let meant = self.meant(&shelf, call);
        let expected: Vec<Bound> = match &meant {
            Meant::Skill(skill, _) => vec![bound_of(skill)],
            Meant::Nothing(_) | Meant::List => Vec::new(),
        };
        if let Some(other) = bound.iter().find(|bound| !expected.contains(bound)) {
            let what = quoted(&other.what);
            return not_started(format!("{what} is not what it was when the call was allowed; ask for it again"));
        }
        let (skill, arguments) = match meant {
            Meant::List => return Ok(Self::listing(&shelf)),
            Meant::Nothing(outcome) => return Ok(outcome),
            Meant::Skill(skill, arguments) => (skill, arguments),
        };
        if bound.is_empty() {
            return not_started("its script was not looked at before; ask for it again".to_owned());
        }
        let deadline = (*deadline).min(self.around.clock.now() + self.time_max);
        let asked = Asked { session: session.clone(), call: call.id.clone(), arguments, deadline };
        outcome(call, run(&self.sandbox, &skill, &self.around, asked).await)
    }
}

fn bound_of(skill: &Skill) -> Bound {
    Bound { what: format!("the script of the skill `{}`", skill.name), sha256: skill.sha256 }
}

fn outcome(call: &ToolCall, ran: Ran) -> Result<CallOutcome, HandsError> {
    let error = match ran.output {
        Ok(output) => return Ok(CallOutcome::ok(bounded(output.text, TOOL_OUTPUT_BYTES_MAX))),
        Err(error) => error,
    };
    let (tool, mut why) = (call.name.clone(), error.to_string());
    if matches!(error, SkillError::Sandbox { .. }) && ran.records.is_empty() {
        return Err(HandsError::NotStarted { tool, why });
    }
    let is_lost = ran.was_acting || matches!(error, SkillError::Sandbox { .. });
    // Whoever reads that it failed must know what it did before; not again what it failed with.
    let ended_by = ran.records.last().filter(|last| why.ends_with(&last.outcome));
    for record in ran.records.iter().take(ran.records.len() - usize::from(ended_by.is_some())) {
        why.push_str(&format!("\nBefore that: {}: {}", record.call, record.outcome));
    }
    if let Some(last) = ended_by {
        why.push_str(&format!("\nThat was: {}", last.call));
    }
    let why = bounded(why, TOOL_OUTPUT_BYTES_MAX);
    if is_lost { Err(HandsError::Lost { tool, why }) } else { Ok(CallOutcome::failed(why)) }
}

#[async_trait]
impl Refresh for SkillHands {
    fn missing_skill(&self, name: &ToolName) -> Option<String> {
        self.shelf().why_missing(name.as_str())
    }

    async fn refresh(&self) {
        let (library, before) = (self.library.clone(), self.shelf());
        let has_starters = self.has_starters;
        let read = tokio::task::spawn_blocking(move || {
            let scan = library.scan_anew(&before.files, has_starters);
            (before, scan)
        });
        let Ok((before, scan)) = read.await else { return };
        let tools = self.tools.tools();
        let mut shelf = match scan {
            // The same list, so that whoever keeps it need not make it anew.
            Ok(SkillScan { files, without_starters: None }) if before.is_of(&files, &tools) => return,
            Ok(SkillScan { files, without_starters }) => {
                let names: BTreeSet<_> = files.iter().map(|file| file.name.clone()).collect();
                let is_skill = |name: &ToolName| names.contains(name.as_str());
                let files = files.into_iter().map(|file| checked(file, &tools, is_skill)).collect();
                Shelf { fault: without_starters, ..Shelf::new(files, tools) }
            }
            Err(error) => Shelf { fault: Some(error), ..Shelf::new(Vec::new(), tools) },
        };
        if let Some(fault) = &shelf.fault {
            tracing::warn!(error = with_causes(fault), fix = fault.fix(), "not all skills could be read");
        }
        if shelf.specs == before.specs {
            shelf.specs = Arc::clone(&before.specs);
        }
        *self.shelf.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(shelf);
    }
}

/// The file, judged by the tools that there are, and by which other names are skills.
pub(super) fn checked(file: SkillFile, tools: &[ToolSpec], is_skill: impl Fn(&ToolName) -> bool) -> SkillFile {
    let Ok(skill) = file.skill.clone() else { return file };
    let names: BTreeSet<_> = tools.iter().map(|spec| &spec.name).collect();
    let is_own = |name: &ToolName| matches!(name.as_str(), LIST | RUN);
    if names.contains(&skill.name) || is_own(&skill.name) {
        return file.with_fault(SkillFault::NameTaken { name: skill.name.as_str().to_owned() });
    }
    let Some(tool) = skill.manifest.tools.iter().find(|tool| !names.contains(tool)) else { return file };
    let fault = match is_own(tool) || is_skill(tool) {
        true => ManifestFault::CallsSkills { tool: tool.clone() },
        false => ManifestFault::NoSuchTool { tool: tool.clone() },
    };
    file.with_fault(Manifest::blame_tool(&skill.source, tool, fault).into())
}

fn no_parameters() -> Value {
    json!({"type": "object", "properties": {}, "additionalProperties": false})
}

fn run_parameters() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "The skill"},
            "args": {"type": "string", "description": "Its arguments, as one text"},
        },
        "required": ["name"],
        "additionalProperties": false,
    })
}

/// The two tools beside the skills. Their names keep the rules of names, which a test sees to.
fn own_tools() -> impl Iterator<Item = ToolSpec> {
    let example = |message: &str| ToolExample { message: message.to_owned(), arguments: json!({}) };
    let examples = ["list the skills", "which skills do you have", "show my skills"].map(example).to_vec();
    let list = ToolName::new(LIST).map(|name| ToolSpec {
        name,
        description: "Names the skills that are there".to_owned(),
        parameters: no_parameters(),
        positional: Vec::new(),
        repeat: Repeat::ReadOnly,
        risk: Risk::Low,
        examples,
        kind: ToolKind::Tool,
        output: Material::Own,
    });
    let run = ToolName::new(RUN).map(|name| ToolSpec {
        name,
        description: "Runs a skill by its name".to_owned(),
        parameters: run_parameters(),
        positional: vec!["name".to_owned(), "args".to_owned()],
        repeat: Repeat::Once,
        risk: Risk::Low,
        examples: Vec::new(),
        kind: ToolKind::Tool,
        output: Material::Foreign,
    });
    [list, run].into_iter().flatten()
}

#[cfg(test)]
mod tests;
