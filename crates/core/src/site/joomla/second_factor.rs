//! Which accounts have a second factor, without which a password is not enough.

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Value};

use super::table;

/// Where a site keeps second factors.
#[derive(Debug)]
pub(super) enum SecondFactor {
    /// Nowhere: Joomla before 3.2.
    None,
    /// In `#__users`: 3.2 to 4.1. Whoever has a session has shown it.
    Column,
    /// In `#__user_mfa`: 4.2 and later; the statement that asks for those of `:id`. A session
    /// begins before it is shown (libraries/src/Application/MultiFactorAuthenticationHandler.php
    /// of 4.4).
    Table(String),
}

impl SecondFactor {
    pub(super) fn new(
        prefix: &str,
        column: bool,
        queries: &mut Queries<'_>,
    ) -> Result<Self, Unavailable> {
        let there = !queries.columns(&format!("{prefix}user_mfa"))?.is_empty();
        Ok(if there {
            let table = table(prefix, "user_mfa");
            Self::Table(format!("SELECT 1 FROM {table} WHERE \"user_id\" = :id"))
        } else if column {
            Self::Column
        } else {
            Self::None
        })
    }

    /// Whether the account `id`, whose column is `otp_key`, has one.
    pub(super) fn is_set(
        &self,
        queries: &mut Queries<'_>,
        id: &Value,
        otp_key: Option<&str>,
    ) -> Result<bool, Unavailable> {
        match self {
            Self::None => Ok(false),
            Self::Column => Ok(otp_key.is_some_and(|key| !key.is_empty())),
            Self::Table(statement) => Ok(!queries
                .rows(statement, &[(":id", id.clone())], 1)?
                .is_empty()),
        }
    }
}
