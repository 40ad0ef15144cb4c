//! Every bound of this room.

/// The most output of one call that is kept, in bytes; about 8,000 tokens of English.
pub const TOOL_OUTPUT_BYTES_MAX: usize = 32 * 1024;
/// The longest argument text of a `/tool` command, in characters.
pub const COMMAND_ARGS_CHARS_MAX: usize = 512;
/// How much of a foreign text a message quotes, in characters.
pub(crate) const QUOTED_CHARS_MAX: usize = 80;
/// The most of a summary that an approver is shown, in bytes. More is cut, and the cut is named.
pub const SUMMARY_BYTES_MAX: usize = 8 * 1024;
