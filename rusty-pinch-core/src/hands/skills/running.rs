//! The one run of a script that a thread is busy with.
//!
//! There is one engine for all runs, because making one costs as much as a small script. What differs from run to run
//! (who answers host calls, when it must stop, what was printed) is kept here, per thread, for as long as the run.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, Position};
use serde_json::{Map, Value};

use super::bounds::{HOST_CALLS_MAX, OPERATIONS_PER_LOOK, PRINTED_BYTES_MAX, PRINTED_LINES_MAX};
use super::{HostCall, HostReply};
use crate::hands::floor_char_boundary;

/// What surrounds a run: the parent of a child, or the process itself.
pub(super) trait World {
    /// Asks the host and waits for its reply. None when nobody is there any more to give one.
    fn call(&self, call: HostCall) -> Option<HostReply>;
    /// The bound that the run went over in the meantime, if it did: its time, or its caller.
    fn is_over(&self) -> Option<String>;
}

/// A run.
pub(super) struct Running {
    world: Box<dyn World>,
    named: Map<String, Value>,
    calls: Cell<usize>,
    printed: RefCell<Printed>,
    /// The bound that it went over, once it did.
    over: RefCell<Option<String>>,
}

#[derive(Default)]
struct Printed {
    lines: Vec<String>,
    bytes: usize,
    is_cut: bool,
}

thread_local! {
    static RUNNING: RefCell<Option<Rc<Running>>> = const { RefCell::new(None) };
    /// The number of operations at which the run is to be looked at next.
    static NEXT_LOOK: Cell<u64> = const { Cell::new(0) };
}

impl Running {
    pub(super) fn new(world: impl World + 'static, named: Map<String, Value>) -> Self {
        Self {
            world: Box::new(world),
            named,
            calls: Cell::new(0),
            printed: RefCell::default(),
            over: RefCell::default(),
        }
    }

    /// The bound that it went over, if it did: once over, it stays so.
    fn is_over(&self) -> Option<String> {
        let mut over = self.over.borrow_mut();
        if over.is_none() {
            *over = self.world.is_over();
        }
        over.clone()
    }

    /// Ends it: it went over `bound`.
    fn end(&self, bound: String) -> Box<EvalAltResult> {
        NEXT_LOOK.set(0);
        let bound = self.over.borrow_mut().get_or_insert(bound).clone();
        EvalAltResult::ErrorTerminated(bound.into(), Position::NONE).into()
    }

    /// Runs `script` as this run, and says what it came to and what it printed.
    pub(super) fn enter<T>(self, script: impl FnOnce() -> T) -> (T, Vec<String>) {
        let running = Rc::new(self);
        RUNNING.set(Some(Rc::clone(&running)));
        NEXT_LOOK.set(0);
        let leaving = Leaving;
        let outcome = script();
        drop(leaving);
        let mut printed = running.printed.take();
        if printed.is_cut {
            printed.lines.push("(more was printed, and left out)".to_owned());
        }
        (outcome, printed.lines)
    }
}

/// Ends the run of this thread, also when the script panicked.
struct Leaving;

impl Drop for Leaving {
    fn drop(&mut self) {
        RUNNING.set(None);
    }
}

fn running() -> Option<Rc<Running>> {
    RUNNING.with_borrow(Clone::clone)
}

/// The bound that the run of this thread went over by its operation number `operations`, as the value that ends it.
///
/// A run that is over is over at every operation from then on: Rhai loses an error that ends a run where an operation of its
/// own fails it, and a script that catches what is made of it would go on for another while, again and again.
pub(super) fn progress(operations: u64) -> Option<Dynamic> {
    if operations < NEXT_LOOK.get() {
        return None;
    }
    let bound = running()?.is_over();
    NEXT_LOOK.set(if bound.is_some() { 0 } else { operations + OPERATIONS_PER_LOOK });
    bound.map(Dynamic::from)
}

/// Keeps a printed line.
pub(super) fn print(line: &str) {
    let Some(running) = running() else { return };
    let mut printed = running.printed.borrow_mut();
    let room = PRINTED_BYTES_MAX - printed.bytes;
    if printed.lines.len() == PRINTED_LINES_MAX || room == 0 {
        printed.is_cut = true;
        return;
    }
    let kept = line.get(..floor_char_boundary(line, room)).unwrap_or_default();
    printed.is_cut |= kept.len() < line.len();
    printed.bytes += kept.len().max(1);
    printed.lines.push(kept.to_owned());
}

/// The arguments by name.
pub(super) fn arguments() -> Map<String, Value> {
    running().map(|running| running.named.clone()).unwrap_or_default()
}

/// Asks the host. What the host refuses can be caught by the script; going over a bound can't.
pub(super) fn call(call: HostCall) -> Result<Value, Box<EvalAltResult>> {
    let Some(running) = running() else {
        return Err("there is no host here; run the skill to call it".into());
    };
    if running.calls.get() == HOST_CALLS_MAX {
        return Err(running.end(format!("{HOST_CALLS_MAX} calls of the host")));
    }
    running.calls.set(running.calls.get() + 1);
    let reply = running.world.call(call);
    // However long the host took, the script is not told more than its time allows.
    if let Some(bound) = running.is_over() {
        return Err(running.end(bound));
    }
    match reply {
        Some(Ok(value)) => Ok(value),
        Some(Err(why)) => Err(why.into()),
        None => Err(running.end("the time that its caller waits".to_owned())),
    }
}
