//! Reads `[tickets]`: the key and the lifetime of tickets.

use std::time::Duration;

use hallpass_settings::{Error, Memory, SecretSource, Table};
use serde::Deserialize;

use crate::{Secret, Tickets};
use hallpass_sites::secret;

/// The fewest bytes of a key.
const SHORTEST_KEY: usize = 32;

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct TicketsTable {
    /// A secret of at least 32 bytes (`openssl rand -hex 32`). It switches tickets on.
    key: Option<SecretSource>,
    /// How long a ticket is valid. It ends earlier if its session does.
    lifetime: Memory,
}

impl Default for TicketsTable {
    fn default() -> Self {
        Self {
            key: None,
            lifetime: Memory::seconds(60),
        }
    }
}

/// What tickets are made with.
#[derive(Debug)]
pub struct TicketSettings {
    key: Secret,
    lifetime: Duration,
}

impl TicketsTable {
    /// `None` where there is no key: there are no tickets then.
    pub(super) fn resolve(self, table: &Table<'_>) -> Result<Option<TicketSettings>, Error> {
        let key = secret(table, "key", self.key)?;
        if let Some(key) = &key
            && key.expose().len() < SHORTEST_KEY
        {
            let message = "is shorter than 32 bytes; `openssl rand -hex 32` makes one";
            return Err(table.wrong("key", message));
        }
        let lifetime = self.lifetime.get();
        if lifetime.as_secs() == 0 {
            return Err(table.wrong("lifetime", "is shorter than a second"));
        }
        Ok(key.map(|key| TicketSettings { key, lifetime }))
    }
}

impl TicketSettings {
    /// The key, from which others are derived for other purposes.
    pub(super) fn key(&self) -> &Secret {
        &self.key
    }

    /// What makes and opens tickets.
    #[must_use]
    pub fn tickets(&self) -> Tickets {
        Tickets::new(&self.key, self.lifetime)
    }
}
