//! `calc`: exact arithmetic with units.
//!
//! The calculator is the crate fend-core, kept to what is a function of the expression: no variables, no functions of
//! one's own, no dates, no random numbers, no exchange rates. Whatever it is given, it ends: the expression's length
//! and nesting bound its parser, a count of its own checks and a time bound the rest, and it runs on a thread with a
//! stack that the deepest expression fits into.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Semaphore, oneshot};

use crate::data::Timestamp;
use crate::hands::text::quoted;
use crate::hands::{Tool, ToolError};
use crate::sys::Clock;

/// The longest expression, in characters.
const EXPRESSION_CHARS_MAX: usize = 256;
/// The deepest nesting of parentheses. The parser tries again and again: each level may triple its time, and the worst
/// expression that a search of 90 s found at eight levels took 0.7 s.
const NESTING_MAX: usize = 6;
/// How many of the calculator's own checks a calculation may take. `1000!` takes 5,603. A count, unlike a time, gives
/// the same answer on every machine.
const CHECKS_MAX: u64 = 30_000;
/// How long a calculation may take all the same: what lies between two checks grows with the numbers, so that `2e1000!`
/// would take minutes for few of them.
const TIME_MAX: Duration = Duration::from_secs(2);
/// A level of the parser or evaluator takes up to 60 KiB of stack in a debug build, and there are at most as many
/// levels as characters. Only what is used is ever backed by memory.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// How many calculations may run at once in one toolbox; further ones wait.
const CALCULATIONS_MAX: usize = 4;
/// The longest result, in bytes.
const RESULT_BYTES_MAX: usize = 4 * 1024;

#[derive(Deserialize, JsonSchema)]
struct Calc {
    /// An arithmetic expression, such as `17 * 23`, `15% of 80`, `sqrt(2)` or `5 km to miles`.
    expression: String,
}

pub(super) fn tool(clock: Arc<dyn Clock>) -> Tool {
    let running = Arc::new(Semaphore::new(CALCULATIONS_MAX));
    let example = |text: &str| json!({ "expression": text });
    Tool::new("calc", "Calculates an arithmetic expression exactly, with units and percentages")
        .read_only()
        .positional(["expression"])
        .example("what is 17 * 23?", example("17 * 23"))
        .example("calculate (3+4)*2", example("(3+4)*2"))
        .example("2^10", example("2^10"))
        .example("compute 7/8", example("7/8"))
        .example("calc 10 - 4", example("10 - 4"))
        .example("how much is 15% of 80", example("15% of 80"))
        .example("what does 12 x 12 equal", example("12 x 12"))
        .example("solve 12 plus 30", example("12 plus 30"))
        .example("what is the result of 9 times 9", example("9 times 9"))
        .example("what's 100 divided by 8", example("100 divided by 8"))
        .example("convert 5 km to miles", example("5 km to miles"))
        .example("30 cm in inches", example("30 cm in inches"))
        .example("what is sqrt(16) minus 1", example("sqrt(16) minus 1"))
        .run(move |calc: Calc| {
            let (running, clock) = (Arc::clone(&running), Arc::clone(&clock));
            async move { calculate(&calc.expression, running, clock).await }
        })
}

/// `expression = result`, or why there is no result.
async fn calculate(expression: &str, running: Arc<Semaphore>, clock: Arc<dyn Clock>) -> Result<String, ToolError> {
    let shown = expression.trim().trim_end_matches(['?', '=', '.']).trim_end().to_owned();
    let text = normalized(&shown)?;
    let permit = running.acquire_owned().await.map_err(|_| "the calculator is closed")?;
    let fuel = Arc::new(Fuel::new(clock));
    let _stop = StopOnDrop(Arc::clone(&fuel));
    let (sender, result) = oneshot::channel();
    let thread = std::thread::Builder::new().name("calc".to_owned()).stack_size(STACK_BYTES);
    thread
        .spawn(move || {
            let _permit = permit;
            // Nobody may be listening any more, which is no failure.
            let _ = sender.send(evaluate(&text, &fuel));
        })
        .map_err(|error| format!("the calculator could not start a thread ({error}); try again"))?;
    match result.await {
        Ok(Ok(result)) if result.len() <= RESULT_BYTES_MAX => Ok(equation(&shown, &result)),
        Ok(Ok(result)) => Err(ToolError::failed(format!(
            "the result of {} has {} characters, over {RESULT_BYTES_MAX}; ask for less, such as `to sf` of it",
            quoted(&shown),
            result.len()
        ))),
        Ok(Err(why)) => Err(ToolError::failed(format!("{} can't be calculated: {why}", quoted(&shown)))),
        Err(_) => Err(ToolError::failed(format!("the calculator broke on {}; write it differently", quoted(&shown)))),
    }
}

fn equation(expression: &str, result: &str) -> String {
    match result.strip_prefix("approx. ") {
        Some(rounded) => format!("{expression} ≈ {rounded}"),
        None => format!("{expression} = {result}"),
    }
}

fn evaluate(text: &str, fuel: &Fuel) -> Result<String, String> {
    let mut context = fend_core::Context::new();
    let result = fend_core::evaluate_with_interrupt(text, &mut context, fuel).map_err(|why| {
        if fuel.is_spent() { "it is too much work; make the numbers smaller".to_owned() } else { why }
    })?;
    match result.get_main_result() {
        "" => Err("it has no result".to_owned()),
        function if function.starts_with('\\') => Err("it is a function without its argument".to_owned()),
        result => Ok(result.to_owned()),
    }
}

/// Ends a calculation after [`CHECKS_MAX`] checks, after [`TIME_MAX`], or when nobody waits for it.
struct Fuel {
    used: AtomicU64,
    stopped: AtomicBool,
    clock: Arc<dyn Clock>,
    deadline: Timestamp,
}

impl Fuel {
    fn new(clock: Arc<dyn Clock>) -> Self {
        let deadline = clock.now() + TIME_MAX;
        Self { used: AtomicU64::new(0), stopped: AtomicBool::new(false), clock, deadline }
    }

    fn is_spent(&self) -> bool {
        self.used.load(Ordering::Relaxed) >= CHECKS_MAX || self.clock.now() >= self.deadline
    }
}

impl fend_core::Interrupt for Fuel {
    fn should_interrupt(&self) -> bool {
        let is_spent = self.is_spent();
        self.used.fetch_add(1, Ordering::Relaxed);
        is_spent || self.stopped.load(Ordering::Relaxed)
    }
}

struct StopOnDrop(Arc<Fuel>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

/// The expression as the calculator reads it: typographic signs and words for operators replaced, products written
/// out, and everything refused that is not arithmetic.
fn normalized(expression: &str) -> Result<String, String> {
    let chars = expression.chars().count();
    if chars > EXPRESSION_CHARS_MAX {
        return Err(format!("the expression has {chars} characters; at most {EXPRESSION_CHARS_MAX} fit, so split it"));
    }
    if expression.is_empty() {
        return Err("the expression is empty; give one such as 17 * 23".to_owned());
    }
    let mut plain = String::with_capacity(expression.len());
    for c in expression.chars() {
        match c {
            '×' | '·' | '⋅' => plain.push('*'),
            '÷' => plain.push('/'),
            '−' | '–' => plain.push('-'),
            c if c.is_alphanumeric() || "+-*/^!%().,<>°µ".contains(c) => plain.push(c),
            c if c.is_whitespace() => plain.push(' '),
            c => return Err(format!("{} holds {c:?}, which is not arithmetic; leave it out", quoted(expression))),
        }
    }
    check_separators(&plain)?;
    let words = operators_from_words(&plain);
    check_nesting(&words)?;
    check_dice(&words)?;
    with_products_written_out(&words)
}

/// `plus`, `times`, `divided by` and their like as signs; `x` as a product when it stands between numbers.
fn operators_from_words(plain: &str) -> String {
    let words: Vec<&str> = plain.split_whitespace().collect();
    let word = |at: usize| words.get(at).map(|word| word.to_lowercase()).unwrap_or_default();
    let starts_number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit() || c == '(');
    let mut signs: Vec<&str> = Vec::with_capacity(words.len());
    let mut at = 0;
    while let Some(given) = words.get(at) {
        let (sign, taken) = match (word(at).as_str(), word(at + 1).as_str()) {
            ("plus", _) => ("+", 1),
            ("minus", _) => ("-", 1),
            ("times", _) => ("*", 1),
            ("multiplied" | "divided", "by") => (if word(at) == "divided" { "/" } else { "*" }, 2),
            ("x", next) if at > 0 && starts_number(next) => ("*", 1),
            ("squared", _) => ("^2", 1),
            ("cubed", _) => ("^3", 1),
            ("percent", _) => ("%", 1),
            _ => (*given, 1),
        };
        signs.push(sign);
        at += taken;
    }
    signs.join(" ")
}

/// The calculator takes `3d6` for dice and works out the chance of each sum, between whose checks any time can pass.
fn check_dice(text: &str) -> Result<(), String> {
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.starts_with("0x")) {
        let mut before = None;
        let mut chars = word.chars().peekable();
        while let Some(c) = chars.next() {
            let begins = !before.is_some_and(char::is_alphabetic);
            if c == 'd' && begins && chars.peek().is_some_and(char::is_ascii_digit) {
                return Err(format!("{} is dice, and random numbers are no arithmetic; leave it out", quoted(word)));
            }
            before = Some(c);
        }
    }
    Ok(())
}

/// A comma between digits separates thousands, or the number is refused: `1,5` is a decimal in half of the world.
fn check_separators(text: &str) -> Result<(), String> {
    for number in text.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ',') {
        let (thousands, decimals) = number.split_once('.').unwrap_or((number, ""));
        let mut groups = thousands.split(',');
        let first = groups.next().unwrap_or_default().len();
        let mut rest = groups.peekable();
        let is_grouped = rest.peek().is_none() || (1..=3).contains(&first) && rest.all(|group| group.len() == 3);
        if !is_grouped || decimals.contains(',') {
            return Err(format!("{} could mean several numbers; write decimals with a point, as 1.5", quoted(number)));
        }
    }
    Ok(())
}

fn check_nesting(text: &str) -> Result<(), String> {
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1).ok_or("a `)` has no `(` before it")?,
            _ => {}
        }
        if depth > NESTING_MAX {
            return Err(format!("its parentheses are nested over {NESTING_MAX} deep; split it"));
        }
    }
    if depth > 0 { Err("a `(` has no `)` after it".to_owned()) } else { Ok(()) }
}

/// `2 (3)` as `2*(3)`. Two numbers side by side are refused: `1 2/3` could be a mixed fraction or a slip.
fn with_products_written_out(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + 8);
    let mut last = ' ';
    let mut spaced = false;
    let mut in_number = false;
    for c in text.chars() {
        if c == ' ' {
            spaced = true;
            continue;
        }
        let after_value = (in_number && !last.is_alphabetic()) || last == ')';
        if c == '(' && after_value {
            out.push('*');
        } else if spaced && in_number && c.is_ascii_digit() {
            return Err("two numbers stand side by side; put an operator between them".to_owned());
        } else if spaced && !out.is_empty() {
            out.push(' ');
        }
        // A digit begins a number unless it goes on with a name, as in `log2`.
        let goes_on = !spaced && (last.is_alphanumeric() || last == '.' || last == ',');
        in_number =
            if goes_on { in_number && (c.is_alphanumeric() || c == '.' || c == ',') } else { c.is_ascii_digit() };
        out.push(c);
        (last, spaced) = (c, false);
    }
    Ok(out)
}

#[cfg(test)]
#[path = "calc/tests.rs"]
mod tests;
