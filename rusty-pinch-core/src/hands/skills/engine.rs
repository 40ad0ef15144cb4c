//! The one engine that every script runs on, and how a script is entered and left.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rhai::module_resolvers::DummyModuleResolver;
use rhai::packages::{Package, StandardPackage};
use rhai::{AST, CallFnOptions, Dynamic, Engine, Scope};

use super::bounds::{
    ARRAY_ITEMS_MAX, CALL_LEVELS_MAX, COMPILED_MAX, EXPRESSION_DEPTH_MAX, FUNCTION_EXPRESSION_DEPTH_MAX, FUNCTIONS_MAX,
    MAP_ENTRIES_MAX, OPERATIONS_MAX, OUTPUT_BYTES_MAX, SCRIPT_BYTES_MAX, STRING_BYTES_MAX, SWITCH_CASES_MAX,
    VALUE_DEPTH_MAX, VARIABLES_MAX,
};
use super::failure::ScriptFailure;
use super::values::{Room, Unfit, with_article};
use super::{host, natives, running};
use crate::data::Sha256Digest;

/// The engine. It holds nothing of any run.
pub(super) static ENGINE: LazyLock<Engine> = LazyLock::new(engine);

fn engine() -> Engine {
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    engine
        .set_max_operations(OPERATIONS_MAX)
        .set_max_call_levels(CALL_LEVELS_MAX)
        .set_max_expr_depths(EXPRESSION_DEPTH_MAX, FUNCTION_EXPRESSION_DEPTH_MAX)
        .set_max_string_size(STRING_BYTES_MAX)
        .set_max_array_size(ARRAY_ITEMS_MAX)
        .set_max_map_size(MAP_ENTRIES_MAX)
        .set_max_variables(VARIABLES_MAX)
        .set_max_functions(FUNCTIONS_MAX)
        .set_max_modules(0)
        .set_module_resolver(DummyModuleResolver::new())
        .set_strict_variables(true)
        .on_progress(running::progress)
        .on_print(running::print)
        .on_debug(|line, _, _| running::print(line));
    natives::replace_in(&mut engine);
    host::register(&mut engine);
    engine
}

/// Reads a script.
pub(super) fn compile(source: &str) -> Result<AST, ScriptFailure> {
    if source.len() > SCRIPT_BYTES_MAX {
        return Err(ScriptFailure::over(format!("{} KiB of script", SCRIPT_BYTES_MAX / 1024)));
    }
    if cases(source) > SWITCH_CASES_MAX {
        return Err(ScriptFailure::over(format!("{SWITCH_CASES_MAX} cases of `switch`; keep so many in a map")));
    }
    Ok(ENGINE.compile(source)?)
}

/// At least as many as `source` has cases of `switch`: what ends one and what parts alternatives, wherever they stand.
fn cases(source: &str) -> usize {
    match source.matches("=>").count() {
        0 => 0,
        ends => ends + source.bytes().filter(|byte| *byte == b'|').count(),
    }
}

/// Compiled scripts by the digest of their source, the oldest first out. The bounds are those of this build, so the
/// digest is the whole key.
#[derive(Default)]
struct Compiled {
    scripts: HashMap<Sha256Digest, Arc<AST>>,
    order: VecDeque<Sha256Digest>,
}

/// Reads a script, or finds it read already.
pub(super) fn compile_once(source: &str) -> Result<Arc<AST>, ScriptFailure> {
    static COMPILED: LazyLock<Mutex<Compiled>> = LazyLock::new(Mutex::default);
    let digest = Sha256Digest::of(source.as_bytes());
    let lock = || COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(script) = lock().scripts.get(&digest) {
        return Ok(Arc::clone(script));
    }
    let script = Arc::new(compile(source)?);
    let mut compiled = lock();
    if compiled.scripts.insert(digest, Arc::clone(&script)).is_none() {
        compiled.order.push_back(digest);
    }
    if compiled.order.len() > COMPILED_MAX
        && let Some(oldest) = compiled.order.pop_front()
    {
        compiled.scripts.remove(&oldest);
    }
    Ok(script)
}

/// How `main` is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// `main(args)`.
    WithText,
    /// `main()`.
    Bare,
}

/// Which `main` a text is for: the one with an argument when there is text, otherwise the one without, and whatever
/// there is when there is only one. It is chosen from what the script defines and never from how a call failed.
pub(super) fn entry(ast: &AST, text: &str) -> Option<Entry> {
    let has = |arity| ast.iter_functions().any(|function| function.name == "main" && function.params.len() == arity);
    let (first, second) = if text.trim().is_empty() { (0, 1) } else { (1, 0) };
    let arity = if has(first) { first } else { second };
    has(arity).then_some(if arity == 1 { Entry::WithText } else { Entry::Bare })
}

/// Runs `script`. A panic of it is a fault of Rhai's or ours, and nothing that it left half-done is used again.
pub(super) fn guarded(script: impl FnOnce() -> Result<String, ScriptFailure>) -> Result<String, ScriptFailure> {
    catch_unwind(AssertUnwindSafe(script))
        .unwrap_or_else(|_| Err(ScriptFailure::failed("it broke the engine (a panic, which was caught)")))
}

/// Runs a script's `main` on `text` and gives what it returned, as text.
pub(super) fn run(ast: &AST, text: &str) -> Result<String, ScriptFailure> {
    let entry = entry(ast, text).ok_or_else(|| {
        ScriptFailure::failed("there is no function `main(args)` or `main()`; a skill begins at one of them")
    })?;
    let (options, mut scope) = (CallFnOptions::default(), Scope::new());
    let returned: Dynamic = match entry {
        Entry::WithText => ENGINE.call_fn_with_options(options, &mut scope, ast, "main", (text.trim().to_owned(),))?,
        Entry::Bare => ENGINE.call_fn_with_options(options, &mut scope, ast, "main", ())?,
    };
    let text = text_of(&returned, "output")?;
    if text.len() > OUTPUT_BYTES_MAX { Err(too_long("output")) } else { Ok(text) }
}

fn too_long(what: &str) -> ScriptFailure {
    ScriptFailure::over(format!("{} KiB of {what}", OUTPUT_BYTES_MAX / 1024))
}

/// Nothing as an empty text, text and numbers as they are, everything else as JSON. `what` it is to the script is for the
/// error.
pub(super) fn text_of(value: &Dynamic, what: &str) -> Result<String, ScriptFailure> {
    if value.is_unit() {
        return Ok(String::new());
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.to_string());
    }
    if value.as_float().is_ok_and(|number| !number.is_finite()) {
        return Ok(value.to_string());
    }
    let room = Room { values: OUTPUT_BYTES_MAX, bytes: OUTPUT_BYTES_MAX };
    match room.holds(value) {
        Ok(()) => {
            let mut json = Bounded::default();
            serde_json::to_writer(&mut json, value).map_err(|_| too_long(what))?;
            Ok(String::from_utf8_lossy(&json.bytes).into_owned())
        }
        Err(Unfit::NoForm(name)) => {
            let held = with_article(ENGINE.map_type_name(name));
            Err(ScriptFailure::failed(format!("its {what} holds {held}, which has no form in JSON; make it text")))
        }
        Err(Unfit::TooDeep) => {
            Err(ScriptFailure::over(format!("{VALUE_DEPTH_MAX} values within one another in its {what}")))
        }
        Err(Unfit::TooMany | Unfit::TooLong) => Err(too_long(what)),
    }
}

/// Takes as many bytes as an output may have, and fails at the next.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > OUTPUT_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
