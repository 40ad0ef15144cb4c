//! Whether the Codex CLI is here and logged in. It looks at files and runs nothing, so that it may be asked often.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::CodexAccount;

/// A file of credentials is a few kilobytes.
const AUTH_BYTES_MAX: u64 = 1024 * 1024;

/// What the CLI can use to prove who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodexLogin {
    /// An OpenAI key that `codex login --with-api-key` stored.
    StoredKey,
    /// A ChatGPT account that `codex login` stored.
    ChatGpt,
    /// Nothing that is kept in a file. A login in the system's keyring is not seen from here.
    None,
}

/// Finds the CLI: `program` itself when it is a path, else the first file of that name in the folders of `path`.
///
/// Where the package manager's wrapper is found and the native binary lies beside it, the binary is returned: the
/// wrapper would stay as a process in between and cost 50 ms.
pub fn find_codex(program: &Path, path: Option<&OsStr>) -> Option<PathBuf> {
    let found = if program.components().count() > 1 {
        Some(program.to_owned()).filter(|file| is_executable(file))
    } else {
        std::env::split_paths(path?).map(|folder| folder.join(program)).find(|file| is_executable(file))
    }?;
    Some(native(&found).unwrap_or(found))
}

/// What login `home`, the CLI's `CODEX_HOME`, holds.
pub fn codex_login(home: &Path) -> CodexLogin {
    let file = home.join("auth.json");
    let is_small = std::fs::metadata(&file).is_ok_and(|metadata| metadata.len() <= AUTH_BYTES_MAX);
    let auth = Some(file).filter(|_| is_small).and_then(|file| std::fs::read(file).ok()).unwrap_or_default();
    let auth: Value = serde_json::from_slice(&auth).unwrap_or_default();
    let has = |pointer: &str| auth.pointer(pointer).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    if has("/OPENAI_API_KEY") {
        CodexLogin::StoredKey
    } else if has("/tokens/access_token") || has("/tokens/refresh_token") {
        CodexLogin::ChatGpt
    } else {
        CodexLogin::None
    }
}

/// What `account` proves with who it is, in words; none when it has neither key nor login.
pub fn codex_login_of(account: &CodexAccount) -> Option<&'static str> {
    match (&account.config.api_key, codex_login(&account.config.home)) {
        (Some(_), _) => Some("has a key"),
        (None, CodexLogin::StoredKey) => Some("is logged in with a key"),
        (None, CodexLogin::ChatGpt) => Some("is logged in with ChatGPT"),
        (None, CodexLogin::None) => account.login_seed.is_some().then_some("has a login to begin with"),
    }
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

/// The native binary that the package's script `wrapper` would start.
fn native(wrapper: &Path) -> Option<PathBuf> {
    let script = std::fs::canonicalize(wrapper).ok()?;
    if script.extension() != Some(OsStr::new("js")) {
        return None;
    }
    // …/node_modules/@openai/codex/bin/codex.js
    let package = script.parent()?.parent()?;
    let platform = format!("codex-{}-{}", npm_os(), npm_cpu());
    let beside = package.parent()?.join(&platform);
    let inside = package.join("node_modules").join("@openai").join(&platform);
    [beside, inside].iter().find_map(|package| in_vendor(&package.join("vendor")))
}

/// `vendor/<target>/bin/codex`.
fn in_vendor(vendor: &Path) -> Option<PathBuf> {
    let name = if cfg!(windows) { "codex.exe" } else { "codex" };
    std::fs::read_dir(vendor)
        .ok()?
        .filter_map(Result::ok)
        .map(|target| target.path().join("bin").join(name))
        .find(|file| is_executable(file))
}

fn npm_os() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    }
}

fn npm_cpu() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    }
}
