//! Where settings came from, what is wrong with them, and what was left over.

use super::{Check, Report};
use crate::config::{Settings, SettingsError, UnknownName};

pub(super) fn report(report: &mut Report, settings: &Settings) {
    let sources = &settings.sources;
    let file = sources.env_file.as_ref().map_or_else(|| "<none>".to_owned(), |file| file.display().to_string());
    report.fact("env_file", file);
    report.check(Check::ok("settings", "every value keeps its rule"));
    unknown(report, &sources.unknown);
    let mut rooms: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, room) in &sources.without_effect {
        match rooms.iter_mut().find(|(known, _)| known == room) {
            Some((_, names)) => names.push(name),
            None => rooms.push((room, vec![name])),
        }
    }
    for (room, names) in rooms {
        let message = format!("recognised, no effect in this version ({room}): {}", names.join(", "));
        report.check(Check::note("settings", message));
    }
}

pub(super) fn report_errors(report: &mut Report, error: &SettingsError) {
    for problem in &error.problems {
        report.check(Check::error("settings", problem.to_string(), problem.fix()));
    }
    unknown(report, &error.unknown);
}

fn unknown(report: &mut Report, names: &[UnknownName]) {
    for UnknownName { name, nearest } in names {
        let message = format!("{name:?} is not a variable of this program");
        report.check(match nearest {
            // Somebody meant to set something, and it is not set.
            Some(nearest) => {
                Check::error("settings", message, format!("did you mean {nearest}? Rename it, or unset it"))
            }
            None => Check::warning("settings", message, "unset it; docs/CONFIGURATION.md has the names"),
        });
    }
}
