//! Whether a call may run. Pure: the same call, assessment and grants always give the same answer.

use std::collections::BTreeSet;

use crate::data::{ToolCall, ToolName};
use crate::hands::{Assessment, Risk, ToolSpec};
#[cfg(feature = "skills")]
use crate::hands::{Skill, SkillPolicy};

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

/// Who is behind a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallOrigin {
    /// A person, who typed the command.
    Owner,
    /// A model that has read nothing but its owner's words and the program's own.
    Model,
    /// A model that has read other people's words, from this source. They may have told it what to call.
    Foreign(String),
    /// A running skill of this name.
    Skill(String),
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

/// Judges a call, by its tool's name and by that of the tool that it stands for. Rules in order: denied, asked, allowed,
/// then the risk, which the assessment can only raise. Where other people's words or a script are behind the call, medium
/// risk waits for a person, whatever `ask_from` is.
pub fn judge(
    spec: &ToolSpec,
    call: &ToolCall,
    assessment: &Assessment,
    origin: &CallOrigin,
    grants: &Grants,
) -> Judgement {
    let name = assessment.stands_for.as_ref().map_or(call.name.as_str(), ToolName::as_str);
    let names = [name, call.name.as_str()];
    if let Some(name) = names.into_iter().find(|name| grants.denied.contains(*name)) {
        return Judgement::Deny(format!(
            "the rule `denied` names `{name}`; take it off RUSTY_PINCH_TOOLS_DENIED to allow it"
        ));
    }
    if let Some(name) = names.into_iter().find(|name| grants.asked.contains(*name)) {
        return Judgement::Ask(format!("the rule `asked` names `{name}` (RUSTY_PINCH_TOOLS_ASKED)"));
    }
    // Who allows the tool that runs others by their names has not allowed them all.
    if grants.allowed.contains(name) {
        return Judgement::Allow;
    }
    let risk = spec.risk.max(assessment.risk);
    let behind = match origin {
        CallOrigin::Owner | CallOrigin::Model => None,
        CallOrigin::Foreign(source) => Some(format!("the model has read {source}, which may have asked for it")),
        CallOrigin::Skill(skill) => Some(format!("the skill `{skill}` calls it")),
    };
    let ask_from = if behind.is_some() { grants.ask_from.min(Risk::Medium) } else { grants.ask_from };
    if risk < ask_from {
        return Judgement::Allow;
    }
    let behind = behind.map_or_else(String::new, |behind| format!("{behind}; "));
    Judgement::Ask(format!(
        "{behind}its risk is {} and approvals are asked for from {} on (RUSTY_PINCH_TOOLS_ALLOWED={name} lets it run \
         unseen)",
        risk.name(),
        ask_from.name()
    ))
}

/// What the rules say of the tools that skills call.
#[cfg(feature = "skills")]
impl SkillPolicy for Grants {
    fn refusal(&self, skill: &Skill, spec: &ToolSpec, call: &ToolCall, assessment: &Assessment) -> Option<String> {
        let origin = CallOrigin::Skill(skill.name.as_str().to_owned());
        match judge(spec, call, assessment, &origin, self) {
            Judgement::Allow => None,
            Judgement::Deny(why) => Some(why),
            Judgement::Ask(why) => {
                Some(format!("it would wait for a person, and a running script can't wait for a person: {why}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::CallId;
    use crate::hands::Repeat;
    use serde_json::json;

    fn judged(spec_risk: Risk, assessed: Risk, grants: &Grants) -> Judgement {
        judged_of(&CallOrigin::Model, spec_risk, assessed, grants)
    }

    fn judged_of(origin: &CallOrigin, spec_risk: Risk, assessed: Risk, grants: &Grants) -> Judgement {
        judge(&spec(spec_risk), &call(), &assessment(assessed, None), origin, grants)
    }

    fn call() -> ToolCall {
        ToolCall { id: CallId::new("c").unwrap(), name: "mail".into(), arguments: json!({}) }
    }

    fn spec(risk: Risk) -> ToolSpec {
        ToolSpec {
            name: ToolName::new("mail").unwrap(),
            description: String::new(),
            parameters: json!({}),
            positional: vec![],
            repeat: Repeat::Once,
            risk,
            examples: vec![],
            kind: Default::default(),
            output: Default::default(),
        }
    }

    fn assessment(risk: Risk, stands_for: Option<&str>) -> Assessment {
        let stands_for = stands_for.map(|name| ToolName::new(name).unwrap());
        Assessment { risk, summary: String::new(), bound: vec![], stands_for }
    }

    #[test]
    fn what_a_call_stands_for_is_judged_by_its_own_name() {
        let list = |name: &str| BTreeSet::from([name.to_owned()]);
        let judged = |grants: &Grants| {
            let spec = spec(Risk::Medium);
            let page = CallOrigin::Foreign("a page".to_owned());
            judge(&spec, &call(), &assessment(Risk::Medium, Some("feed")), &page, grants)
        };
        let by_default = judged(&Grants::default());
        assert!(matches!(&by_default, Judgement::Ask(why) if why.contains("TOOLS_ALLOWED=feed ")), "{by_default:?}");
        let wide = Grants { allowed: list("mail"), ..Grants::default() };
        assert!(matches!(judged(&wide), Judgement::Ask(_)), "what runs it opened it");
        let own = Grants { allowed: list("feed"), ..Grants::default() };
        assert_eq!(judged(&own), Judgement::Allow);
        for name in ["mail", "feed"] {
            assert!(matches!(judged(&Grants { asked: list(name), ..own.clone() }), Judgement::Ask(_)), "{name}");
            assert!(matches!(judged(&Grants { denied: list(name), ..own.clone() }), Judgement::Deny(_)), "{name}");
        }
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

    #[test]
    fn other_peoples_words_and_scripts_raise_what_is_asked() {
        let grants = Grants { ask_from: Risk::Critical, ..Grants::default() };
        let page = CallOrigin::Foreign("the output of `web_fetch`".to_owned());
        for (origin, risk, part) in [
            (CallOrigin::Owner, Risk::Medium, None),
            (CallOrigin::Model, Risk::High, None),
            (page.clone(), Risk::Low, None),
            (page.clone(), Risk::Medium, Some("the output of `web_fetch`")),
            (CallOrigin::Skill("feed".to_owned()), Risk::Low, None),
            (CallOrigin::Skill("feed".to_owned()), Risk::Medium, Some("the skill `feed`")),
        ] {
            match (judged_of(&origin, risk, Risk::Low, &grants), part) {
                (Judgement::Allow, None) => {}
                (Judgement::Ask(why), Some(part)) => {
                    assert!(why.contains(part) && why.contains("RUSTY_PINCH_TOOLS_ALLOWED=mail"), "{why}");
                }
                (other, _) => panic!("{origin:?} {risk:?}: {other:?}"),
            }
        }
        let allowed = Grants { allowed: BTreeSet::from(["mail".to_owned()]), ..grants };
        assert_eq!(judged_of(&page, Risk::Critical, Risk::Low, &allowed), Judgement::Allow);
    }
}
