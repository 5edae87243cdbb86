//! Reads `[dummy]`, under the names of `dummy.ini`.

use hallpass_settings::{Error, Table};
use hallpass_stores::sql::identifier;
use serde::Deserialize;

/// A site of the dummy.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Dummy {
    /// What the names of the site's tables begin with.
    pub(super) table_prefix: String,
    /// The name of the session cookie. Required for sessions.
    pub(super) session_cookie_name: Option<String>,
    /// Whether accounts that wait for a moderator are let in.
    #[serde(default)]
    pub(super) allow_pending: bool,
}

impl Dummy {
    /// Reads the table.
    pub(super) fn read(table: &Table<'_>) -> Result<Self, Error> {
        let dummy: Self = table.read()?;
        if identifier(&dummy.table_prefix).is_none() {
            return Err(table.wrong("table_prefix", "is not valid in a table name"));
        }
        Ok(dummy)
    }
}
