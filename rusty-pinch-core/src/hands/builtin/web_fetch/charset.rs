//! Bytes to text: the charset that the answer declares, or the page itself, or UTF-8.

use encoding_rs::{Encoding, UTF_8};

/// How far into a page its own declaration is looked for, as browsers do.
const PRESCAN_BYTES: usize = 1024;

/// The text of `bytes`. What can't be decoded becomes `U+FFFD`.
pub(super) fn decoded(bytes: &[u8], content_type: &str, is_html: bool) -> String {
    let declared = label_in(content_type).or_else(|| {
        let start = String::from_utf8_lossy(bytes.get(..PRESCAN_BYTES).unwrap_or(bytes)).into_owned();
        if is_html { label_in(&start) } else { None }
    });
    declared.unwrap_or(UTF_8).decode(bytes).0.into_owned()
}

/// The encoding behind `charset=`.
fn label_in(text: &str) -> Option<&'static Encoding> {
    let lower = text.to_ascii_lowercase();
    let (_, rest) = lower.split_once("charset")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let label = rest.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':'))).next()?;
    Encoding::for_label(label.as_bytes())
}
