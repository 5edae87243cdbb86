//! Reads `[access]`: who gets in, on top of a valid credential.

use hallpass_settings::{Error, Table};
use hallpass_sites::{AccountLookup, LoginField};
use hallpass_stores::sql::{self, Location};
use serde::Deserialize;

use crate::request::{Conditions, Requirement};

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct AccessTable {
    /// What people may type as their name: `"username"`, `"email"`, or both. Empty, with
    /// `passwords = false`, no account is looked up by a name, and only sessions grant.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" =
        "`[\"username\"]`, and `\"email\"` as well for sites whose own login page takes it")))]
    login: Option<Vec<LoginField>>,
    /// Whether names that differ only in case are the same.
    ignore_case: bool,
    /// The account must be in one of these groups. Condition words are allowed in place of a name.
    groups: Vec<String>,
    /// The account must have all of these permissions, written `app.codename`.
    permissions: Vec<String>,
    /// `true`: the account must be staff.
    staff: bool,
    /// `true`: the account must be a superuser.
    superuser: bool,
    /// `false`: passwords are refused at every endpoint (`unusable-password`), and never asked for.
    /// For sites whose passwords are checked elsewhere.
    passwords: bool,
    /// An SQL condition, as in `"date_deleted IS NULL"`. Accounts that do not meet it are inactive.
    /// See below.
    r#where: Option<String>,
}

impl Default for AccessTable {
    fn default() -> Self {
        Self {
            login: None,
            ignore_case: false,
            groups: Vec::new(),
            permissions: Vec::new(),
            staff: false,
            superuser: false,
            passwords: true,
            r#where: None,
        }
    }
}

/// Who gets in, on top of a valid credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// How accounts are looked up.
    pub lookup: AccountLookup,
    /// What every account must be.
    pub conditions: Conditions,
    /// Whether passwords are accepted.
    pub passwords: bool,
}

impl AccessTable {
    /// `accounts` is where accounts are looked up; `None` where none are. `login` is what people may
    /// type on the site's own login page.
    pub(super) fn resolve(
        self,
        table: &Table<'_>,
        accounts: Option<&Location>,
        login: &[LoginField],
    ) -> Result<Access, Error> {
        let login = self.login.unwrap_or_else(|| login.to_vec());
        if login.is_empty() && self.passwords {
            let message = "is empty, so nobody could log in; with passwords = false, sessions alone \
                let somebody in";
            return Err(table.wrong("login", message));
        }
        let Ok(Conditions { any, .. }) = Conditions::parse(&self.groups, &[]) else {
            let message = "holds a word that is not a condition: write a group's name, \
                perm:app.codename, is:staff or is:superuser";
            return Err(table.wrong("groups", message));
        };
        let Ok(Conditions { mut all, .. }) = Conditions::parse(&[], &self.permissions) else {
            let message = "holds a word that is not a permission: write app.codename";
            return Err(table.wrong("permissions", message));
        };
        for (given, flag) in [
            (self.staff, Requirement::Staff),
            (self.superuser, Requirement::Superuser),
        ] {
            if given {
                all.push(flag);
            }
        }
        if let Some(condition) = &self.r#where {
            let Some(location) = accounts else {
                let message = "has no effect: no accounts are looked up in a database";
                return Err(table.wrong("where", message));
            };
            sql::is_expression(condition, location)
                .map_err(|wrong| table.wrong("where", &wrong))?;
        }
        Ok(Access {
            lookup: AccountLookup {
                login,
                ignore_case: self.ignore_case,
                account_where: self.r#where,
            },
            conditions: Conditions { any, all },
            passwords: self.passwords,
        })
    }
}
