//! `[limits]`: how long an answer may take, and how long a password may be.

use std::time::Duration;

use super::Error;
use super::section::Section;

/// How long an answer may take, and how long a password may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest that one answer may take.
    pub deadline: Duration,
    /// The longest password that is looked at, in bytes.
    pub max_password: usize,
}

impl Limits {
    pub(super) fn read(mut section: Section<'_>) -> Result<Self, Error> {
        let deadline = section.duration("deadline")?.unwrap_or(Duration::from_secs(4));
        if deadline.is_zero() {
            return Err(section.wrong("deadline", "leaves no time for any answer"));
        }
        let max_password = section.integer("max_password", 1..1 << 20)?;
        section.finish()?;
        Ok(Self {
            deadline,
            max_password: max_password.and_then(|n| n.try_into().ok()).unwrap_or(4096),
        })
    }
}
