//! Several hands behind one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::toolbox::unknown_tool;
use super::{Assessment, Hands, HandsError, Invocation, ToolSpec};
use crate::data::{CallOutcome, ToolCall, ToolName};

/// Puts several hands behind one: a call goes to the first that has a tool of its name.
///
/// Where two have a tool of the same name, the first one's counts and the other's can't be seen or called. Tools of
/// hands whose set changes (skills) are looked up anew for every call.
#[derive(Debug, Default)]
pub struct CombinedHands {
    members: Vec<Arc<dyn Hands>>,
    /// The last snapshot, with those of the members that it was made of.
    snapshot: Mutex<Option<Snapshot>>,
}

#[derive(Debug)]
struct Snapshot {
    members: Vec<Arc<[ToolSpec]>>,
    all: Arc<[ToolSpec]>,
}

impl CombinedHands {
    /// No hands yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `hands` behind those that are there.
    #[must_use]
    pub fn with(mut self, hands: impl Hands) -> Self {
        self.members.push(Arc::new(hands));
        self
    }

    /// Names that more than one member has, so that only the first one's tool can be called.
    pub fn clashes(&self) -> Vec<ToolName> {
        let mut counts = BTreeMap::<ToolName, usize>::new();
        for member in &self.members {
            for spec in member.tools().iter() {
                *counts.entry(spec.name.clone()).or_default() += 1;
            }
        }
        counts.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name).collect()
    }

    fn member_with(&self, tool: &str) -> Option<&Arc<dyn Hands>> {
        self.members.iter().find(|member| member.tools().iter().any(|spec| spec.name.as_str() == tool))
    }
}

#[async_trait]
impl Hands for CombinedHands {
    /// Sorted by name. The same snapshot as long as no member has another one.
    fn tools(&self) -> Arc<[ToolSpec]> {
        if let [only] = self.members.as_slice() {
            return only.tools();
        }
        let members: Vec<_> = self.members.iter().map(|member| member.tools()).collect();
        let mut snapshot = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = snapshot.as_ref()
            && last.members.len() == members.len()
            && last.members.iter().zip(&members).all(|(then, now)| Arc::ptr_eq(then, now))
        {
            return Arc::clone(&last.all);
        }
        let mut specs = BTreeMap::<ToolName, ToolSpec>::new();
        for spec in members.iter().flat_map(|member| member.iter()) {
            specs.entry(spec.name.clone()).or_insert_with(|| spec.clone());
        }
        let all: Arc<[ToolSpec]> = specs.into_values().collect();
        *snapshot = Some(Snapshot { members, all: Arc::clone(&all) });
        all
    }

    async fn assess(&self, call: &ToolCall) -> Result<Assessment, HandsError> {
        match self.member_with(&call.name) {
            Some(member) => member.assess(call).await,
            None => Ok(Assessment::of_nothing(call)),
        }
    }

    async fn invoke(&self, invocation: &Invocation) -> Result<CallOutcome, HandsError> {
        match self.member_with(&invocation.call.name) {
            Some(member) => member.invoke(invocation).await,
            None => Ok(unknown_tool(&invocation.call.name, &self.tools())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::data::{CallId, OutcomeStatus, SessionId, Timestamp};
    use crate::hands::{Risk, Tool, Toolbox};

    fn says(tool: &str, text: &'static str) -> Toolbox {
        let tool = Tool::new(tool, "Says").once().risk(Risk::High).run(move |()| async move { Ok(text) });
        Toolbox::new().tool(tool)
    }

    /// Hands whose tools change.
    #[derive(Debug)]
    struct Changing(Mutex<Toolbox>);

    #[async_trait]
    impl Hands for Changing {
        fn tools(&self) -> Arc<[ToolSpec]> {
            self.0.lock().unwrap().tools()
        }
        async fn assess(&self, call: &ToolCall) -> Result<Assessment, HandsError> {
            Ok(Assessment::of_nothing(call))
        }
        async fn invoke(&self, _: &Invocation) -> Result<CallOutcome, HandsError> {
            Ok(CallOutcome::ok("changed"))
        }
    }

    #[test]
    fn the_list_is_made_anew_when_a_member_changes_or_comes() {
        let names = |hands: &CombinedHands| hands.tools().iter().map(|spec| spec.name.to_string()).collect::<Vec<_>>();
        let changing = Arc::new(Changing(Mutex::new(says("b", "before"))));
        let hands = CombinedHands::new().with(says("a", "first")).with(Arc::clone(&changing));
        assert_eq!(names(&hands), ["a", "b"]);
        *changing.0.lock().unwrap() = says("c", "after");
        assert_eq!(names(&hands), ["a", "c"]);
        assert_eq!(names(&hands.with(says("d", "late"))), ["a", "c", "d"]);
    }

    fn call(name: &str) -> ToolCall {
        ToolCall { id: CallId::new("c1").unwrap(), name: name.into(), arguments: json!({}) }
    }

    async fn invoke(hands: &CombinedHands, name: &str) -> CallOutcome {
        let session = SessionId::new("demo").unwrap();
        let invocation = Invocation { session, call: call(name), bound: vec![], deadline: Timestamp::EPOCH };
        hands.invoke(&invocation).await.unwrap()
    }

    #[tokio::test]
    async fn the_first_hands_with_a_tool_get_its_calls() {
        let hands = CombinedHands::new().with(says("b", "first")).with(says("b", "second")).with(says("a", "third"));
        let names: Vec<_> = hands.tools().iter().map(|spec| spec.name.to_string()).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(Arc::ptr_eq(&hands.tools(), &hands.tools()), "the catalogue is made anew for every turn");
        assert_eq!(hands.clashes(), [ToolName::new("b").unwrap()]);
        assert_eq!(invoke(&hands, "b").await, CallOutcome::ok("first"));
        assert_eq!(invoke(&hands, "a").await, CallOutcome::ok("third"));
        assert_eq!(hands.assess(&call("a")).await.unwrap().risk, Risk::High);
        let unknown = invoke(&hands, "c").await;
        assert!(unknown.status == OutcomeStatus::Failed && unknown.content.contains("`a`, `b`"), "{unknown:?}");
        assert!(hands.assess(&call("c")).await.is_ok());
    }
}
