//! Reads the names of the user model's tables and columns.

use hallpass_settings::{Error, Table};
use hallpass_stores::sql;

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
    /// The encoded password.
    pub password: String,
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

    fn of(given: &DjangoTable) -> Self {
        let active = Some(&given.active_column).filter(|name| !name.is_empty());
        Self {
            table: given.user_table.clone(),
            id: given.user_id_column.clone(),
            username: given.username_column.clone(),
            password: given.password_column.clone(),
            active: active.cloned(),
            email: given.email_column.clone(),
            groups_table: given.groups_table.clone(),
            permissions_table: given.permissions_table.clone(),
            foreign_key: given.user_foreign_key.clone(),
        }
    }

    pub(super) fn resolve(table: &Table<'_>, given: &DjangoTable) -> Result<Self, Error> {
        for (key, name) in [
            ("user_table", Some(&given.user_table)),
            ("user_id_column", Some(&given.user_id_column)),
            ("username_column", Some(&given.username_column)),
            ("password_column", Some(&given.password_column)),
            ("user_foreign_key", Some(&given.user_foreign_key)),
            ("email_column", given.email_column.as_ref()),
            ("groups_table", given.groups_table.as_ref()),
            ("permissions_table", given.permissions_table.as_ref()),
        ] {
            if name.is_some_and(|name| sql::identifier(name).is_none()) {
                return Err(table.wrong(key, "is not a valid name of a table or column"));
            }
        }
        let read = Self::of(given);
        let active = read.active.as_deref();
        if active.is_some_and(|name| sql::identifier(name).is_none()) {
            return Err(table.wrong("active_column", "is not a valid column name"));
        }
        Ok(read)
    }
}
