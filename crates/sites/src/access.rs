//! Says how accounts are looked up.

use serde::Deserialize;

/// How accounts are looked up, whatever the framework.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountLookup {
    /// What people may type to say who they are.
    pub login: Vec<LoginField>,
    /// Whether names that differ in case alone are the same.
    pub ignore_case: bool,
    /// `where`: the SQL condition that the row of an account, in a table called `account`, must
    /// meet to be active.
    pub account_where: Option<String>,
}

/// What people may type to say who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
pub enum LoginField {
    /// The login name.
    Username,
    /// The e-mail address.
    Email,
}
