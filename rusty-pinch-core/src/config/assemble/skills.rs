//! The skills of the workspace.

use crate::causes::with_causes;
use crate::config::{Check, Settings};
use crate::hands::{SkillLibrary, SkillScan, Skills};

/// The folder of skills in the workspace.
const FOLDER: &str = "skills";
/// How many broken skills `doctor` names; `skills check` names all.
const BROKEN_SHOWN_MAX: usize = 5;

/// The skills of the workspace.
pub fn skill_library(settings: &Settings) -> SkillLibrary {
    SkillLibrary::new(settings.store.workspace.join(FOLDER))
}

/// The skills that an agent of these settings has; none where nobody said where they run.
pub(super) fn of(settings: &Settings) -> Option<Skills> {
    let sandbox = settings.skills.sandbox.clone()?;
    let skills = Skills::new(skill_library(settings), sandbox).with_starters();
    Some(skills.time_max(settings.skills.time_max).request_time(settings.egress.timeout))
}

/// How many skills there are, and which can't be used. Nothing is made where there are none yet.
pub(super) fn examine(settings: &Settings) -> Vec<Check> {
    let SkillScan { files, without_starters } = match skill_library(settings).scan_with_starters() {
        Ok(scan) => scan,
        Err(error) => return vec![Check::error("skills", with_causes(&error), error.fix())],
    };
    let mut checks = Vec::new();
    if let Some(error) = without_starters {
        checks.push(Check::warning(
            "skills",
            format!("no starter skill is offered: {}", with_causes(&error)),
            error.fix(),
        ));
    }
    let broken: Vec<_> = files.iter().filter_map(|file| Some((file, file.skill.as_ref().err()?))).collect();
    if broken.is_empty() {
        let folder = skill_library(settings).folder().display().to_string();
        checks.push(Check::ok("skills", format!("{} in {folder}", files.len())));
        return checks;
    }
    checks.extend(broken.iter().take(BROKEN_SHOWN_MAX).map(|(file, fault)| {
        let message = format!("the skill {:?} can't be used: {fault}", file.name);
        Check::warning("skills", message, "correct the file, or move it away; the other skills are not affected")
    }));
    if broken.len() > BROKEN_SHOWN_MAX {
        let message = format!("{} more skills can't be used", broken.len() - BROKEN_SHOWN_MAX);
        checks.push(Check::warning("skills", message, "`rusty-pinch skills check` names them"));
    }
    checks
}

/// The names that rules for tools may use beside those of the built-in tools. Starter skills count, whatever became of
/// them.
pub(super) fn names(settings: &Settings) -> Vec<String> {
    let files = skill_library(settings).scan().unwrap_or_default();
    let starters = crate::hands::STARTER_SKILLS.iter().map(|starter| starter.name);
    let own = ["skill_list", "skill_run"].into_iter().chain(starters).map(str::to_owned);
    own.chain(files.into_iter().map(|file| file.name)).collect()
}
