//! What hands can fail with.

/// A failure that the model can't correct by calling differently.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandsError {
    /// Nothing happened, for sure.
    #[error("`{tool}` did not start: {why}")]
    NotStarted {
        /// The tool.
        tool: String,
        /// Why, and what to do.
        why: String,
    },
    /// It began, and nobody knows what happened.
    #[error("`{tool}` began and its outcome is unknown: {why}")]
    Lost {
        /// The tool.
        tool: String,
        /// What is known.
        why: String,
    },
}
