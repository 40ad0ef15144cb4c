//! What skills and tools may reach.

use super::{Check, Report};
use crate::hands::{EgressSettings, OpenedTarget};

/// A range with fewer bits than this is a large part of the network.
const BITS_MIN: u8 = 8;

pub(super) fn report(report: &mut Report, settings: &EgressSettings) {
    let opened: Vec<_> = settings.opened.iter().map(ToString::to_string).collect();
    report.fact("egress_allow", if opened.is_empty() { "<none>".to_owned() } else { opened.join(",") });
    report.fact("skill_http_timeout_secs", settings.timeout.as_secs());
    for target in &settings.opened {
        report.check(match target {
            OpenedTarget::Range { bits, .. } if *bits < BITS_MIN => Check::warning(
                "egress",
                format!("skills and `web_fetch` may reach {target}, which is a large part of all addresses"),
                "name the hosts or the network that are meant in RUSTY_PINCH_EGRESS_ALLOW",
            ),
            _ if target.holds_metadata() => Check::warning(
                "egress",
                format!(
                    "skills and `web_fetch` may reach {target}, which has addresses at which clouds hand out credentials"
                ),
                "name the hosts that are meant in RUSTY_PINCH_EGRESS_ALLOW; a name never opens those addresses",
            ),
            _ => Check::note("egress", format!("skills and `web_fetch` may reach {target} (RUSTY_PINCH_EGRESS_ALLOW)")),
        });
    }
}
