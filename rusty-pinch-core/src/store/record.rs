//! Ordered keys with a value and a revision.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::StoreError;

/// Names a record: parts joined by `/`, ordered by bytes, such as `note/00000007`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// The key made of `parts`. `/` and `%` inside a part are written as `%2F` and `%25`, so that different parts
    /// never make the same key and no part can leave its prefix.
    pub fn new<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut text = String::new();
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                text.push('/');
            }
            for c in part.chars() {
                match c {
                    '/' => text.push_str("%2F"),
                    '%' => text.push_str("%25"),
                    c => text.push(c),
                }
            }
        }
        Self(text.into())
    }

    /// For stores: the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For stores: the key that [`as_str`](Self::as_str) gave.
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A range of keys: from `from` on, up to and without `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key.
    pub from: Key,
    /// The first key after the range.
    pub until: Key,
}

impl KeyRange {
    /// All keys below `parts`, without the key `parts` itself.
    pub fn under<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let prefix = Key::new(parts);
        // `0` is the byte after `/`.
        Self { from: Key(format!("{prefix}/").into()), until: Key(format!("{prefix}0").into()) }
    }

    /// The rest of the range after `key`.
    #[must_use]
    pub fn after(&self, key: &Key) -> Self {
        Self { from: Key(format!("{key}\0").into()), until: self.until.clone() }
    }

    /// Whether the range holds `key`.
    pub fn contains(&self, key: &Key) -> bool {
        self.from <= *key && *key < self.until
    }
}

/// Counts commits. A record's revision is that of the commit that wrote it; a later commit's is larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// For stores: the revision with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// For stores: the revision's number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its key.
    pub key: Key,
    /// Its value.
    pub value: Value,
    /// The revision of the commit that wrote it.
    pub revision: Revision,
}

impl Record {
    /// The value as a `T`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the value does not have the form of a `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        T::deserialize(&self.value)
            .map_err(|error| StoreError::Damaged { what: format!("the record `{}`", self.key), why: error.to_string() })
    }
}

/// What must hold for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precondition {
    /// Nothing.
    None,
    /// There is no such record.
    Absent,
    /// The record has this revision.
    Revision(Revision),
}

impl Precondition {
    /// Whether it holds for a record with the revision `found`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it does not.
    pub fn check(self, key: &Key, found: Option<Revision>) -> Result<(), StoreError> {
        let holds = match self {
            Self::None => true,
            Self::Absent => found.is_none(),
            Self::Revision(expected) => found == Some(expected),
        };
        if holds { Ok(()) } else { Err(StoreError::Conflict { key: key.clone(), found }) }
    }
}

/// One change of a commit. A commit names each key at most once.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which record.
    pub key: Key,
    /// What must hold.
    pub when: Precondition,
    /// The new value; none deletes the record, or leaves it absent.
    pub value: Option<Value>,
}

impl Change {
    /// Writes a record.
    pub fn put(key: Key, when: Precondition, value: Value) -> Self {
        Self { key, when, value: Some(value) }
    }

    /// Deletes a record.
    pub fn delete(key: Key, when: Precondition) -> Self {
        Self { key, when, value: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_different_parts_differ_and_stay_in_their_prefix() {
        assert_ne!(Key::new(["a/b", "c"]), Key::new(["a", "b/c"]));
        assert_ne!(Key::new(["a%2Fb"]), Key::new(["a/b"]));
        let range = KeyRange::under(["note"]);
        assert!(range.contains(&Key::new(["note", "zzz"])));
        assert!(!range.contains(&Key::new(["note"])) && !range.contains(&Key::new(["notes", "a"])));
        assert!(!range.contains(&Key::new(["note/a"])));
    }
}
