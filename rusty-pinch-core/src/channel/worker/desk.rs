//! A worker at work: it holds its channel's lock, and does what is due until nothing is.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::inbox::Letter;
use super::limits::{LOCK_WAIT, RECEIVE_WAIT, WAITING_MAX};
use super::outbox::Answer;
use super::queue::{Ticket, first_due};
use super::{ChannelWorker, WorkerError};
use crate::agent::Agent;
use crate::channel::Channel;
use crate::data::Timestamp;
use crate::store::{Change, Guard, KeyRange, LockName, Revision, Store, StoreError};

pub(super) struct Desk<'a> {
    worker: &'a ChannelWorker,
    /// Numbers of the messages that a worker before this one may have been answering when it ended.
    pub(super) interrupted: HashSet<u64>,
    _held: Guard,
}

/// Nothing is due now.
pub(super) struct Rest {
    /// When something will be.
    wake_at: Option<Timestamp>,
    has_room: bool,
}

impl<'a> Desk<'a> {
    /// Takes the channel's lock and looks at what was left.
    pub(super) async fn open(worker: &'a ChannelWorker) -> Result<Self, WorkerError> {
        let channel = &worker.channel.info().name;
        super::session_of(channel, "")?;
        let lock = LockName::task(&format!("worker:{channel}"));
        let held = match worker.agent.store().lock(&lock, LOCK_WAIT).await {
            Err(StoreError::Busy { .. }) => return Err(WorkerError::AlreadyRunning { channel: channel.clone() }),
            held => held?,
        };
        let mut desk = Self { worker, interrupted: HashSet::new(), _held: held };
        let now = desk.now();
        let left: Vec<Ticket<Letter>> = desk.waiting("inbox").await?;
        let begun = left.iter().filter(|ticket| ticket.row.retry_at.is_none_or(|at| at <= now));
        desk.interrupted = begun.map(|ticket| ticket.row.number).collect();
        Ok(desk)
    }

    pub(super) fn agent(&self) -> &Agent {
        &self.worker.agent
    }

    pub(super) fn channel(&self) -> &dyn Channel {
        &*self.worker.channel
    }

    pub(super) fn name(&self) -> &str {
        &self.worker.channel.info().name
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        self.worker.agent.store()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.worker.agent.clock().now()
    }

    /// Makes changes to rows that were seen before. None when they are no longer what was seen: look again.
    pub(super) async fn commit(&self, changes: &[Change]) -> Result<Option<Revision>, StoreError> {
        match self.store().commit(changes).await {
            Ok(revision) => Ok(Some(revision)),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The rows of a queue. Those that can't be read are moved out of the way.
    async fn waiting<T: Serialize + DeserializeOwned>(&self, queue: &str) -> Result<Vec<Ticket<T>>, StoreError> {
        let range = KeyRange::under(["channel", self.name(), queue]);
        let mut tickets = Vec::new();
        for record in self.store().scan(&range, WAITING_MAX).await? {
            match Ticket::of(&record) {
                Ok(ticket) => tickets.push(ticket),
                Err(error) => self.set_aside(&record, &error).await?,
            }
        }
        Ok(tickets)
    }

    /// Does everything that is due: answers go out first, then the oldest message is answered.
    pub(super) async fn work(&mut self) -> Result<Rest, WorkerError> {
        loop {
            let answers: Vec<Ticket<Answer>> = self.waiting("outbox").await?;
            let letters: Vec<Ticket<Letter>> = self.waiting("inbox").await?;
            let has_room = answers.len() + letters.len() < WAITING_MAX;
            let now = self.now();
            let send_at = match first_due(answers, now) {
                Ok(answer) => {
                    self.send(answer).await?;
                    continue;
                }
                Err(at) => at,
            };
            match first_due(letters, now) {
                Ok(letter) => self.answer(letter).await?,
                Err(at) => return Ok(Rest { wake_at: earlier(send_at, at), has_room }),
            }
        }
    }

    /// Works and receives until the channel is closed and nothing is due.
    pub(super) async fn run(&mut self) -> Result<(), WorkerError> {
        let mut deaf_until = None;
        loop {
            let Rest { wake_at, has_room } = self.work().await?;
            let listens = has_room && deaf_until.is_none();
            let received = tokio::select! {
                biased;
                received = self.channel().receive(), if listens => received,
                () = self.sleep_until(earlier(wake_at, deaf_until)) => {
                    deaf_until = deaf_until.filter(|at| self.now() < *at);
                    continue;
                }
            };
            match received {
                Ok(Some(inbound)) => self.take_in(inbound).await?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    tracing::warn!(channel = self.name(), %error, "receiving failed; it is tried again in a moment");
                    deaf_until = Some(self.now() + RECEIVE_WAIT);
                }
            }
        }
    }

    /// For ever, where there is no instant.
    async fn sleep_until(&self, at: Option<Timestamp>) {
        match at {
            Some(at) => self.worker.agent.clock().sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

fn earlier(one: Option<Timestamp>, two: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(two).min()
}
