//! Functions of Rhai's standard library that no limit of Rhai's holds inside, replaced.
//!
//! `sleep` looks at no deadline. `replace` makes its result before its size is looked at: 60,000 characters replaced by
//! 60,000 characters each are 3.6 GB. `pad` with an empty text never comes to its end.

use rhai::{Engine, EvalAltResult, FLOAT, INT, ImmutableString, Position};

use super::bounds::STRING_BYTES_MAX;

/// Names that are not to be called at all.
pub(super) const SWITCHED_OFF: &[&str] = &["sleep", "eval", "import", "export"];

type Result = std::result::Result<(), Box<EvalAltResult>>;

pub(super) fn replace_in(engine: &mut Engine) {
    engine.disable_symbol("eval").disable_symbol("import").disable_symbol("export");
    engine.register_fn("sleep", |_: INT| no_sleep());
    engine.register_fn("sleep", |_: FLOAT| no_sleep());
    engine.register_fn("replace", |text: &mut ImmutableString, from: &str, to: &str| replace(text, from, to));
    engine.register_fn("replace", |text: &mut ImmutableString, from: &str, to: char| {
        replace(text, from, to.encode_utf8(&mut [0; 4]))
    });
    engine.register_fn("replace", |text: &mut ImmutableString, from: char, to: &str| {
        replace(text, from.encode_utf8(&mut [0; 4]), to)
    });
    engine.register_fn("replace", |text: &mut ImmutableString, from: char, to: char| {
        replace(text, from.encode_utf8(&mut [0; 4]), to.encode_utf8(&mut [0; 4]))
    });
    engine.register_fn("pad", |text: &mut ImmutableString, length: INT, with: &str| pad(text, length, with));
}

/// As Rhai's own: `with` again and again until `text` has `length` characters.
fn pad(text: &mut ImmutableString, length: INT, with: &str) -> Result {
    let missing = usize::try_from(length).unwrap_or(0).saturating_sub(text.chars().count());
    if missing == 0 {
        return Ok(());
    }
    if with.is_empty() {
        return Err("`pad` needs something to pad with; the text is empty".into());
    }
    // A character has a byte at least.
    if missing.saturating_add(text.len()) > STRING_BYTES_MAX {
        return Err(EvalAltResult::ErrorDataTooLarge("Length of string".to_owned(), Position::NONE).into());
    }
    *text = text.chars().chain(with.chars().cycle().take(missing)).collect::<String>().into();
    Ok(())
}

fn no_sleep() -> Result {
    Err("a skill can't sleep: its time is counted".into())
}

fn replace(text: &mut ImmutableString, from: &str, to: &str) -> Result {
    if text.is_empty() {
        return Ok(());
    }
    let hits = text.matches(from).count();
    let grown = hits.saturating_mul(to.len()).saturating_add(text.len() - hits * from.len());
    if grown > STRING_BYTES_MAX {
        return Err(EvalAltResult::ErrorDataTooLarge("Length of string".to_owned(), Position::NONE).into());
    }
    *text = text.replace(from, to).into();
    Ok(())
}
