//! What a brain can fail with, and what that means for trying again.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::Tried;
use super::budget::{self, Exceeded, LedgerError};
use crate::data::Timestamp;
use crate::store::StoreError;

/// What a caller does about a [`BrainError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The same request to the same provider may succeed a little later.
    RetryHere,
    /// This provider won't answer it, another may.
    FailOver,
    /// No provider will answer this request.
    Never,
}

/// A brain's failure. Each variant is something that a caller acts on differently.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrainError {
    /// The provider could not be reached: refused, unknown host, broken TLS, connection lost before an answer.
    #[error("{brain} could not be reached at {target}; check the address and the network")]
    Unreachable {
        /// Which brain.
        brain: String,
        /// Scheme, host and port; never a key.
        target: String,
        /// The transport's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The provider asks for a pause.
    #[error("{brain} is rate limited{}", until(retry_at))]
    RateLimited {
        /// Which brain.
        brain: String,
        /// When it may be asked again, where it said so.
        retry_at: Option<Timestamp>,
    },
    /// The provider is overloaded or broken on its side (HTTP 408, 409, 425, 5xx).
    #[error("{brain} is not able to answer at the moment ({detail}){}", until(retry_at))]
    Overloaded {
        /// Which brain.
        brain: String,
        /// What it said, shortened.
        detail: String,
        /// When it may be asked again, where it said so.
        retry_at: Option<Timestamp>,
    },
    /// The account's quota is used up.
    #[error("the quota of {brain} is used up ({detail}){}", until(resets_at))]
    QuotaExhausted {
        /// Which brain.
        brain: String,
        /// What it said, shortened.
        detail: String,
        /// When it resets, where it said so.
        resets_at: Option<Timestamp>,
    },
    /// The key or login is missing, wrong or revoked.
    #[error("{brain} refused the credentials ({detail}); {fix}")]
    Unauthorized {
        /// Which brain.
        brain: String,
        /// What it said, shortened.
        detail: String,
        /// What to do about it.
        fix: String,
    },
    /// Prompt and answer don't fit into the model's context.
    #[error("the prompt is too long for {brain} ({detail}); send less or choose a model with a larger context")]
    ContextTooLong {
        /// Which brain.
        brain: String,
        /// What it said, shortened.
        detail: String,
    },
    /// The provider refused the request for another reason (HTTP 4xx).
    #[error("{brain} refused the request ({detail})")]
    Rejected {
        /// Which brain.
        brain: String,
        /// What it said, shortened.
        detail: String,
    },
    /// The answer broke off before its end.
    #[error("the answer of {brain} broke off ({detail})")]
    Cut {
        /// Which brain.
        brain: String,
        /// Where.
        detail: String,
    },
    /// The answer is not what the protocol allows.
    #[error(
        "{brain} answered with something else than the protocol allows ({detail}); check that its base URL is right"
    )]
    Malformed {
        /// Which brain.
        brain: String,
        /// What came.
        detail: String,
    },
    /// The answer is larger than its bound.
    #[error("the answer of {brain} is larger than {bytes_max} bytes")]
    TooLarge {
        /// Which brain.
        brain: String,
        /// The bound.
        bytes_max: usize,
    },
    /// A tool that is not ours ran, or was asked for, behind our back.
    #[error("{brain} used a tool of its own ({detail}), which is not allowed; its answer was thrown away")]
    ForeignTool {
        /// Which brain.
        brain: String,
        /// Which tool.
        detail: String,
    },
    /// The brain's program is missing, can't be started or broke.
    #[error("the program of {brain} failed ({detail}); {fix}")]
    Program {
        /// Which brain.
        brain: String,
        /// What happened.
        detail: String,
        /// What to do about it.
        fix: String,
    },
    /// One attempt took longer than it may, while the request itself still has time.
    #[error("{brain} gave no answer within the {} s that one attempt has; allow more, or ask for less", time.as_secs_f64())]
    TimedOut {
        /// Which brain.
        brain: String,
        /// How long the attempt had.
        time: Duration,
    },
    /// The deadline of the request passed.
    #[error("{brain} gave no answer within its time; allow more, or ask for less")]
    DeadlineExceeded {
        /// Which brain.
        brain: String,
    },
    /// The brain is not set up for use.
    #[error("{brain} is not set up: {detail}; {fix}")]
    NotConfigured {
        /// Which brain.
        brain: String,
        /// What is missing.
        detail: String,
        /// What to do about it.
        fix: String,
    },
    /// A cap on spending does not allow the call. No request was made.
    #[error("{brain} was not asked: {cap}; {}", budget::reset(cap, resets_at))]
    OverBudget {
        /// Which brain.
        brain: String,
        /// Which cap, and by how much.
        cap: Exceeded,
        /// When it counts from zero again; none for turns and sessions, whose caps never do.
        resets_at: Option<Timestamp>,
    },
    /// Caps on spending are set and what was spent can't be told. No request was made: one that nobody counts could go
    /// beyond every cap.
    #[error("{brain} was not asked: caps on spending are set, and what was spent is not known")]
    BudgetUnknown {
        /// Which brain.
        brain: String,
        /// Why it is not known.
        #[source]
        source: Box<LedgerError>,
    },
    /// None of the accounts can be asked: used up, failing, or asked in vain just now.
    #[error("no account of {brain} can answer ({detail}){}", until(retry_at))]
    NoAccount {
        /// Which brain.
        brain: String,
        /// Each account and why not.
        detail: String,
        /// How many requests were made before.
        asked: u32,
        /// When one may be asked again, where that is known.
        retry_at: Option<Timestamp>,
    },
    /// What is left of the quota is kept for people, and nobody waits for this request.
    #[error("the rest of {brain} ({remaining_percent} %) is kept for people{}", until(until_at))]
    Reserved {
        /// Which brain.
        brain: String,
        /// How much is left.
        remaining_percent: u8,
        /// When background work is let in again, where that is known.
        until_at: Option<Timestamp>,
    },
    /// What is remembered of the accounts can't be read or kept, so no request could be counted. None was made.
    #[error("the records of the accounts of {brain} can't be kept, so none was asked")]
    Records {
        /// Which brain.
        brain: String,
        /// Why not.
        #[source]
        source: StoreError,
    },
    /// It was tried several times.
    #[error(transparent)]
    Exhausted(Exhausted),
    /// None of several brains answered.
    #[error("no brain answered: {}{}", listed(tried), until(retry_at))]
    AllFailed {
        /// Each that was asked or passed over, in order, and why no answer came of it.
        tried: Vec<Tried>,
        /// How many requests were made.
        attempts: u32,
        /// What to do about it: the most hopeful of what the single failures say.
        class: ErrorClass,
        /// The first instant at which one of them may be asked again, where that is known.
        retry_at: Option<Timestamp>,
    },
}

/// The last failure of several attempts. It shows that failure and how many attempts there were.
#[derive(Debug)]
pub struct Exhausted {
    attempts: u32,
    last: Box<BrainError>,
}

impl Exhausted {
    /// How many requests were made.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What the last one failed with.
    pub fn last(&self) -> &BrainError {
        &self.last
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (after {} attempts)", self.last, self.attempts)
    }
}

impl Error for Exhausted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.last.source()
    }
}

fn listed(tried: &[Tried]) -> String {
    let each: Vec<_> = tried.iter().map(|tried| format!("[{}] {}", tried.who, tried.why)).collect();
    each.join("; ")
}

fn until(at: &Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| format!("; it may be asked again at {}", at.rounded_up()))
}

impl BrainError {
    /// What to do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unreachable { .. } | Self::RateLimited { .. } | Self::Overloaded { .. } | Self::Cut { .. } => {
                ErrorClass::RetryHere
            }
            Self::QuotaExhausted { .. }
            | Self::Unauthorized { .. }
            | Self::ContextTooLong { .. }
            | Self::Rejected { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::ForeignTool { .. }
            | Self::Program { .. }
            | Self::TimedOut { .. }
            | Self::NoAccount { .. }
            | Self::Reserved { .. }
            | Self::Records { .. }
            | Self::NotConfigured { .. }
            | Self::OverBudget { .. }
            | Self::BudgetUnknown { .. } => ErrorClass::FailOver,
            Self::DeadlineExceeded { .. } => ErrorClass::Never,
            Self::Exhausted(exhausted) => exhausted.last.class(),
            Self::AllFailed { class, .. } => *class,
        }
    }

    /// How many requests were made before it: none when nothing left the process.
    pub fn attempts(&self) -> u32 {
        match self {
            Self::NotConfigured { .. }
            | Self::OverBudget { .. }
            | Self::BudgetUnknown { .. }
            | Self::Reserved { .. }
            | Self::Records { .. } => 0,
            Self::NoAccount { asked, .. } => *asked,
            Self::Exhausted(exhausted) => exhausted.attempts,
            Self::AllFailed { attempts, .. } => *attempts,
            _ => 1,
        }
    }

    /// Who was tried, where it was asked of several.
    pub fn tried(&self) -> &[Tried] {
        match self {
            Self::AllFailed { tried, .. } => tried,
            _ => &[],
        }
    }

    /// The failure itself, without the attempts before it.
    pub fn failure(&self) -> &Self {
        match self {
            Self::Exhausted(exhausted) => exhausted.last.failure(),
            other => other,
        }
    }

    /// The same failure, at the end of that many attempts.
    pub(crate) fn after_attempts(self, attempts: u32) -> Self {
        match self {
            Self::Exhausted(exhausted) => Self::Exhausted(Exhausted { attempts, ..exhausted }),
            only if attempts == only.attempts() => only,
            last => Self::Exhausted(Exhausted { attempts, last: Box::new(last) }),
        }
    }

    /// Not before this instant, where the provider said so.
    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::RateLimited { retry_at, .. } | Self::Overloaded { retry_at, .. } => *retry_at,
            Self::QuotaExhausted { resets_at, .. } | Self::OverBudget { resets_at, .. } => *resets_at,
            Self::NoAccount { retry_at, .. } => *retry_at,
            Self::Reserved { until_at, .. } => *until_at,
            Self::Exhausted(exhausted) => exhausted.last.retry_at(),
            Self::AllFailed { retry_at, .. } => *retry_at,
            _ => None,
        }
    }

    /// Whether it says something about the provider, and not only about this request: what a breaker counts.
    pub fn is_the_providers(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::RateLimited { .. }
            | Self::Overloaded { .. }
            | Self::QuotaExhausted { .. }
            | Self::Unauthorized { .. }
            | Self::Cut { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::ForeignTool { .. }
            | Self::Program { .. }
            | Self::TimedOut { .. } => true,
            // Nobody was asked, or the request was at fault, or its time was over.
            Self::NotConfigured { .. }
            | Self::ContextTooLong { .. }
            | Self::Rejected { .. }
            | Self::OverBudget { .. }
            | Self::BudgetUnknown { .. }
            | Self::Reserved { .. }
            | Self::Records { .. }
            | Self::DeadlineExceeded { .. }
            | Self::AllFailed { .. } => false,
            // The pool remembers by itself which account may be asked again, and when.
            Self::NoAccount { .. } => false,
            Self::Exhausted(exhausted) => exhausted.last.is_the_providers(),
        }
    }

    /// Whether it stays until somebody does something about it, or a quota resets.
    pub fn is_lasting(&self) -> bool {
        matches!(self.failure(), Self::Unauthorized { .. } | Self::QuotaExhausted { .. })
    }
}
