//! `[access]`: who gets in, on top of a valid credential.

use hallpass_stores::sql::{self, Location};

use super::Error;
use super::section::Section;
use crate::request::{Conditions, Requirement};

/// Who gets in, on top of a valid credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// What people may type to say who they are.
    pub login: Vec<LoginField>,
    /// Whether names that differ in case alone are the same.
    pub ignore_case: bool,
    /// What every account must be.
    pub conditions: Conditions,
    /// Whether a password lets anybody in.
    pub passwords: bool,
    /// `where`: the SQL condition that the row of an account, in a table called `account`, must
    /// meet to be active.
    pub account_where: Option<String>,
}

/// What people may type to say who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginField {
    /// The e-mail address.
    Email,
    /// The login name.
    Username,
}

impl Access {
    /// Reads the table. `accounts` is where accounts are looked up; `None` where none are.
    pub(super) fn read(
        mut section: Section<'_>,
        accounts: Option<&Location>,
    ) -> Result<Self, Error> {
        let login = section
            .strings("login")?
            .unwrap_or_else(|| vec!["username".to_owned()]);
        let field = |word: String| match word.as_str() {
            "username" => Ok(LoginField::Username),
            "email" => Ok(LoginField::Email),
            _ => Err(section.wrong("login", "may hold \"username\" and \"email\"")),
        };
        let login = login
            .into_iter()
            .map(field)
            .collect::<Result<Vec<_>, _>>()?;
        if login.is_empty() {
            return Err(section.wrong("login", "is empty: nobody could log in"));
        }
        let ignore_case = section.boolean("ignore_case")?.unwrap_or(false);
        let groups = section.strings("groups")?.unwrap_or_default();
        let permissions = section.strings("permissions")?.unwrap_or_default();
        let Ok(Conditions { any, .. }) = Conditions::parse(&groups, &[]) else {
            let message = "holds a word that is not a condition: write a group's name, \
                perm:app.codename, is:staff or is:superuser";
            return Err(section.wrong("groups", message));
        };
        let Ok(Conditions { mut all, .. }) = Conditions::parse(&[], &permissions) else {
            let message = "holds a word that is not a permission: write app.codename";
            return Err(section.wrong("permissions", message));
        };
        for (key, flag) in [
            ("staff", Requirement::Staff),
            ("superuser", Requirement::Superuser),
        ] {
            if section.boolean(key)?.unwrap_or(false) {
                all.push(flag);
            }
        }
        let passwords = section.boolean("passwords")?.unwrap_or(true);
        let account_where = section.string("where")?;
        if let Some(condition) = &account_where {
            let Some(location) = accounts else {
                let message = "has no effect: no accounts are looked up in a database";
                return Err(section.wrong("where", message));
            };
            sql::is_expression(condition, location)
                .map_err(|wrong| section.wrong("where", &wrong))?;
        }
        section.finish()?;
        let conditions = Conditions { any, all };
        Ok(Self {
            login,
            ignore_case,
            conditions,
            passwords,
            account_where,
        })
    }
}
