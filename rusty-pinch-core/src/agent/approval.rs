//! Approvals: who asked for what, and what a person said to it.
//!
//! An approval is a record, bound to one call of one session by a digest, with an end. A verdict is a change of that
//! record and a wake-up row; it never writes the journal. Whoever holds the session's lock then carries it out, once.

use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::limits::{APPROVALS_LISTED_MAX, RACES_MAX};
use crate::data::{ApprovalToken, CallId, SessionId, Sha256Digest, Timestamp, ToolCall, canonical_json};
use crate::hands::{Assessment, Bound, Risk, ToolSpec};
use crate::store::{Change, Key, KeyRange, Position, Precondition, Record, Revision, Store, StoreError, Verdict};

/// A call that waits for a person, or waited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// Its name, which is all that is needed to approve it.
    pub token: ApprovalToken,
    /// The session that asked.
    pub session: SessionId,
    /// The call.
    pub call: ToolCall,
    /// What the approver is shown, built from the bytes that will run.
    pub summary: String,
    /// Why it is asked for.
    pub why: String,
    /// How much harm the call can do.
    pub risk: Risk,
    /// Contents that must not change until it runs.
    pub bound: Vec<Bound>,
    /// The SHA-256, in canonical form, of session, call, tool, what is shown, and bound contents.
    pub digest: Sha256Digest,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// Where the session's journal ended when it was asked for.
    pub journal_end: Position,
    /// What a person said to it.
    pub decision: Option<Decision>,
}

/// What a person said to an approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// When.
    pub at: Timestamp,
    /// Why; may be empty.
    pub reason: String,
}

/// Why an approval can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// There is no such approval.
    #[error("no approval has the token {token}; `approvals list` shows those that wait")]
    NotFound {
        /// The token.
        token: ApprovalToken,
    },
    /// Its time is over. Nothing ran.
    #[error("the approval {token} ended at {expired}; ask for the action again")]
    Expired {
        /// The token.
        token: ApprovalToken,
        /// When it ended.
        expired: Timestamp,
    },
    /// A verdict was given before; an approval works once.
    #[error("the approval {token} was already decided at {at}; an approval works once")]
    AlreadyDecided {
        /// The token.
        token: ApprovalToken,
        /// The verdict.
        verdict: Verdict,
        /// When.
        at: Timestamp,
    },
    /// No verdict was given yet.
    #[error("the approval {token} still waits for a person; approve or reject it first")]
    Undecided {
        /// The token.
        token: ApprovalToken,
    },
    /// The store failed.
    #[error("the approval could not be read or written")]
    Store(#[from] StoreError),
}

impl Approval {
    /// Whether a person said yes.
    pub fn is_approved(&self) -> bool {
        self.decision.as_ref().is_some_and(|decision| decision.verdict == Verdict::Approved)
    }
}

/// The digest of everything that an approval holds fast: the session, the call, the tool as it was described, and what
/// the approver was shown.
pub(crate) fn digest(session: &SessionId, spec: &ToolSpec, call: &ToolCall, shown: &Assessment) -> Sha256Digest {
    let bound: Vec<Value> = shown.bound.iter().map(|b| json!([b.what, b.sha256])).collect();
    let whole = json!({
        "session": session,
        "call": [call.id, call.name, call.arguments],
        "tool": [spec.description, spec.parameters, spec.repeat, spec.risk],
        "shown": [shown.summary, shown.risk],
        "bound": bound,
    });
    Sha256Digest::of(canonical_json(&whole).as_bytes())
}

fn pending_key(token: &ApprovalToken) -> Key {
    Key::new(["approval", "pending", token.as_str()])
}

fn decided_key(token: &ApprovalToken) -> Key {
    Key::new(["approval", "decided", token.as_str()])
}

fn call_key(session: &SessionId, call: &CallId) -> Key {
    Key::new(["approval", "call", session.as_str(), call.as_str()])
}

fn wake_key(token: &ApprovalToken) -> Key {
    Key::new(["approval", "wake", token.as_str()])
}

fn to_value(approval: &Approval) -> Result<Value, StoreError> {
    serde_json::to_value(approval)
        .map_err(|source| StoreError::Failed { what: "writing an approval".into(), source: source.into() })
}

/// What asking for an approval needs to know.
pub(crate) struct Question<'a> {
    pub(crate) session: &'a SessionId,
    pub(crate) spec: &'a ToolSpec,
    pub(crate) call: &'a ToolCall,
    pub(crate) assessment: &'a Assessment,
    pub(crate) why: String,
    pub(crate) journal_end: Position,
    pub(crate) now: Timestamp,
    pub(crate) valid_for: Duration,
    pub(crate) random: [u8; 16],
}

/// Records that a call waits. Asking again for the same call, after a crash, finds the same approval.
pub(crate) async fn ask(store: &dyn Store, question: Question<'_>) -> Result<Approval, StoreError> {
    let Question { session, spec, call, assessment, why, journal_end, now, valid_for, random } = question;
    let approval = Approval {
        token: ApprovalToken::mint(random),
        session: session.clone(),
        call: call.clone(),
        summary: assessment.summary.clone(),
        why,
        risk: assessment.risk,
        bound: assessment.bound.clone(),
        digest: digest(session, spec, call, assessment),
        created: now,
        expires: now + valid_for,
        journal_end,
        decision: None,
    };
    let index = call_key(session, &call.id);
    let changes = [
        Change::put(index.clone(), Precondition::Absent, json!(approval.token)),
        Change::put(pending_key(&approval.token), Precondition::Absent, to_value(&approval)?),
    ];
    match store.commit(&changes).await {
        Ok(_) => Ok(approval),
        Err(StoreError::Conflict { key, found }) if key == index => {
            let conflict = StoreError::Conflict { key, found };
            let Some(record) = store.get(&index).await? else { return Err(conflict) };
            Ok(find(store, &record.parse()?).await?.ok_or(conflict)?.0)
        }
        Err(error) => Err(error),
    }
}

/// The approval with this token, and its record.
pub(crate) async fn find(store: &dyn Store, token: &ApprovalToken) -> Result<Option<(Approval, Record)>, StoreError> {
    for key in [pending_key(token), decided_key(token), pending_key(token)] {
        if let Some(record) = store.get(&key).await? {
            return Ok(Some((record.parse()?, record)));
        }
    }
    Ok(None)
}

/// The approvals that wait, oldest first. Those whose time is over are ended, so that they can't crowd out the others.
pub(crate) async fn pending(store: &dyn Store, now: Timestamp) -> Result<Vec<Approval>, StoreError> {
    let mut approvals = Vec::new();
    for (approval, revision) in waiting(store).await? {
        if now < approval.expires {
            approvals.push(approval);
        } else {
            expire(store, &approval, revision).await?;
        }
    }
    approvals.sort_by_key(|approval| approval.created);
    Ok(approvals)
}

/// Every approval that waits, ended ones too, with the revision of its record.
pub(crate) async fn waiting(store: &dyn Store) -> Result<Vec<(Approval, Revision)>, StoreError> {
    let records = store.scan(&KeyRange::under(["approval", "pending"]), APPROVALS_LISTED_MAX).await?;
    Ok(records.iter().filter_map(|record| Some((readable(record)?, record.revision))).collect())
}

/// The record's value. One damaged record must not hide the others.
fn readable<T: DeserializeOwned>(record: &Record) -> Option<T> {
    record.parse().inspect_err(|error| tracing::warn!(%error, "a record of an approval is passed over")).ok()
}

/// The tokens whose verdict is not carried out yet.
pub(crate) async fn to_settle(store: &dyn Store) -> Result<Vec<ApprovalToken>, StoreError> {
    let records = store.scan(&KeyRange::under(["approval", "wake"]), APPROVALS_LISTED_MAX).await?;
    Ok(records.iter().filter_map(readable).collect())
}

/// Gives a verdict. Of any number of callers, one succeeds.
pub(crate) async fn decide(
    store: &dyn Store,
    token: &ApprovalToken,
    decision: Decision,
) -> Result<Approval, ApprovalError> {
    for race in 0.. {
        let Some((mut approval, record)) = find(store, token).await? else {
            return Err(ApprovalError::NotFound { token: token.clone() });
        };
        if let Some(Decision { verdict, at, .. }) = approval.decision
            && at < approval.expires
        {
            return Err(ApprovalError::AlreadyDecided { token: token.clone(), verdict, at });
        }
        // A verdict at the end is the end itself: nobody decided.
        if approval.decision.is_some() || decision.at >= approval.expires {
            return Err(ApprovalError::Expired { token: token.clone(), expired: approval.expires });
        }
        approval.decision = Some(decision.clone());
        let changes = [
            Change::delete(record.key, Precondition::Revision(record.revision)),
            Change::put(decided_key(token), Precondition::Absent, to_value(&approval)?),
            Change::put(wake_key(token), Precondition::Absent, json!(token)),
        ];
        match store.commit(&changes).await {
            Ok(_) => return Ok(approval),
            // Somebody else decided in between: look again, and say so.
            Err(StoreError::Conflict { .. }) if race < RACES_MAX => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ApprovalError::NotFound { token: token.clone() })
}

/// Ends a pending approval whose time is over, if its record is still the one that was seen.
pub(crate) async fn expire(store: &dyn Store, approval: &Approval, seen: Revision) -> Result<(), StoreError> {
    let mut ended = approval.clone();
    let reason = "nobody decided in time".to_owned();
    ended.decision = Some(Decision { verdict: Verdict::Rejected, at: approval.expires, reason });
    let changes = [
        Change::delete(pending_key(&approval.token), Precondition::Revision(seen)),
        Change::put(decided_key(&approval.token), Precondition::Absent, to_value(&ended)?),
    ];
    match store.commit(&changes).await {
        Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Says that the verdict was carried out, so that nobody wakes up for it again.
///
/// The index of its call stays with the decided approval: the commit of an [`ask`] whose future was dropped may land as
/// late as it likes, and must not find the call unasked.
pub(crate) async fn settled(store: &dyn Store, token: &ApprovalToken) -> Result<(), StoreError> {
    store.commit(&[Change::delete(wake_key(token), Precondition::None)]).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ToolName;
    use crate::hands::{Repeat, Risk};
    use crate::store::MemoryStore;

    #[tokio::test]
    async fn a_call_that_was_settled_is_not_asked_about_again_however_late() {
        let store = MemoryStore::new();
        let session = SessionId::new("demo").unwrap();
        let call = ToolCall { id: CallId::new("c1").unwrap(), name: "pay".into(), arguments: json!({}) };
        let spec = ToolSpec {
            name: ToolName::new("pay").unwrap(),
            description: String::new(),
            parameters: json!({}),
            positional: vec![],
            repeat: Repeat::Once,
            risk: Risk::High,
            examples: vec![],
            kind: Default::default(),
            output: Default::default(),
        };
        let assessment = Assessment { risk: Risk::High, summary: String::new(), bound: vec![], stands_for: None };
        let question = |random| Question {
            session: &session,
            spec: &spec,
            call: &call,
            assessment: &assessment,
            why: String::new(),
            journal_end: Position::START,
            now: Timestamp::EPOCH,
            valid_for: Duration::from_secs(60),
            random: [random; 16],
        };
        let token = ask(&store, question(1)).await.unwrap().token;
        let decision = Decision { verdict: Verdict::Approved, at: Timestamp::EPOCH, reason: String::new() };
        decide(&store, &token, decision).await.unwrap();
        settled(&store, &token).await.unwrap();
        let late = ask(&store, question(2)).await.unwrap();
        assert!(late.token == token && late.decision.is_some(), "{late:?}");
        assert!(waiting(&store).await.unwrap().is_empty());
    }
}
