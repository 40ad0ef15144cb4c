//! Reading a file of `NAME=value` lines.
//!
//! The syntax is dotenvy's. What is added here: bounds, the number of a bad line (never its text, which may hold a
//! secret), and that a name stands once.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::error::SettingsProblem;
use super::names::is_ours;
use super::vars::{Given, Origin};

/// The largest file of variables, in bytes.
const ENV_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The pairs in the file at `path`; nothing when there is no such file and it need not exist, or when it is not usable,
/// which is then among `problems`.
pub(crate) fn read(
    path: &Path,
    must_exist: bool,
    problems: &mut Vec<SettingsProblem>,
) -> Option<BTreeMap<String, Given>> {
    match read_text(path) {
        Ok(text) => Some(parse(path, &text, problems)),
        Err(Unreadable { why, missing }) => {
            if must_exist || !missing {
                let fix = "correct RUSTY_PINCH_ENV_FILE or the file, or unset the variable".to_owned();
                problems.push(SettingsProblem::EnvFile { path: path.to_owned(), why, fix });
            }
            None
        }
    }
}

struct Unreadable {
    why: String,
    missing: bool,
}

fn read_text(path: &Path) -> Result<String, Unreadable> {
    let failed = |error: std::io::Error| Unreadable {
        missing: error.kind() == ErrorKind::NotFound,
        why: match error.kind() {
            ErrorKind::NotFound => "does not exist".to_owned(),
            _ => format!("can't be read: {error}"),
        },
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(ENV_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > ENV_FILE_BYTES_MAX {
        return Err(Unreadable { why: format!("is larger than {ENV_FILE_BYTES_MAX} bytes"), missing: false });
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Unreadable { why: "is not valid UTF-8 text".to_owned(), missing: false })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn parse(path: &Path, text: &str, problems: &mut Vec<SettingsProblem>) -> BTreeMap<String, Given> {
    let mut pairs: BTreeMap<String, Given> = BTreeMap::new();
    let shared: Arc<Path> = path.into();
    let lines_read = Rc::new(Cell::new(0));
    // The end of a file ends its last line.
    let text = if text.ends_with('\n') { Cow::Borrowed(text) } else { Cow::Owned(format!("{text}\n")) };
    let source = LineByLine { rest: text.as_bytes(), lines: Rc::clone(&lines_read) };
    let mut items = dotenvy::from_read_iter(source);
    loop {
        let lines_before = lines_read.get();
        let Some(item) = items.next() else { return pairs };
        let line = first_meaningful_line(&text, lines_before);
        let bad = |why: &str| SettingsProblem::EnvFileLine { path: path.to_owned(), line, why: why.to_owned() };
        match item {
            Ok((name, value)) => {
                if is_ours(&name) && pairs.contains_key(&name) {
                    problems.push(bad(&format!("sets {name} again")));
                }
                let origin = Origin::File { path: Arc::clone(&shared), line };
                pairs.entry(name).or_insert(Given { value, origin });
            }
            Err(_) => problems.push(bad("is not NAME=value")),
        }
    }
}

/// The number of the first line after `lines_before` that is neither blank nor a comment.
fn first_meaningful_line(text: &str, lines_before: usize) -> usize {
    let is_meaningful = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let skipped = text.lines().skip(lines_before).position(is_meaningful).unwrap_or(0);
    lines_before + skipped + 1
}

/// Hands out one line per `read`, so that whoever buffers it has not read ahead when it meets a bad line.
struct LineByLine<'a> {
    rest: &'a [u8],
    lines: Rc<Cell<usize>>,
}

impl Read for LineByLine<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let line_bytes = self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |at| at + 1);
        let bytes = line_bytes.min(buffer.len());
        let (now, later) = self.rest.split_at(bytes);
        buffer.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
        if bytes == line_bytes && bytes > 0 {
            self.lines.set(self.lines.get() + 1);
        }
        self.rest = later;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, pairs: &[(&str, &str, usize)], bad_lines: &[usize]) {
        let mut problems = Vec::new();
        let found = parse(Path::new("x.env"), text, &mut problems);
        let found: Vec<_> = found
            .iter()
            .map(|(name, given)| match &given.origin {
                Origin::File { line, .. } => (name.as_str(), given.value.as_str(), *line),
                Origin::Environment => unreachable!("it came from a file"),
            })
            .collect();
        assert_eq!(found, pairs, "{text:?}");
        let bad: Vec<_> = problems
            .iter()
            .map(|problem| match problem {
                SettingsProblem::EnvFileLine { line, .. } => *line,
                other => panic!("{other}"),
            })
            .collect();
        assert_eq!(bad, bad_lines, "{text:?}: {problems:?}");
    }

    #[test]
    fn values_are_read_with_the_line_on_which_they_begin() {
        check(
            "A=1\n# comment\n\nexport B='x y' # more\nC=\"two\nlines\"\nD=\n",
            &[("A", "1", 1), ("B", "x y", 4), ("C", "two\nlines", 5), ("D", "", 7)],
            &[],
        );
        check("", &[], &[]);
        check("A=1", &[("A", "1", 1)], &[]);
    }

    #[test]
    fn every_bad_line_is_named_and_the_good_ones_are_kept() {
        check("no equals sign\nA=1\n=2\nB=3\n", &[("A", "1", 2), ("B", "3", 4)], &[1, 3]);
        check("A=1\n# c\nB='open\nC=3\n", &[("A", "1", 1)], &[3]);
    }

    #[test]
    fn a_name_of_ours_stands_once() {
        check("RUSTY_PINCH_MODEL=a\nRUSTY_PINCH_MODEL=b\n", &[("RUSTY_PINCH_MODEL", "a", 1)], &[2]);
    }

    #[test]
    fn a_bad_line_is_never_quoted() {
        let mut problems = Vec::new();
        parse(Path::new("x.env"), "RUSTY_PINCH_API_KEY 'sk-very-secret\n", &mut problems);
        let shown = format!("{problems:?} {}", problems.first().unwrap());
        assert!(shown.contains("line 1") && !shown.contains("sk-very-secret"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end_with_lines_that_it_has(text in "([A-C_0='\"\\\\$#{}é \t\r\n]|export |\u{feff}){0,60}") {
            let mut problems = Vec::new();
            let found = parse(Path::new("x.env"), &text, &mut problems);
            let lines = text.lines().count().max(1);
            for given in found.values() {
                let is_there = matches!(given.origin, Origin::File { line, .. } if (1..=lines).contains(&line));
                prop_assert!(is_there, "{:?}", given.origin);
            }
            for problem in &problems {
                let line = match problem {
                    SettingsProblem::EnvFileLine { line, .. } => *line,
                    other => return Err(TestCaseError::fail(other.to_string())),
                };
                prop_assert!((1..=lines).contains(&line), "{line} of {lines}");
            }
        }
    }
}
