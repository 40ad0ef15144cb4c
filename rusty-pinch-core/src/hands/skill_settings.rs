//! What the operator can set for skills.

use std::time::Duration;

#[cfg(feature = "skills")]
use super::Sandbox;
use crate::config::{Kind, Reader, Section, Variable};

const TIMEOUT: Variable = Variable::new(
    "RUSTY_PINCH_SKILL_TIMEOUT_SECS",
    Kind::Integer { min: 1, max: 600 },
    "How long one run of a skill may take, in seconds, its requests included.",
)
.default("60");

pub(crate) const SECTION: Section =
    Section { title: "Skills", doc: "The scripts in the folder `skills` of the workspace.", variables: &[TIMEOUT] };

/// How skills run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SkillSettings {
    /// How long one run may take.
    pub time_max: Duration,
    /// Where skills run. No variable sets it: the program does, for only it knows what it can start. Without one, an
    /// agent that is assembled from settings has no skills.
    #[cfg(feature = "skills")]
    pub sandbox: Option<Sandbox>,
}

impl SkillSettings {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            time_max: Duration::from_secs(reader.integer(&TIMEOUT)),
            #[cfg(feature = "skills")]
            sandbox: None,
        }
    }
}
