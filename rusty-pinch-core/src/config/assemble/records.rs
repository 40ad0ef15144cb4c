//! What the records say to `doctor`: whether they can be read, and who is left alone.

use super::{BreakerState, MemberStatus, brain_status, open_store};
use crate::causes::with_causes;
use crate::config::Settings;
use crate::config::doctor::Check;
use crate::data::Timestamp;
use crate::store::{Key, StoreError};

/// Whether the records can be read; nothing is made where there are none. For reports, beside [`examine`](super::examine).
///
/// It opens them as a turn does, and reads one: damage further inside shows when it is read. Where they can be read, it
/// also tells which providers and accounts are left alone at `now` because of what they answered before.
pub async fn examine_records(settings: &Settings, now: Timestamp) -> Vec<Check> {
    // What is wrong with the folder is told already.
    let Ok(store) = open_store(settings) else { return Vec::new() };
    if let Err(error) = store.get(&Key::new(["doctor"])).await {
        return vec![unreadable(&error)];
    }
    let mut checks = vec![Check::ok("records", "can be read")];
    match brain_status(settings, now).await {
        Ok(status) => checks.extend(status.chain.iter().flat_map(of_member)),
        Err(error) => checks.push(unreadable(&error)),
    }
    checks
}

/// What is known against a member of the chain.
fn of_member(member: &MemberStatus) -> Vec<Check> {
    let fix =
        "`rusty-pinch brain status` shows more; when it is repaired, `rusty-pinch brain reset` has it asked at once";
    let left_alone = |who: String, until: Option<Timestamp>, error: &Option<String>| {
        let until = until.map_or_else(String::new, |until| format!(" until {}", until.rounded_up()));
        let error = error.as_deref().map_or_else(String::new, |error| format!(": {error}"));
        Check::warning("brain", format!("{who} is left alone{until}{error}"), fix)
    };
    let mut checks = Vec::new();
    if member.breaker == BreakerState::Open {
        checks.push(left_alone(format!("`{}`", member.provider), member.until, &member.last_error));
    } else if let Some(error) = member.last_error.as_deref().filter(|_| member.failures > 0) {
        checks.push(Check::note("brain", format!("`{}` failed when it was last asked: {error}", member.provider)));
    }
    #[cfg(feature = "codex")]
    for account in member.accounts.iter().filter(|account| account.skipped_until.is_some() || !account.healthy) {
        let who = format!("the account `{}` of Codex", account.id);
        if account.used_requests >= account.max_requests && account.healthy {
            let until =
                account.skipped_until.map_or_else(String::new, |until| format!(" until {}", until.rounded_up()));
            checks.push(Check::note("brain", format!("{who} is used up{until}")));
        } else if account.skipped_until.is_some() {
            checks.push(left_alone(who, account.skipped_until, &account.last_error));
        } else {
            let error = account.last_error.as_deref().unwrap_or("nobody knows why");
            checks.push(Check::warning("brain", format!("{who} was failing when it was last looked at: {error}"), fix));
        }
    }
    checks
}

fn unreadable(error: &StoreError) -> Check {
    let message = format!("the records can't be read: {}", with_causes(error));
    match error {
        StoreError::Busy { .. } => Check::warning("records", message, "try again when the other process is done"),
        StoreError::Damaged { .. } => {
            let fix = "put back a copy, or move it and the files `-wal` and `-shm` beside it away; sessions are kept";
            Check::error("records", message, fix)
        }
        StoreError::TooNew { .. } => Check::error("records", message, "use the newer version of this program"),
        StoreError::Full { .. } => Check::error("records", message, "free some space"),
        _ => Check::error("records", message, "let this user read and write it; move it away if it is no file"),
    }
}
