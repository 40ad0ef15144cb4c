//! `skills`: the scripts of the workspace.

use std::fmt::Write;
use std::sync::Arc;

use rusty_pinch_core::config::skill_library;
use rusty_pinch_core::{
    Clock, DryRun, DryRunError, LibraryError, Sandbox, SkillFile, SkillLibrary, SystemClock, ToolKind, ToolName,
    ToolSpec, dry_run, examine_skill, skill_template,
};
use serde_json::{Value, json};

use crate::arguments::{RunSkill, Skills};
use crate::failure::{Code, Failure, resume, with_causes};
use crate::program::Program;
use crate::{sandbox, turn};

pub(crate) async fn run(program: &Program, arguments: Skills) -> Result<Code, Failure> {
    let library = skill_library(&program.settings);
    if let Err(error) = library.offer_starters() {
        let why = with_causes(&error);
        program.output.warning(&format!("the starter skills could not be copied: {why}; {}", error.fix()));
    }
    match arguments {
        Skills::List => unless_interrupted(list(program, &library)).await,
        Skills::Show(skill) => unless_interrupted(show(program, &library, &skill.name)).await,
        Skills::DryRun(skill) => unless_interrupted(try_out(program, &library, &skill.name)).await,
        Skills::Run(arguments) => run_skill(program, &library, &arguments).await,
        Skills::New(skill) => write_new(program, &library, &skill.name),
        Skills::Check => unless_interrupted(check(program, &library)).await,
    }
}

/// Does `work` until Ctrl-C is pressed. Dropped, it takes its sandbox with it.
async fn unless_interrupted(work: impl Future<Output = Result<Code, Failure>>) -> Result<Code, Failure> {
    tokio::select! {
        done = work => done,
        () = turn::interrupted() => Err(Failure::new(Code::Interrupted, "interrupted", None)),
    }
}

/// The tools that are no skills: those that a header may name, and whose names a skill can't have.
async fn tools(program: &Program) -> Result<Vec<ToolSpec>, Failure> {
    let runtime = program.start_hands()?;
    let own = |spec: &&ToolSpec| spec.kind == ToolKind::Tool && !spec.name.as_str().starts_with("skill_");
    Ok(runtime.agent.tools().iter().filter(own).cloned().collect())
}

async fn examined(program: &Program, library: &SkillLibrary) -> Result<Vec<SkillFile>, Failure> {
    let tools = tools(program).await?;
    let mut files = library.scan().map_err(library_failure)?;
    for file in &mut files {
        *file = judged(file.clone(), &tools).await;
    }
    Ok(files)
}

/// The file, with its script read in a sandbox.
async fn judged(file: SkillFile, tools: &[ToolSpec]) -> SkillFile {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    examine_skill(file, tools, &Sandbox::Child(sandbox::command()), &clock).await
}

fn library_failure(error: LibraryError) -> Failure {
    match &error {
        LibraryError::Exists { .. } => Failure::usage(error.to_string(), "choose another --name"),
        _ => Failure::new(Code::Failed, with_causes(&error), Some(error.fix())),
    }
}

/// A file as JSON: what the operator sees of it, and why it can't be used.
fn as_json(file: &SkillFile) -> Value {
    let mut json = json!({
        "modified_at": file.modified_at,
        "name": file.name,
        "path": file.path.display().to_string(),
        "size_bytes": file.size_bytes,
        "status": if file.skill.is_ok() { "ok" } else { "broken" },
    });
    if let Some(fields) = json.as_object_mut() {
        match &file.skill {
            Ok(skill) => {
                fields.insert("description".to_owned(), skill.manifest.description.as_str().into());
                fields.insert("may_reach".to_owned(), skill.manifest.capabilities().into());
                fields.insert("sha256".to_owned(), skill.sha256.to_string().into());
            }
            Err(fault) => {
                fields.insert("fault".to_owned(), fault.to_string().into());
            }
        }
    }
    json
}

async fn list(program: &Program, library: &SkillLibrary) -> Result<Code, Failure> {
    let files = examined(program, library).await?;
    if program.output.data_as_json() {
        let skills: Vec<_> = files.iter().map(as_json).collect();
        let folder = library.folder().display().to_string();
        program.output.json(&json!({ "skills": skills, "skills_dir": folder }))?;
    } else {
        program.output.text(&page(&files))?;
    }
    Ok(Code::Done)
}

fn page(files: &[SkillFile]) -> String {
    files.iter().fold(String::new(), |mut page, file| {
        // Writing to a string can't fail.
        let _ = match &file.skill {
            Ok(skill) => writeln!(page, "{} - {}", file.name, skill.manifest.description),
            // A file's name may hold line ends.
            Err(fault) => writeln!(page, "{} - can't be used: {fault}", file.name.escape_debug()),
        };
        page
    })
}

async fn check(program: &Program, library: &SkillLibrary) -> Result<Code, Failure> {
    let files = examined(program, library).await?;
    let broken: Vec<_> = files.iter().filter(|file| file.skill.is_err()).collect();
    let code = if broken.is_empty() { Code::Done } else { Code::Failed };
    if program.output.data_as_json() {
        let shown: Vec<_> = broken.iter().map(|file| as_json(file)).collect();
        let status = if broken.is_empty() { "ok" } else { "broken" };
        program.output.json(&json!({ "status": status, "checked": files.len(), "broken": shown }))?;
    } else if broken.is_empty() {
        program.output.text(&format!("{} skills, all of them good", files.len()))?;
    }
    for file in broken {
        if let Err(fault) = &file.skill {
            let error = format!("the skill {:?} can't be used: {fault}", file.name);
            program.output.complain(&Failure::new(code, error, None));
        }
    }
    Ok(code)
}

/// The skill, or a failure that says what is wrong with it or which there are.
async fn find(program: &Program, library: &SkillLibrary, name: &ToolName) -> Result<SkillFile, Failure> {
    let file = present(library, name)?;
    let file = judged(file, &tools(program).await?).await;
    match &file.skill {
        Ok(_) => Ok(file),
        Err(fault) => Err(broken(name, fault)),
    }
}

/// The file of a skill whose header can be read.
fn present(library: &SkillLibrary, name: &ToolName) -> Result<SkillFile, Failure> {
    let Some(file) = library.find(name) else {
        let folder = library.folder().display();
        let fix = "`rusty-pinch skills list` shows the skills that are there";
        return Err(Failure::usage(format!("there is no skill `{name}` in {folder}"), fix));
    };
    match &file.skill {
        Ok(_) => Ok(file),
        Err(fault) => Err(broken(name, fault)),
    }
}

fn broken(name: &ToolName, fault: &rusty_pinch_core::SkillFault) -> Failure {
    let error = format!("the skill `{name}` can't be used: {fault}");
    Failure::new(Code::Failed, error, Some("correct its file; `docs/SKILLS.md` has the rules"))
}

async fn show(program: &Program, library: &SkillLibrary, name: &ToolName) -> Result<Code, Failure> {
    let file = find(program, library, name).await?;
    let Ok(skill) = &file.skill else { return Ok(Code::Failed) };
    let manifest = &skill.manifest;
    if program.output.data_as_json() {
        let mut json = as_json(&file);
        if let Some(fields) = json.as_object_mut() {
            fields.insert("version".to_owned(), json!(manifest.version));
            fields.insert("parameters".to_owned(), manifest.parameters());
            fields.insert("examples".to_owned(), json!(manifest.examples));
            fields.insert("repeat".to_owned(), json!(manifest.repeat()));
            fields.insert("risk".to_owned(), json!(manifest.risk()));
        }
        program.output.json(&json)?;
        return Ok(Code::Done);
    }
    let mut page = format!("{name} - {}\n", manifest.description);
    // Writing to a string can't fail.
    let _ = writeln!(page, "  usage: {}", manifest.spec(name).usage());
    let _ = writeln!(page, "  may reach: {}", manifest.capabilities());
    let _ = writeln!(page, "  risk: {}", manifest.risk().name());
    for argument in &manifest.arguments {
        let _ = writeln!(page, "  {}: {}", argument.name, argument.description);
    }
    for example in &manifest.examples {
        let _ = writeln!(page, "  example: {}", example.message);
    }
    let _ = writeln!(page, "  file: {}", file.path.display());
    program.output.text(&page)?;
    Ok(Code::Done)
}

async fn try_out(program: &Program, library: &SkillLibrary, name: &ToolName) -> Result<Code, Failure> {
    find(program, library, name).await?;
    let sandbox = Sandbox::Child(sandbox::command());
    let ran = dry_run(library, name, sandbox, Arc::new(SystemClock)).await.map_err(|error| match &error {
        DryRunError::NoSuchSkill { .. } => Failure::usage(error.to_string(), "`rusty-pinch skills list` has the names"),
        _ => Failure::new(Code::Failed, error.to_string(), Some("`docs/SKILLS.md` has the rules of headers and cases")),
    })?;
    let code = if ran.is_good() { Code::Done } else { Code::Failed };
    let status = if ran.is_good() { "ok" } else { "failed" };
    let proven = proven(&ran);
    if program.output.data_as_json() {
        let json = json!({
            "skill": ran.skill, "status": status, "proven": proven, "may_reach": ran.capabilities, "lints": ran.lints,
            "cases": ran.cases,
        });
        program.output.json(&json)?;
    } else {
        program.output.text(&format!("{name}: {proven}; it may reach {}", ran.capabilities))?;
        for lint in &ran.lints {
            program.output.warning(lint);
        }
    }
    for case in &ran.cases {
        if let Some(fault) = &case.fault {
            let error = format!("the case {:?} of `{name}` failed: {fault}", case.name);
            program.output.complain(&Failure::new(code, error, None));
        }
    }
    Ok(code)
}

/// What the dry run says of the skill, and no more.
fn proven(ran: &DryRun) -> String {
    let good = ran.cases.iter().filter(|case| case.fault.is_none()).count();
    match ran.cases.len() {
        0 => "only that it compiles and how it looks were proven: it has no cases".to_owned(),
        all => format!("it compiles, and {good} of its {all} cases came out as they should"),
    }
}

async fn run_skill(program: &Program, library: &SkillLibrary, arguments: &RunSkill) -> Result<Code, Failure> {
    let name = &arguments.which.name;
    present(library, name)?;
    let runtime = program.start_hands()?;
    let command = format!("/skill {name} {}", arguments.args);
    let session = &arguments.to.session;
    let turn = runtime.agent.turn(session, command.trim_end());
    let ended = turn::run(turn, &runtime.output).await;
    ended.print_skill(&runtime, name, &resume(session.as_str())).await
}

fn write_new(program: &Program, library: &SkillLibrary, name: &ToolName) -> Result<Code, Failure> {
    let runtime = program.start_hands()?;
    if runtime.agent.tools().iter().any(|tool| tool.kind == ToolKind::Tool && tool.name == *name) {
        return Err(Failure::usage(format!("a tool is named `{name}` already"), "choose another --name"));
    }
    let path = library.write_new(name, &skill_template(name)).map_err(library_failure)?;
    if program.output.data_as_json() {
        program.output.json(&json!({"skill": name, "path": path.display().to_string(), "status": "ok"}))?;
    } else {
        program.output.text(&format!("wrote {}", path.display()))?;
    }
    program.output.hint(&format!("edit it, then `rusty-pinch skills dry-run --name {name}`"));
    Ok(Code::Done)
}
