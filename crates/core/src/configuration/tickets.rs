//! `[tickets]`: short-lived stand-ins for a session.

use std::time::Duration;

use super::Error;
use super::section::Section;
use super::values::Most;
use crate::{Secret, Tickets};

/// The fewest bytes of a key.
const SHORTEST_KEY: usize = 32;

/// What tickets are made with.
#[derive(Debug)]
pub struct TicketSettings {
    key: Secret,
    lifetime: Duration,
}

impl TicketSettings {
    /// `None` where there is no key: there are no tickets then.
    pub(super) fn read(mut section: Section<'_>) -> Result<Option<Self>, Error> {
        let key = section.secret("key")?;
        let lifetime = section.duration("lifetime", Most::Memory)?;
        if let Some(key) = &key
            && key.expose().len() < SHORTEST_KEY
        {
            let message = "is shorter than 32 bytes; `openssl rand -hex 32` makes one";
            return Err(section.wrong("key", message));
        }
        let lifetime = lifetime.unwrap_or(Duration::from_secs(60));
        if lifetime.as_secs() == 0 {
            return Err(section.wrong("lifetime", "is shorter than a second"));
        }
        section.finish()?;
        Ok(key.map(|key| Self { key, lifetime }))
    }

    /// What makes and opens tickets.
    #[must_use]
    pub fn tickets(&self) -> Tickets {
        Tickets::new(&self.key, self.lifetime)
    }
}
