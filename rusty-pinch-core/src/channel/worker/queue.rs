//! Rows that wait their turn: in order within a chat, across chats without waiting for each other. Which one is next is
//! a pure function of the rows and the time.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::Timestamp;
use crate::store::{Change, Key, Precondition, Record, Revision, StoreError};

/// A row as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row<T> {
    /// The number of the message that it belongs to: the order of arrival.
    pub(super) number: u64,
    pub(super) chat: String,
    /// Attempts begun, the one that is next included.
    pub(super) tries: u32,
    /// Not before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retry_at: Option<Timestamp>,
    pub(super) body: T,
}

/// A row and where it is.
#[derive(Clone, Debug)]
pub(super) struct Ticket<T> {
    pub(super) key: Key,
    pub(super) revision: Revision,
    pub(super) row: Row<T>,
}

impl<T: Serialize + DeserializeOwned> Ticket<T> {
    pub(super) fn of(record: &Record) -> Result<Self, StoreError> {
        Ok(Self { key: record.key.clone(), revision: record.revision, row: record.parse()? })
    }

    /// Replaces the row, if nobody else did.
    pub(super) fn put(&self, row: &Row<T>) -> Result<Change, StoreError> {
        Ok(Change::put(self.key.clone(), Precondition::Revision(self.revision), value(row)?))
    }

    /// Takes the row out, if nobody else did.
    pub(super) fn delete(&self) -> Change {
        Change::delete(self.key.clone(), Precondition::Revision(self.revision))
    }
}

/// `data` as a record's value.
pub(super) fn value(data: &impl Serialize) -> Result<Value, StoreError> {
    serde_json::to_value(data)
        .map_err(|source| StoreError::Failed { what: "writing a message's record".into(), source: source.into() })
}

/// Sorts `tickets` by arrival and takes out the first that is due: of each chat only its first row counts, for the rows
/// behind it must not overtake it. Without one, says when one will be.
pub(super) fn first_due<T>(mut tickets: Vec<Ticket<T>>, now: Timestamp) -> Result<Ticket<T>, Option<Timestamp>> {
    tickets.sort_by_key(|ticket| ticket.row.number);
    let mut chats = HashSet::new();
    let mut wake_at: Option<Timestamp> = None;
    let mut due = None;
    for (index, Ticket { row, .. }) in tickets.iter().enumerate() {
        if !chats.insert(row.chat.as_str()) {
            continue;
        }
        match row.retry_at {
            Some(at) if now < at => wake_at = Some(wake_at.map_or(at, |first| first.min(at))),
            _ => {
                due = Some(index);
                break;
            }
        }
    }
    due.map(|index| tickets.swap_remove(index)).ok_or(wake_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[(u64, &str, Option<i64>)], now: i64, expected: Result<u64, Option<i64>>) {
        let tickets = rows
            .iter()
            .map(|(number, chat, retry_at)| Ticket {
                key: Key::new(["row"]),
                revision: Revision::new(1),
                row: Row {
                    number: *number,
                    chat: (*chat).to_owned(),
                    tries: 1,
                    retry_at: retry_at.map(Timestamp::from_millis),
                    body: (),
                },
            })
            .collect();
        let found = first_due(tickets, Timestamp::from_millis(now));
        let found = found.map(|ticket| ticket.row.number).map_err(|at| at.map(Timestamp::as_millis));
        assert_eq!(found, expected, "{rows:?} at {now}");
    }

    #[test]
    fn rows_come_in_the_order_of_arrival_whatever_order_they_are_stored_in() {
        check(&[], 0, Err(None));
        check(&[(3, "a", None), (1, "b", None), (2, "c", None)], 0, Ok(1));
    }

    #[test]
    fn a_row_that_waits_holds_back_its_own_chat_and_no_other() {
        check(&[(1, "a", Some(9)), (2, "a", None), (3, "b", None)], 0, Ok(3));
        check(&[(1, "a", Some(9)), (2, "a", None), (3, "b", Some(5)), (4, "b", Some(1))], 0, Err(Some(5)));
        check(&[(1, "a", Some(9)), (2, "a", None)], 9, Ok(1));
    }
}
