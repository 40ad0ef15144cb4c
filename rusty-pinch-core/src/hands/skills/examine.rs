//! Whether a file is a skill that can be run, found out without running it.

use std::path::Path;
use std::sync::Arc;

use super::bounds::CHECK_TIME_MAX;
use super::library::{Skill, SkillFault, SkillFile, SkillLibrary};
use super::{Sandbox, ScriptShape, SkillError, SkillSandbox};
use crate::data::Timestamp;
use crate::hands::ToolSpec;
use crate::sys::Clock;

/// Judges a file more closely than the start of a turn does: its script is read in `sandbox`, and its tools must be among
/// `tools`, which are no skills. It takes at most a few seconds. In process, a script that takes longer keeps its thread
/// until it is read, and no call knows of the threads of another: examine one file after the other.
pub async fn examine_skill(
    file: SkillFile,
    tools: &[ToolSpec],
    sandbox: &Sandbox,
    clock: &Arc<dyn Clock>,
) -> SkillFile {
    let library = SkillLibrary::new(file.path.parent().unwrap_or(Path::new(".")));
    let file = super::hands::checked(file, tools, |name| library.path_of(name).exists());
    let Ok(skill) = &file.skill else { return file };
    let sandbox = SkillSandbox::new(sandbox.clone(), Arc::clone(clock));
    match shape_of(skill, &sandbox, clock.now() + CHECK_TIME_MAX).await {
        Ok(_) => file,
        Err(fault) => file.with_fault(fault),
    }
}

/// The shape of a script that a skill can have.
pub(super) async fn shape_of(
    skill: &Skill,
    sandbox: &SkillSandbox,
    deadline: Timestamp,
) -> Result<ScriptShape, SkillFault> {
    let why = |error: SkillError| {
        // Whoever tells the fault names the skill.
        let (why, whose) = (error.to_string(), format!("the skill `{}`", skill.name));
        SkillFault::Script {
            why: why.strip_prefix(&whose).map_or_else(|| why.clone(), |rest| format!("its script{rest}")),
        }
    };
    let shape = sandbox.check(&skill.name, Arc::clone(&skill.source), deadline).await.map_err(why)?;
    if !shape.main_bare && !shape.main_with_text {
        let why = if shape.functions.iter().any(|(name, _)| name == "main") {
            "its `main` takes several arguments, and gets one text or none; write `fn main(args) { … }`, and read them by \
             name with `args()`"
        } else {
            "its script has no `main`; write `fn main(args) { … }`, whose value is the output"
        };
        return Err(SkillFault::Script { why: why.to_owned() });
    }
    Ok(shape)
}
