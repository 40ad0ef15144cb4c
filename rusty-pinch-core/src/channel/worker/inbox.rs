//! From a message to its answer in the outbox.

use serde::{Deserialize, Serialize};

use super::desk::Desk;
use super::limits::{ID_BYTES_MAX, NAME_BYTES_MAX, RACES_MAX, RETRY_WAIT, SEEN_MAX, TEXT_BYTES_MAX, TRIES_MAX};
use super::parked::ParkedItem;
use super::queue::{Row, Ticket, value};
use super::{WorkerError, session_of};
use crate::agent::{MessageError, TurnError, TurnReport};
use crate::channel::{Inbound, InboundId};
use crate::data::{RequestId, SessionId, Sha256Digest};
use crate::store::{Change, JournalId, Key, Position, Precondition, Record, Span, StoreError};

/// A message that is to be answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Letter {
    inbound: Inbound,
    session: SessionId,
    /// Where the session's journal ended before this row was there: its turn, if there is one, begins here or later.
    since: Position,
    /// The answer, when the message is not to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
}

/// What came of an attempt to answer.
enum Attempt {
    Said {
        text: String,
        turn: Option<Position>,
    },
    /// It may go better in a moment.
    Later {
        why: String,
        request: RequestId,
    },
}

/// The part of a key that stands for a message's id: the id, or the digest of a long one. Ids that look like such a
/// digest are digested too, so that no two ids have one key.
fn id_part(id: &InboundId) -> String {
    let InboundId(id) = id;
    if id.len() <= ID_BYTES_MAX && !id.starts_with("sha256-") {
        return id.clone();
    }
    format!("sha256-{}", Sha256Digest::of(id.as_bytes()))
}

fn cut(text: &mut String, bytes_max: usize) {
    text.truncate(text.floor_char_boundary(bytes_max));
}

impl Desk<'_> {
    fn seen_key(&self, id: &str) -> Key {
        Key::new(["channel", self.name(), "seen", id])
    }

    fn order_key(&self, number: u64) -> Key {
        Key::new(["channel", self.name(), "order", &format!("{number:020}")])
    }

    /// Keeps a message, once; then says so to the peer.
    pub(super) async fn take_in(&self, inbound: Inbound) -> Result<(), WorkerError> {
        let id = inbound.id.clone();
        self.keep(inbound).await?;
        if let Err(error) = self.channel().acknowledge(&id).await {
            // It comes again, is known by then, and is acknowledged again.
            tracing::warn!(channel = self.name(), %error, "a message could not be acknowledged");
        }
        Ok(())
    }

    async fn keep(&self, inbound: Inbound) -> Result<(), WorkerError> {
        let id = id_part(&inbound.id);
        for race in 1.. {
            if self.store().get(&self.seen_key(&id)).await?.is_some() {
                return Ok(());
            }
            let changes = self.arrival(&id, inbound.clone()).await?;
            match self.store().commit(&changes).await {
                Ok(_) => return Ok(()),
                // A commit of this worker's predecessor may have landed late.
                Err(StoreError::Conflict { .. }) if race < RACES_MAX => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The changes of one commit that keeps a message: its row, its id and its number, which replaces the oldest id.
    async fn arrival(&self, id: &str, mut inbound: Inbound) -> Result<Vec<Change>, WorkerError> {
        let count_key = Key::new(["channel", self.name(), "count"]);
        let count = self.store().get(&count_key).await?;
        let number = 1 + count.as_ref().map_or(Ok(0), Record::parse::<u64>)?;
        let same = count.map_or(Precondition::Absent, |record| Precondition::Revision(record.revision));
        let mut changes = vec![
            Change::put(count_key, same, number.into()),
            Change::put(self.seen_key(id), Precondition::Absent, number.into()),
            Change::put(self.order_key(number), Precondition::None, id.into()),
        ];
        if let Some(oldest) = number.checked_sub(SEEN_MAX)
            && let Some(record) = self.store().get(&self.order_key(oldest)).await?
        {
            changes.push(Change::delete(self.seen_key(&record.parse::<String>()?), Precondition::None));
            changes.push(Change::delete(record.key, Precondition::None));
        }
        let refusal = (inbound.text.len() > TEXT_BYTES_MAX).then(|| {
            let bytes = std::mem::take(&mut inbound.text).len();
            refused(&MessageError::TooLong { bytes, bytes_max: TEXT_BYTES_MAX }.to_string())
        });
        if inbound.chat.len() > NAME_BYTES_MAX || inbound.from.len() > NAME_BYTES_MAX {
            cut(&mut inbound.chat, NAME_BYTES_MAX);
            cut(&mut inbound.from, NAME_BYTES_MAX);
            cut(&mut inbound.id.0, NAME_BYTES_MAX);
            let why = format!("the name of its chat or sender is longer than {NAME_BYTES_MAX} bytes");
            changes.append(&mut self.parking(number, ParkedItem::Unanswered(inbound), why).await?);
            return Ok(changes);
        }
        let session = session_of(self.name(), &inbound.chat)?;
        let since = match self.store().read(&JournalId::from(&session), Span::Last(0)).await {
            Ok(page) => page.end,
            // One journal that can't be read must not keep other chats' messages out. Its start is always early enough.
            Err(error) => {
                tracing::warn!(%session, %error, "the end of a session's journal could not be read");
                Position::START
            }
        };
        let chat = inbound.chat.clone();
        let body = Letter { inbound, session, since, refusal };
        let row = Row { number, chat, tries: 1, retry_at: None, body };
        let key = Key::new(["channel", self.name(), "inbox", &format!("{number:020}")]);
        changes.push(Change::put(key, Precondition::Absent, value(&row)?));
        Ok(changes)
    }

    /// Answers a message: its turn, then one commit that moves it to the outbox.
    pub(super) async fn answer(&mut self, ticket: Ticket<Letter>) -> Result<(), WorkerError> {
        let Some(ticket) = self.begun(ticket).await? else { return Ok(()) };
        match self.attempt(&ticket.row.body).await {
            Attempt::Said { text, turn } => self.answered(&ticket, text, turn).await,
            Attempt::Later { why, request } => self.answer_later(&ticket, why, Some(&request)).await,
        }
    }

    /// Counts one more attempt at a message whose answering was interrupted, so that a message which brings the process
    /// down does not do so for ever. None when there is nothing left to do now.
    async fn begun(&mut self, ticket: Ticket<Letter>) -> Result<Option<Ticket<Letter>>, WorkerError> {
        if !self.interrupted.remove(&ticket.row.number) {
            return Ok(Some(ticket));
        }
        if ticket.row.tries >= TRIES_MAX {
            self.give_up(&ticket, format!("the program ended {TRIES_MAX} times while it was answered"), None).await?;
            return Ok(None);
        }
        let row = Row { tries: ticket.row.tries + 1, ..ticket.row.clone() };
        let revision = self.commit(&[ticket.put(&row)?]).await?;
        Ok(revision.map(|revision| Ticket { revision, row, ..ticket }))
    }

    async fn attempt(&self, letter: &Letter) -> Attempt {
        if let Some(refusal) = &letter.refusal {
            return Attempt::Said { text: refusal.clone(), turn: None };
        }
        let key = format!("{}/{}", self.name(), id_part(&letter.inbound.id));
        let turn = self.agent().turn(&letter.session, letter.inbound.text.as_str()).once(key, letter.since);
        attempt_of(turn.report().await)
    }

    async fn answered(&self, ticket: &Ticket<Letter>, text: String, turn: Option<Position>) -> Result<(), WorkerError> {
        let name = turn.map_or_else(|| format!("without-turn-{:020}", ticket.row.number), |turn| format!("{turn:020}"));
        let (answer, key) = self.outgoing(ticket, &name, text)?;
        match self.store().commit(&[answer, ticket.delete()]).await {
            // The answer of a turn with this name still waits, so the journal was replaced in between.
            Err(StoreError::Conflict { key: found, .. }) if found == key => {
                let why = format!("an answer waits under the name of its turn, {key}");
                self.answer_later(ticket, why, None).await
            }
            Err(StoreError::TooLarge { bytes, bytes_max, .. }) => {
                let why = format!("its answer has {bytes} bytes, and at most {bytes_max} can be kept");
                self.give_up(ticket, why, None).await
            }
            // The row is not what it was: look again.
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The outbox row for the answer to a message, and its key.
    fn outgoing(&self, ticket: &Ticket<Letter>, name: &str, text: String) -> Result<(Change, Key), StoreError> {
        let Row { number, body: Letter { inbound, session, .. }, .. } = &ticket.row;
        let key = Key::new(["channel", self.name(), "outbox", session.as_str(), name]);
        let send_key = format!("{session}/{name}/{}", id_part(&inbound.id));
        let row = super::outbox::row(*number, send_key, &inbound.chat, text);
        Ok((Change::put(key.clone(), Precondition::Absent, value(&row)?), key))
    }

    async fn answer_later(
        &self,
        ticket: &Ticket<Letter>,
        why: String,
        request: Option<&RequestId>,
    ) -> Result<(), WorkerError> {
        let tries = ticket.row.tries;
        if tries >= TRIES_MAX {
            return self.give_up(ticket, why, request).await;
        }
        tracing::warn!(channel = self.name(), number = ticket.row.number, why, "a message is tried again in a moment");
        let retry_at = Some(self.now() + RETRY_WAIT * 2u32.saturating_pow(tries.saturating_sub(1)));
        let row = Row { tries: tries + 1, retry_at, ..ticket.row.clone() };
        self.commit(&[ticket.put(&row)?]).await?;
        Ok(())
    }

    /// Parks a message, and says so in its chat.
    async fn give_up(
        &self,
        ticket: &Ticket<Letter>,
        why: String,
        request: Option<&RequestId>,
    ) -> Result<(), WorkerError> {
        let Row { number, body: Letter { inbound, .. }, .. } = &ticket.row;
        let text = apology(request);
        let (answer, _) = self.outgoing(ticket, &format!("without-turn-{number:020}"), text)?;
        let mut changes = vec![answer, ticket.delete()];
        changes.append(&mut self.parking(*number, ParkedItem::Unanswered(inbound.clone()), why).await?);
        self.commit(&changes).await?;
        Ok(())
    }
}

fn refused(why: &str) -> String {
    format!("This message can't be taken: {why}.")
}

/// What is said instead of an answer. The cause is in the log under the request's id, for it may name files and hosts.
fn apology(request: Option<&RequestId>) -> String {
    let request = request.map_or_else(String::new, |id| format!(" (request {id})"));
    format!("This message could not be answered{request}. Please say it again later.")
}

fn attempt_of(report: TurnReport) -> Attempt {
    let request = report.record.request_id;
    let text = match report.reply {
        Ok(reply) => reply.to_string(),
        Err(TurnError::Store(error)) => return Attempt::Later { why: error.to_string(), request },
        Err(error) => {
            tracing::warn!(%request, %error, "a message has no answer");
            match error {
                // What the sender can mend is said as it is: these texts name the message and the rule, nothing else.
                TurnError::Message(_) | TurnError::Command(_) => {
                    format!("{} (request {request})", refused(&error.to_string()))
                }
                _ => apology(Some(&request)),
            }
        }
    };
    Attempt::Said { text, turn: report.position }
}
