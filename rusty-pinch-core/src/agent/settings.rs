//! The policy's variables: what an operator allows.

use std::collections::BTreeSet;

use super::Grants;
use crate::config::{Kind, Reader, Section, Variable};
use crate::data::ToolName;
use crate::hands::Risk;

const DENIED: Variable =
    Variable::new("RUSTY_PINCH_TOOLS_DENIED", Kind::List, "Tools that never run. This comes before the other rules.")
        .otherwise("none");

const ASKED: Variable = Variable::new(
    "RUSTY_PINCH_TOOLS_ASKED",
    Kind::List,
    "Tools of which every call waits for a person's approval, whatever its risk.",
)
.otherwise("none");

const ALLOWED: Variable = Variable::new(
    "RUSTY_PINCH_TOOLS_ALLOWED",
    Kind::List,
    "Tools that run without an approval, whatever the risk of the call. Name here only what you would run unseen.",
)
.otherwise("none");

const ASK_FROM: Variable = Variable::new(
    "RUSTY_PINCH_ASK_FROM",
    Kind::Choice(&["low", "medium", "high", "critical"]),
    "The least risk of a call that waits for an approval.",
)
.default("high");

pub(crate) const SECTION: Section = Section {
    title: "Policy",
    doc: "Which tools may run. Rules in order: denied, asked, allowed, then the risk of the call.",
    variables: &[DENIED, ASKED, ALLOWED, ASK_FROM],
};

impl Grants {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let mut tools = |variable: &Variable| -> BTreeSet<String> {
            let names = reader.list(variable, |name| ToolName::new(name).map_err(|error| error.to_string()));
            names.into_iter().map(|name| name.as_str().to_owned()).collect()
        };
        let (denied, asked, allowed) = (tools(&DENIED), tools(&ASKED), tools(&ALLOWED));
        let ask_from = reader.parse(&ASK_FROM, |text| match text.to_ascii_lowercase().as_str() {
            "low" => Ok(Risk::Low),
            "medium" => Ok(Risk::Medium),
            "high" => Ok(Risk::High),
            "critical" => Ok(Risk::Critical),
            _ => Err(ASK_FROM.kind.rule()),
        });
        // A value that is no risk is an error already; until it is told, everything would be asked.
        Self { denied, asked, allowed, ask_from: ask_from.unwrap_or(Risk::Low) }
    }
}
