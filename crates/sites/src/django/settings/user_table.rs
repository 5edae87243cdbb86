//! Reads the names of the user model's tables and columns.

use hallpass_settings::{Error, Table};
use hallpass_stores::sql::{self, TableName};

use super::DjangoTable;

/// The user model's tables and columns, all but the table names unquoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserTable {
    /// The table of users, unquoted.
    pub table: String,
    /// The primary key.
    pub id: String,
    /// `USERNAME_FIELD`
    pub username: String,
    /// The encoded password; `None` where the model has no such field.
    pub password: Option<String>,
    /// Whether the account is active; `None` where the model has no such field.
    pub active: Option<String>,
    /// The e-mail address; `None` where the model may or may not have `email`.
    pub email: Option<String>,
    /// The table that maps users to groups; `None` for `<user_table>_groups`, if there is one.
    pub groups_table: Option<String>,
    /// The table that maps users to permissions; `None` for `<user_table>_user_permissions`, if
    /// there is one.
    pub permissions_table: Option<String>,
    /// The column in both that holds the user.
    pub foreign_key: String,
}

impl UserTable {
    /// The tables of `django.contrib.auth.models.User`.
    #[must_use]
    pub fn contrib() -> Self {
        Self::of(&DjangoTable::default())
    }

    /// The table that Django calls after the user model's: `_groups`, `_user_permissions`.
    #[must_use]
    pub fn related_table(&self, suffix: &str) -> String {
        let suffix = format!("_{suffix}");
        let name = TableName::parse(&self.table).map(|name| name.with_suffix(&suffix));
        name.map_or_else(
            || format!("{}{suffix}", self.table),
            |name| name.to_string(),
        )
    }

    fn of(given: &DjangoTable) -> Self {
        let filled = |name: &String| Some(name.clone()).filter(|name| !name.is_empty());
        Self {
            table: given.user_table.clone(),
            id: given.user_id_column.clone(),
            username: given.username_column.clone(),
            password: filled(&given.password_column),
            active: filled(&given.active_column),
            email: given.email_column.clone(),
            groups_table: given.groups_table.clone(),
            permissions_table: given.permissions_table.clone(),
            foreign_key: given.user_foreign_key.clone(),
        }
    }

    pub(super) fn resolve(table: &Table<'_>, given: &DjangoTable) -> Result<Self, Error> {
        for (key, name) in [
            ("user_table", Some(&given.user_table)),
            ("groups_table", given.groups_table.as_ref()),
            ("permissions_table", given.permissions_table.as_ref()),
        ] {
            if name.is_some_and(|name| TableName::parse(name).is_none()) {
                return Err(table.wrong(key, "is not a valid table name"));
            }
        }
        let read = Self::of(given);
        for (key, name) in [
            ("user_id_column", Some(&read.id)),
            ("username_column", Some(&read.username)),
            ("password_column", read.password.as_ref()),
            ("active_column", read.active.as_ref()),
            ("user_foreign_key", Some(&read.foreign_key)),
            ("email_column", read.email.as_ref()),
        ] {
            if name.is_some_and(|name| sql::identifier(name).is_none()) {
                return Err(table.wrong(key, "is not a valid column name"));
            }
        }
        Ok(read)
    }
}
