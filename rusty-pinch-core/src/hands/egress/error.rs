//! Why a request was refused or failed.

/// Why nothing, or nothing whole, came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EgressError {
    /// A rule forbids it. Nothing was sent to the address that it names.
    #[error("{url} is refused: {rule}; {fix}")]
    Refused {
        /// The URL, without what may be secret in it.
        url: String,
        /// The rule.
        rule: String,
        /// How it could be allowed, or asked differently.
        fix: String,
    },
    /// The host could not be reached.
    #[error("{host} could not be reached ({detail})")]
    Unreachable {
        /// The host.
        host: String,
        /// What happened.
        detail: String,
    },
    /// The answer is larger than its bound.
    #[error("the answer of {host} is larger than {what}, so none of it is taken")]
    TooLarge {
        /// The host.
        host: String,
        /// Which bound, with its figure.
        what: String,
    },
    /// The answer took too long.
    #[error("{host} did not answer within {what}")]
    TimedOut {
        /// The host.
        host: String,
        /// Which bound, with its figure.
        what: String,
    },
    /// The answer broke off, or is no HTTP.
    #[error("the answer of {host} is broken ({detail})")]
    Broken {
        /// The host.
        host: String,
        /// What is wrong with it.
        detail: String,
    },
}
