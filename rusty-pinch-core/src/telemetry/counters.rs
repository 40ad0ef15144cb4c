//! What the counters count.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::record::{TurnPath, TurnRecord, TurnStatus};
use crate::data::Timestamp;

/// The version of the file's form.
pub(super) const SCHEMA_VERSION: u64 = 1;

/// The counters of every process that shares a file, and the last turn.
///
/// Fields that this version does not know are kept as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Snapshot {
    /// The version of this form.
    pub schema_version: u64,
    /// When it was last written.
    pub updated_at: Option<Timestamp>,
    /// Turns that ended.
    pub total_turns: u64,
    /// Those with a reply, or waiting for an approval.
    pub ok_turns: u64,
    /// Those with an error.
    pub error_turns: u64,
    /// Those that a brain answered.
    pub provider_turns: u64,
    /// Those that named a tool.
    pub tool_turns: u64,
    /// Those that named a skill.
    pub skill_turns: u64,
    /// Requests to providers.
    pub total_provider_attempts: u64,
    /// Prompts whose static part was in the cache, or was not.
    pub prompt_cache: PromptCache,
    /// The last turn, as its line in the log says it.
    pub last_turn: Option<Value>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// How often the static part of the prompt was taken from the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PromptCache {
    /// Taken from the cache.
    pub hits: u64,
    /// Assembled.
    pub misses: u64,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            updated_at: None,
            total_turns: 0,
            ok_turns: 0,
            error_turns: 0,
            provider_turns: 0,
            tool_turns: 0,
            skill_turns: 0,
            total_provider_attempts: 0,
            prompt_cache: PromptCache::default(),
            last_turn: None,
            other: Map::new(),
        }
    }
}

impl Snapshot {
    /// Counts a turn.
    pub fn count(&mut self, record: &TurnRecord) {
        let add = |counter: &mut u64, more: u64| *counter = counter.saturating_add(more);
        add(&mut self.total_turns, 1);
        add(
            match record.status {
                TurnStatus::Ok | TurnStatus::NeedsApproval => &mut self.ok_turns,
                TurnStatus::Error => &mut self.error_turns,
            },
            1,
        );
        add(
            match record.path {
                TurnPath::Provider => &mut self.provider_turns,
                TurnPath::Tool => &mut self.tool_turns,
                TurnPath::Skill => &mut self.skill_turns,
            },
            1,
        );
        add(&mut self.total_provider_attempts, record.attempts.unwrap_or_default().into());
        add(&mut self.prompt_cache.hits, record.prompt_cache_hits.into());
        add(&mut self.prompt_cache.misses, record.prompt_cache_misses.into());
        self.updated_at = Some(record.timestamp);
        self.last_turn = serde_json::to_value(record).ok();
    }

    /// Adds what another snapshot counted on top of this one; its last turn is the newer.
    pub(super) fn add(&mut self, newer: &Self) {
        let add = |counter: &mut u64, more: u64| *counter = counter.saturating_add(more);
        add(&mut self.total_turns, newer.total_turns);
        add(&mut self.ok_turns, newer.ok_turns);
        add(&mut self.error_turns, newer.error_turns);
        add(&mut self.provider_turns, newer.provider_turns);
        add(&mut self.tool_turns, newer.tool_turns);
        add(&mut self.skill_turns, newer.skill_turns);
        add(&mut self.total_provider_attempts, newer.total_provider_attempts);
        add(&mut self.prompt_cache.hits, newer.prompt_cache.hits);
        add(&mut self.prompt_cache.misses, newer.prompt_cache.misses);
        self.updated_at = newer.updated_at;
        self.last_turn.clone_from(&newer.last_turn);
    }
}
