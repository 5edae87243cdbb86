//! The user model's tables and columns.

use hallpass_stores::sql;

use crate::configuration::Error;
use crate::configuration::section::Section;

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
        Self {
            table: "auth_user".to_owned(),
            id: "id".to_owned(),
            username: "username".to_owned(),
            password: "password".to_owned(),
            active: Some("is_active".to_owned()),
            email: None,
            groups_table: None,
            permissions_table: None,
            foreign_key: "user_id".to_owned(),
        }
    }

    pub(super) fn read(section: &mut Section<'_>) -> Result<Self, Error> {
        let mut name = |key, default: String| -> Result<String, Error> {
            let name = section.string(key)?.unwrap_or(default);
            if sql::identifier(&name).is_none() {
                return Err(section.wrong(key, "no table or column can be called that"));
            }
            Ok(name)
        };
        let default = Self::contrib();
        let table = name("user_table", default.table)?;
        let id = name("user_id_column", default.id)?;
        let username = name("username_column", default.username)?;
        let password = name("password_column", default.password)?;
        let foreign_key = name("user_foreign_key", default.foreign_key)?;
        let mut optional = |key| -> Result<Option<String>, Error> {
            let name = section.string(key)?;
            if name
                .as_ref()
                .is_some_and(|name| sql::identifier(name).is_none())
            {
                return Err(section.wrong(key, "no table or column can be called that"));
            }
            Ok(name)
        };
        let email = optional("email_column")?;
        let groups_table = optional("groups_table")?;
        let permissions_table = optional("permissions_table")?;
        let active = match section.string("active_column")? {
            None => default.active,
            Some(name) if name.is_empty() => None,
            Some(name) if sql::identifier(&name).is_none() => {
                return Err(section.wrong("active_column", "no column can be called that"));
            }
            Some(name) => Some(name),
        };
        Ok(Self {
            table,
            id,
            username,
            password,
            active,
            email,
            groups_table,
            permissions_table,
            foreign_key,
        })
    }
}
