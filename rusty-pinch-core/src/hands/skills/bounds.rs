//! Every bound of a skill's run.

use std::time::Duration;

/// The longest script, in bytes.
pub const SCRIPT_BYTES_MAX: usize = 128 * 1024;
/// The most operations of one run. A run that only computes ends here before most deadlines.
pub(super) const OPERATIONS_MAX: u64 = 10_000_000;
/// The deepest nesting of function calls.
pub(super) const CALL_LEVELS_MAX: usize = 32;
/// The deepest nesting of expressions outside functions.
pub(super) const EXPRESSION_DEPTH_MAX: usize = 64;
/// The deepest nesting of expressions in functions.
pub(super) const FUNCTION_EXPRESSION_DEPTH_MAX: usize = 32;
/// The longest text a script can hold, in bytes.
pub(super) const STRING_BYTES_MAX: usize = 512 * 1024;
/// The most items of an array, and the most bytes of a blob.
pub(super) const ARRAY_ITEMS_MAX: usize = 4096;
/// The most entries of a map.
pub(super) const MAP_ENTRIES_MAX: usize = 1024;
/// The most variables at once.
pub(super) const VARIABLES_MAX: usize = 256;
/// The most functions of a script.
pub(super) const FUNCTIONS_MAX: usize = 256;
/// The most cases of all `switch`es of a script. Reading them costs the square of their number: 13,000 take a minute.
pub(super) const SWITCH_CASES_MAX: usize = 2048;
/// How many operations pass between two looks at the deadline. Looking at each would double the cost of a loop.
pub(super) const OPERATIONS_PER_LOOK: u64 = 256;
/// How many looks at the deadline pass between two looks at whether the parent still lives.
pub(super) const LOOKS_PER_LOOK_AT_PARENT: u32 = 64;
/// The most calls of host functions in one run.
pub(super) const HOST_CALLS_MAX: usize = 256;
/// The most text that `main` may return, in bytes.
pub(super) const OUTPUT_BYTES_MAX: usize = 128 * 1024;
/// The most of what is printed that is kept, in bytes.
pub(super) const PRINTED_BYTES_MAX: usize = 16 * 1024;
/// The most lines of what is printed that are kept.
pub(super) const PRINTED_LINES_MAX: usize = 256;
/// How much of an error of a script is kept, in bytes.
pub(super) const WHY_BYTES_MAX: usize = 1024;
/// The longest line from the child, in bytes. A text of [`STRING_BYTES_MAX`] fits, whatever has to be escaped in it.
pub(super) const CHILD_LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most values in a line from the child, each item and each entry counted. Read, a value takes dozens of bytes for two
/// in its line: without this bound a child could make its parent use more memory than it has itself.
pub(super) const CHILD_LINE_VALUES_MAX: usize = 16 * 1024;
/// The most values that a script may hand to its host at once. With those around them they fit a line.
pub(super) const SENT_VALUES_MAX: usize = 8 * 1024;
/// How deep values may lie within one another in one that leaves its script.
pub(super) const VALUE_DEPTH_MAX: usize = 64;
/// The longest line to the child, in bytes.
pub(super) const PARENT_LINE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How much of the child's complaints is kept, in bytes.
pub(super) const COMPLAINT_BYTES_MAX: usize = 4 * 1024;
/// The address space of the child, in bytes, its program included. It bounds the memory in use from above.
pub const SANDBOX_MEMORY_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The stack of a script, in bytes. The deepest script that the other bounds allow needs less, also unoptimised.
pub(super) const STACK_BYTES: u64 = 16 * 1024 * 1024;
/// How long after its deadline a script may still say where it was before it is killed.
pub(super) const GRACE_AFTER_DEADLINE: Duration = Duration::from_millis(40);
/// How long a child may take to go once it has said its last word.
pub(super) const GRACE_AFTER_LAST_WORD: Duration = Duration::from_millis(100);
/// How long a probe of the sandbox may take.
pub(super) const PROBE_TIME_MAX: Duration = Duration::from_secs(5);
/// The most compiled scripts that are kept.
pub(super) const COMPILED_MAX: usize = 64;
/// The most skills of one sandbox on threads at once, those included that were given up and have not ended yet.
pub(super) const IN_PROCESS_RUNS_MAX: usize = 64;
/// The most lints of one script.
pub(super) const LINTS_MAX: usize = 64;
/// How much of a name a lint shows, in characters.
pub(super) const LINT_NAME_CHARS_MAX: usize = 64;
/// The most files of a skill folder that are looked at.
pub const SKILLS_MAX: usize = 256;
/// The most entries of a skill folder that are passed over to find them.
pub(super) const FOLDER_ENTRIES_MAX: usize = 4096;
/// The most lines of a header.
pub(super) const HEADER_LINES_MAX: usize = 64;
/// The longest line of a header, in characters.
pub(super) const HEADER_LINE_CHARS_MAX: usize = 512;
/// The most arguments of a skill.
pub(super) const HEADER_ARGUMENTS_MAX: usize = 8;
/// The most examples of a skill.
pub(super) const HEADER_EXAMPLES_MAX: usize = 32;
/// The most hosts that a header names.
pub(super) const HEADER_HOSTS_MAX: usize = 16;
/// The most tools that a header names.
pub(super) const HEADER_TOOLS_MAX: usize = 16;
/// How long one run of a skill may take unless the operator says otherwise.
pub const SKILL_TIME_MAX: Duration = Duration::from_secs(60);
/// How long reading a script may take where it is not run. An honest one takes milliseconds.
pub(super) const CHECK_TIME_MAX: Duration = Duration::from_secs(3);
/// The most requests of one run.
pub(super) const REQUESTS_MAX: usize = 32;
/// The most of one answer that a script is given, in bytes.
pub(super) const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// The longest body that a script may send, in bytes.
pub(super) const SENT_BYTES_MAX: usize = 128 * 1024;
/// How much of a failed answer's body an error quotes, in bytes.
pub(super) const ANSWER_QUOTED_BYTES_MAX: usize = 200;
/// The most calls of tools in one run.
pub(super) const TOOL_CALLS_MAX: usize = 16;
/// The most keys that a skill keeps.
pub(super) const STATE_KEYS_MAX: usize = 64;
/// The longest key that a skill keeps, in bytes.
pub(super) const STATE_KEY_BYTES_MAX: usize = 64;
/// The most that a skill keeps, in bytes of JSON.
pub const STATE_BYTES_MAX: usize = 16 * 1024;
/// The longest line of the log, in bytes.
pub(super) const LOG_BYTES_MAX: usize = 1024;
/// The most cases of a skill.
pub(super) const CASES_MAX: usize = 64;
/// The longest file of cases, in bytes.
pub(super) const CASES_BYTES_MAX: usize = 1024 * 1024;
