//! Accounts, groups and permissions, as the site's statements give them.

use hallpass_passwords::{Rules, identify};
use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Value};

use super::rows::{Rows, key_text, key_value, truth};
use crate::Reason;
use crate::account::{Account, Id};
use crate::configuration::Custom;
use crate::site::{Directory, Needed};

/// How many accounts of one name are looked at.
const NAMESAKES: usize = 16;

/// How many accounts are listed at a time, and how many hashes are looked at to learn what a check
/// costs on this site.
const PAGE: usize = 1000;
const SOME_HASHES: usize = 64;

/// The accounts that `[custom]` describes. Without any statement there are none to look up, and an
/// account is what a session calls it.
#[derive(Debug)]
pub(in crate::site) struct Accounts {
    custom: Custom,
}

impl Accounts {
    pub(in crate::site) fn new(custom: &Custom) -> Self {
        Self {
            custom: custom.clone(),
        }
    }

    /// The names that `statement`, the value of `key`, gives for `account`.
    fn names(
        queries: &mut Queries<'_>,
        key: &'static str,
        statement: Option<&String>,
        account: &Account,
    ) -> Result<Vec<String>, Unavailable> {
        let Some(statement) = statement else {
            return Ok(Vec::new());
        };
        let parameters = [
            (":id", account.id.value.clone()),
            (":username", (&*account.name).into()),
        ];
        let rows = Rows::read(queries, key, statement, &parameters, usize::MAX)?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let at = rows.only_column("name")?;
        let rows = rows.into_rows().into_iter();
        let mut names: Vec<String> = rows.filter_map(|mut row| row.text(at)).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }
}

impl Directory for Accounts {
    /// What the name means is for the statement to say. Of several accounts the one that is called
    /// exactly so counts.
    fn by_name(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let Some(statement) = &self.custom.user else {
            return Err(Unavailable::new(
                "accounts cannot be looked up: [custom] user is not configured",
            ));
        };
        let parameters = [(":username", name.into())];
        let mut found = accounts(queries, "user", statement, &parameters, NAMESAKES)?;
        if found.len() > 1 {
            found.retain(|account| account.name == name);
        }
        Ok(if found.len() == 1 { found.pop() } else { None })
    }

    fn by_key(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let Some(statement) = &self.custom.user_by_id else {
            return Err(Unavailable::new(
                "accounts cannot be looked up: [custom] user_by_id is not configured",
            ));
        };
        let parameters = [(":id", key_value(key))];
        let mut found = accounts(queries, "user_by_id", statement, &parameters, NAMESAKES)?;
        let found = if found.len() == 1 { found.pop() } else { None };
        // MySQL takes `7abc` for 7.
        Ok(found.filter(|account| account.id.text == key))
    }

    fn by_session_name(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Option<Account>, Unavailable> {
        if self.custom.user.is_some() {
            return self.by_name(queries, name);
        }
        Ok(Some(Account {
            id: Id {
                value: Value::Null,
                text: String::new(),
            },
            name: name.to_owned(),
            encoded: None,
            active: true,
            inactive: Reason::Inactive,
            staff: false,
            superuser: false,
            email: String::new(),
            full_name: String::new(),
        }))
    }

    fn is_called(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        name: &str,
    ) -> Result<bool, Unavailable> {
        if self.custom.user.is_none() {
            return Ok(account.name == name);
        }
        let named = self.by_name(queries, name)?;
        Ok(named.is_some_and(|named| named.id.text == account.id.text))
    }

    fn groups(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Vec<String>, Unavailable> {
        Self::names(queries, "groups", self.custom.groups.as_ref(), account)
    }

    fn holds(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        permission: &str,
    ) -> Result<bool, Unavailable> {
        let statement = self.custom.permissions.as_ref();
        let held = Self::names(queries, "permissions", statement, account)?;
        Ok(held.iter().any(|held| held == permission))
    }

    fn needs(&self) -> Vec<Needed> {
        let Custom {
            user,
            user_by_id,
            groups,
            permissions,
            accounts,
            ..
        } = &self.custom;
        let account = &["id", "username"];
        let statements: [(&'static str, _, &'static [&'static str]); 5] = [
            ("user", user, account),
            ("user_by_id", user_by_id, account),
            ("groups", groups, &["name"]),
            ("permissions", permissions, &["name"]),
            ("accounts", accounts, account),
        ];
        statements
            .into_iter()
            .filter_map(|(key, statement, columns)| {
                Some(Needed::Statement {
                    key,
                    statement: statement.clone()?,
                    columns,
                })
            })
            .collect()
    }

    fn after(
        &mut self,
        queries: &mut Queries<'_>,
        last: Option<&Id>,
    ) -> Result<Vec<Account>, Unavailable> {
        let Some(statement) = &self.custom.accounts else {
            return Err(Unavailable::new(
                "accounts cannot be listed: [custom] accounts is not configured",
            ));
        };
        let last = last.map_or(Value::Integer(0), |id| id.value.clone());
        accounts(queries, "accounts", statement, &[(":id", last)], PAGE)
    }

    /// Those of the first accounts; none where no statement lists them.
    fn some_hashes(&mut self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable> {
        let Some(statement) = &self.custom.accounts else {
            return Ok(Vec::new());
        };
        let first = [(":id", Value::Integer(0))];
        let found = accounts(queries, "accounts", statement, &first, SOME_HASHES)?;
        Ok(found.into_iter().filter_map(|it| it.encoded).collect())
    }

    /// Without any account to look up, that is said instead.
    fn lists_hashes(&self) -> bool {
        self.custom.accounts.is_some() || self.custom.user.is_none()
    }

    /// Django's rules, and PHP's for what Django does not know.
    fn rules(&self, encoded: &str) -> Option<Rules> {
        Some(match identify(Rules::Django, encoded) {
            Some(_) => Rules::Django,
            None => Rules::Php,
        })
    }
}

/// The accounts that `statement`, the value of `key`, gives.
fn accounts(
    queries: &mut Queries<'_>,
    key: &'static str,
    statement: &str,
    parameters: &[(&str, Value)],
    limit: usize,
) -> Result<Vec<Account>, Unavailable> {
    let rows = Rows::read(queries, key, statement, parameters, limit)?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let (id, name) = (rows.needed_column("id")?, rows.needed_column("username")?);
    let password = rows.column("password")?;
    let email = rows.column("email")?;
    let full_name = rows.column("name")?;
    let active = rows.column("is_active")?;
    let staff = rows.column("is_staff")?;
    let superuser = rows.column("is_superuser")?;
    let mut accounts = Vec::new();
    for mut row in rows.into_rows() {
        let mut text = |at: Option<usize>| at.and_then(|at| row.text(at));
        // A row without a key or a name is nobody's.
        let Some(username) = text(Some(name)).filter(|name| !name.is_empty()) else {
            continue;
        };
        let encoded = text(password);
        let email = text(email).unwrap_or_default();
        let full_name = text(full_name).unwrap_or_default();
        let value = row.take(id);
        let Some(text) = key_text(&value) else {
            continue;
        };
        let mut truth = |at: Option<usize>, absent| at.map_or(absent, |at| truth(&row.take(at)));
        accounts.push(Account {
            id: Id { value, text },
            name: username,
            encoded,
            active: truth(active, true),
            inactive: Reason::Inactive,
            staff: truth(staff, false),
            superuser: truth(superuser, false),
            email,
            full_name,
        });
    }
    Ok(accounts)
}
