//! The values of a header, each with its rule.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::{Map, Value};

use super::lines::HeaderLine;
use super::{ArgumentKind, ManifestError, SkillArgument, SkillHosts};
use crate::data::ToolName;
use crate::hands::ToolExample;
use crate::hands::skills::bounds::{HEADER_HOSTS_MAX, HEADER_TOOLS_MAX};

const ARGUMENT_RULE: &str = "it is `<name> <text|number|integer|boolean> [optional] - <what it is>`, such as \
                             `city text optional - Where to look`";
const HOST_RULE: &str = "a host is a name such as `api.example.org` or an address such as `10.0.0.1`, with a port or without, \
                         or `*.example.org` for all names below a zone; no scheme, no path, no other `*`; `any` means \
                         every public host and stands alone";
const ARGUMENT_NAME_BYTES_MAX: usize = 32;
const VERSION_BYTES_MAX: usize = 32;

pub(super) fn sentence(line: &HeaderLine<'_>) -> Result<String, ManifestError> {
    Ok(line.value.to_owned())
}

pub(super) fn version(line: &HeaderLine<'_>) -> Result<String, ManifestError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+');
    if line.value.len() <= VERSION_BYTES_MAX && line.value.bytes().all(fits) {
        return Ok(line.value.to_owned());
    }
    Err(line.bad(format!("it is up to {VERSION_BYTES_MAX} letters, digits, dots, `-` and `+`")))
}

pub(super) fn yes_or_no(line: &HeaderLine<'_>) -> Result<bool, ManifestError> {
    match line.value {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(line.bad("it is `yes` or `no`")),
    }
}

pub(super) fn argument(line: &HeaderLine<'_>) -> Result<SkillArgument, ManifestError> {
    let bad = || line.bad(ARGUMENT_RULE);
    let (declared, description) = line.value.split_once(" - ").ok_or_else(bad)?;
    let mut words = declared.split_whitespace();
    let (Some(name), Some(kind)) = (words.next(), words.next()) else { return Err(bad()) };
    let is_optional = match (words.next(), words.next()) {
        (None, None) => false,
        (Some("optional"), None) => true,
        _ => return Err(bad()),
    };
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !starts || name.len() > ARGUMENT_NAME_BYTES_MAX || !name.bytes().all(fits) {
        let rule = "an argument's name is a word of a-z, 0-9 and `_` that begins with no digit";
        return Err(line.bad(format!("{rule}, of at most {ARGUMENT_NAME_BYTES_MAX}")));
    }
    let kind = ArgumentKind::ALL.iter().find(|(word, _)| *word == kind).ok_or_else(bad)?.1;
    let description = description.trim();
    if description.is_empty() {
        return Err(bad());
    }
    Ok(SkillArgument { name: name.to_owned(), kind, is_optional, description: description.to_owned() })
}

pub(super) fn example(line: &HeaderLine<'_>) -> Result<ToolExample, ManifestError> {
    let rule = "it is a sentence, and `=> {…}` with the arguments that it means, as a JSON object";
    let (message, arguments) = match line.value.split_once("=>") {
        None => (line.value, Value::Object(Map::new())),
        Some((message, json)) => {
            let arguments = serde_json::from_str(json.trim());
            (message.trim(), arguments.map_err(|error| line.bad(format!("{rule} ({error})")))?)
        }
    };
    if message.is_empty() || !arguments.is_object() {
        return Err(line.bad(rule));
    }
    Ok(ToolExample { message: message.to_owned(), arguments })
}

pub(super) fn hosts(line: &HeaderLine<'_>) -> Result<SkillHosts, ManifestError> {
    if line.value == "any" {
        return Ok(SkillHosts::Any);
    }
    let mut hosts = Vec::new();
    for item in items(line)? {
        line.at_most(hosts.len(), HEADER_HOSTS_MAX)?;
        if !is_host(item) {
            return Err(line.bad_item(item, HOST_RULE));
        }
        hosts.push(item.to_ascii_lowercase());
    }
    Ok(SkillHosts::Named(hosts.into()))
}

pub(super) fn methods(line: &HeaderLine<'_>) -> Result<BTreeSet<&'static str>, ManifestError> {
    let known = |item: &str| ["GET", "POST"].into_iter().find(|known| *known == item);
    let rule = "the methods are `GET` and `POST`";
    items(line)?.into_iter().map(|item| known(item).ok_or_else(|| line.bad_item(item, rule))).collect()
}

pub(super) fn tools(line: &HeaderLine<'_>) -> Result<BTreeSet<ToolName>, ManifestError> {
    let items = items(line)?;
    line.at_most(items.len(), HEADER_TOOLS_MAX + 1)?;
    items.into_iter().map(|item| ToolName::new(item).map_err(|error| line.bad_item(item, error.to_string()))).collect()
}

/// What stands between commas.
pub(super) fn items_of<'a>(line: &HeaderLine<'a>) -> impl Iterator<Item = &'a str> {
    line.value.split(',').map(str::trim)
}

/// The same, where none may be empty or stand there twice.
fn items<'a>(line: &HeaderLine<'a>) -> Result<Vec<&'a str>, ManifestError> {
    let items: Vec<_> = items_of(line).collect();
    let distinct: BTreeSet<_> = items.iter().map(|item| item.to_ascii_lowercase()).collect();
    if items.iter().any(|item| item.is_empty()) || distinct.len() != items.len() {
        return Err(line.bad("it is a list with commas between its items, each once and none empty"));
    }
    Ok(items)
}

/// Whether `text` is a name, an IPv4 address or `*.zone`, with a port or without.
fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let port_fits = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    let (name, is_zone) = host.strip_prefix("*.").map_or((host, false), |zone| (zone, true));
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(fits) && !label.starts_with('-') && !label.ends_with('-')
    };
    // A whole top-level zone is nobody's own.
    let deep_enough = !is_zone || name.contains('.');
    let is_name = name.len() <= 253 && name.split('.').all(is_label) && !name.eq_ignore_ascii_case("any");
    let fits = if ends_in_number(name) { !is_zone && name.parse::<Ipv4Addr>().is_ok() } else { is_name };
    port_fits && deep_enough && fits
}

/// Whether URLs take `name` for an IPv4 address, in whichever of its spellings: `127.1` and `0x7f.1` are `127.0.0.1`.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_hexadecimal = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_decimal = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal || last.strip_prefix("0x").or(last.strip_prefix("0X")).is_some_and(is_hexadecimal)
}
