//! The few variables that only concern a terminal program; all others are settings of the core.

/// The filter of log lines: `RUST_LOG`, or else warnings.
pub(crate) fn log_filter() -> String {
    variable("RUST_LOG").unwrap_or_else(|| "warn".to_owned())
}

/// Whether colours are unwelcome: `NO_COLOR` is set to anything, or the terminal can't show any.
pub(crate) fn no_color() -> bool {
    variable("NO_COLOR").is_some() || variable("TERM").is_some_and(|term| term == "dumb")
}

#[expect(clippy::disallowed_methods, reason = "the door to the terminal's own variables")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}
