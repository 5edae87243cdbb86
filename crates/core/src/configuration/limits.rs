//! `[limits]`: how long an answer may take, how many wrong passwords are taken, and how long
//! they may be.

use std::time::Duration;

use super::Error;
use super::section::Section;
use super::values::Most;

/// How long an answer may take, how many wrong passwords are taken, and how long they may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest that one answer may take.
    pub deadline: Duration,
    /// How many wrong passwords are taken within `failure_window`, for a name and from an
    /// address; 0 for any number.
    pub failures: u32,
    /// How long wrong passwords count.
    pub failure_window: Duration,
    /// The longest password that is looked at, in bytes.
    pub max_password: usize,
}

impl Limits {
    pub(super) fn read(mut section: Section<'_>) -> Result<Self, Error> {
        let deadline = section
            .duration("deadline", Most::Wait)?
            .unwrap_or(Duration::from_secs(4));
        if deadline.is_zero() {
            return Err(section.wrong("deadline", "leaves no time for any answer"));
        }
        let max_password = section.integer("max_password", 1..1 << 20)?;
        let failures = section.integer("failures", 0..u64::from(u32::MAX))?;
        let failure_window = section.duration("failure_window", Most::Memory)?;
        section.finish()?;
        Ok(Self {
            deadline,
            failures: failures.and_then(|n| n.try_into().ok()).unwrap_or(10),
            failure_window: failure_window.unwrap_or(Duration::from_secs(60)),
            max_password: max_password.and_then(|n| n.try_into().ok()).unwrap_or(4096),
        })
    }
}
