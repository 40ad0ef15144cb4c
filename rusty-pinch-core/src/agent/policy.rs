//! Whether a call may run. Pure: the same call, assessment and grants always give the same answer.

use std::collections::BTreeSet;

use crate::data::ToolCall;
use crate::hands::{Assessment, Risk, ToolSpec};

/// What the operator allows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grants {
    /// Tools that never run.
    pub denied: BTreeSet<String>,
    /// Tools that always wait for an approval.
    pub asked: BTreeSet<String>,
    /// Tools that run without an approval, whatever their risk.
    pub allowed: BTreeSet<String>,
    /// The least risk that waits for an approval.
    pub ask_from: Risk,
}

impl Default for Grants {
    /// Calls of high and critical risk wait for an approval; the others run.
    fn default() -> Self {
        Self { denied: BTreeSet::new(), asked: BTreeSet::new(), allowed: BTreeSet::new(), ask_from: Risk::High }
    }
}

/// The policy's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It may run.
    Allow,
    /// It waits for a person's approval, for this reason.
    Ask(String),
    /// It must not run, for this reason.
    Deny(String),
}

/// Judges a call. Rules in order: denied, asked, allowed, then the risk, which the assessment can only raise.
pub fn judge(spec: &ToolSpec, call: &ToolCall, assessment: &Assessment, grants: &Grants) -> Judgement {
    let name = call.name.as_str();
    if grants.denied.contains(name) {
        return Judgement::Deny(format!("the rule `denied` names `{name}`; take it off that list to allow it"));
    }
    if grants.asked.contains(name) {
        return Judgement::Ask(format!("the rule `asked` names `{name}`"));
    }
    if grants.allowed.contains(name) {
        return Judgement::Allow;
    }
    let risk = spec.risk.max(assessment.risk);
    if risk >= grants.ask_from {
        return Judgement::Ask(format!(
            "its risk is {} and approvals are asked for from {} on",
            risk.name(),
            grants.ask_from.name()
        ));
    }
    Judgement::Allow
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{CallId, ToolName};
    use crate::hands::Repeat;
    use serde_json::json;

    fn judged(spec_risk: Risk, assessed: Risk, grants: &Grants) -> Judgement {
        let spec = ToolSpec {
            name: ToolName::new("mail").unwrap(),
            description: String::new(),
            parameters: json!({}),
            positional: vec![],
            repeat: Repeat::Once,
            risk: spec_risk,
            examples: vec![],
        };
        let call = ToolCall { id: CallId::new("c").unwrap(), name: "mail".into(), arguments: json!({}) };
        judge(&spec, &call, &Assessment { risk: assessed, summary: String::new(), bound: vec![] }, grants)
    }

    #[test]
    fn risk_decides_and_an_assessment_can_only_raise_it() {
        let grants = Grants::default();
        assert_eq!(judged(Risk::Medium, Risk::Low, &grants), Judgement::Allow);
        assert!(matches!(judged(Risk::Low, Risk::High, &grants), Judgement::Ask(_)));
        assert!(matches!(judged(Risk::Critical, Risk::Low, &grants), Judgement::Ask(_)));
    }

    #[test]
    fn the_lists_come_before_the_risk_and_denying_before_all() {
        let list = BTreeSet::from(["mail".to_owned()]);
        let allowed = Grants { allowed: list.clone(), ..Grants::default() };
        assert_eq!(judged(Risk::Critical, Risk::Critical, &allowed), Judgement::Allow);
        let asked = Grants { asked: list.clone(), ..allowed };
        assert!(matches!(judged(Risk::Low, Risk::Low, &asked), Judgement::Ask(_)));
        let denied = Grants { denied: list, ..asked };
        assert!(matches!(judged(Risk::Low, Risk::Low, &denied), Judgement::Deny(why) if why.contains("denied")));
    }
}
