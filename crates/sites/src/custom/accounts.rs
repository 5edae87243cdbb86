//! Reads accounts, groups and permissions, as the site's statements give them.

use hallpass_stores::sql::{Queries, Value};
use hallpass_stores::{Cause, Unavailable};

use super::rows::{Rows, key_text, key_value, truth};
use super::settings::Custom;
use crate::{Account, AccountLookup, Accounts, Described, HashContext, Id, Reason, Required};

/// How many rows of one name are looked at.
const NAMESAKES: usize = 16;

/// The column that says whether a row meets `[access] where`.
const MEETS: &str = "hallpass_where";

/// How many accounts are listed at a time, and how many hashes are looked at to learn what a check
/// costs on this site.
const PAGE: usize = 1000;
const SOME_HASHES: usize = 64;

/// The accounts that `[custom]` describes. Without any statement there are none to look up, and an
/// account is what a session calls it.
#[derive(Debug)]
pub(crate) struct CustomAccounts {
    custom: Custom,
    /// Those of `custom` that give accounts, with the column [`MEETS`] where there is a condition.
    user: Option<String>,
    user_by_id: Option<String>,
    accounts: Option<String>,
    /// The salts of the accounts that `user` gave last.
    salts: Vec<Salt>,
}

/// The salt of an account, where the row has one in a column of its own.
#[derive(Clone, PartialEq, Eq)]
struct Salt {
    /// The account's key.
    id: String,
    salt: Option<String>,
}

/// Does not show the salt.
impl std::fmt::Debug for Salt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Salt")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl CustomAccounts {
    pub(crate) fn new(custom: &Custom, access: &AccountLookup) -> Self {
        let condition = access.account_where.as_deref();
        let that_meet = |statement: &Option<String>| {
            let statement = statement.as_deref()?;
            Some(condition.map_or_else(|| statement.to_owned(), |it| that_meet(statement, it)))
        };
        Self {
            user: that_meet(&custom.user),
            user_by_id: that_meet(&custom.user_by_id),
            // A derived table has no order.
            accounts: that_meet(&custom.accounts).map(|statement| match condition {
                Some(_) => format!("{statement} ORDER BY account.id"),
                None => statement,
            }),
            custom: custom.clone(),
            salts: Vec::new(),
        }
    }

    /// The accounts that the site's statement finds by `name`, which the site's own sessions may
    /// hold or a client may have typed.
    fn named(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        let Some(statement) = &self.user else {
            let message = "accounts cannot be looked up: [custom] user is not configured";
            return Err(Unavailable::new(message).because(Cause::Unconfigured));
        };
        let parameters = [(":username", name.into())];
        let (accounts, salts) = read(queries, "user", statement, &parameters, NAMESAKES)?;
        self.salts = salts;
        Ok(accounts)
    }

    /// The account that all of `found`, the last rows of `user`, are, if they agree on everything that
    /// decides a login, the salt among it.
    fn only(&self, found: Vec<Account>) -> Option<Account> {
        let account = only(found)?;
        let mut salts = self.salts.iter().filter(|salt| salt.id == account.id.text);
        let first = salts.next();
        salts.all(|salt| Some(salt) == first).then_some(account)
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
        let mut names: Vec<String> = rows.filter_map(|mut row| row.words(at)).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }
}

impl Accounts for CustomAccounts {
    /// What the name could mean is for the statement to say.
    fn candidates(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        self.named(queries, name)
    }

    /// A join may give an account twice. Rows of one key that do not agree are not an account.
    fn by_name(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let found = self.named(queries, name)?;
        Ok(self.only(found))
    }

    fn by_key(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let Some(statement) = &self.user_by_id else {
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
        if self.user.is_some() {
            let mut found = self.named(queries, name)?;
            // The statement may find others by what they type; the site itself means this one.
            if found.iter().any(|account| account.name == name) {
                found.retain(|account| account.name == name);
            }
            return Ok(self.only(found));
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

    fn answers_to(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        name: &str,
    ) -> Result<bool, Unavailable> {
        if self.user.is_none() {
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

    fn has_permission(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        permission: &str,
    ) -> Result<bool, Unavailable> {
        let statement = self.custom.permissions.as_ref();
        let held = Self::names(queries, "permissions", statement, account)?;
        Ok(held.iter().any(|held| held == permission))
    }

    /// The login name, and the column `salt` of the statement.
    fn hash_context(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<HashContext, Unavailable> {
        let of_account = |salts: &[Salt]| {
            let salt = salts.iter().find(|salt| salt.id == account.id.text);
            salt.map(|salt| salt.salt.clone())
        };
        let salt = match of_account(&self.salts) {
            Some(salt) => salt,
            // Another name has been looked up since.
            None => {
                self.named(queries, &account.name)?;
                of_account(&self.salts).flatten()
            }
        };
        Ok(HashContext {
            login_name: Some(account.name.clone()),
            salt,
            pepper: None,
        })
    }
}

impl Described for CustomAccounts {
    fn needs(&self) -> Vec<Required> {
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
            ("custom.user", user, account),
            ("custom.user_by_id", user_by_id, account),
            ("custom.groups", groups, &["name"]),
            ("custom.permissions", permissions, &["name"]),
            ("custom.accounts", accounts, account),
        ];
        statements
            .into_iter()
            .filter_map(|(key, statement, columns)| {
                Some(Required::Statement {
                    key,
                    statement: statement.clone()?,
                    columns,
                })
            })
            .collect()
    }

    fn page_after(
        &mut self,
        queries: &mut Queries<'_>,
        last: Option<&Id>,
    ) -> Result<Vec<Account>, Unavailable> {
        let Some(statement) = &self.accounts else {
            return Err(Unavailable::new(
                "accounts cannot be listed: [custom] accounts is not configured",
            ));
        };
        let last = last.map_or(Value::Integer(0), |id| id.value.clone());
        accounts(queries, "accounts", statement, &[(":id", last)], PAGE)
    }

    /// Those of the first accounts; none where no statement lists them.
    fn sample_hashes(&mut self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable> {
        let Some(statement) = &self.accounts else {
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
}

/// `statement` with the column [`MEETS`], which says whether a row of it meets `condition`.
fn that_meet(statement: &str, condition: &str) -> String {
    let statement =
        statement.trim_end_matches(|letter: char| letter == ';' || letter.is_whitespace());
    let meets = crate::meets(Some(condition));
    // The statement may end with a comment.
    format!("SELECT account.*, {meets} AS {MEETS} FROM ({statement}\n) account")
}

/// The account that all of `found` are, if they agree on everything that decides a login.
fn only(found: Vec<Account>) -> Option<Account> {
    // There may be more that have not been read.
    if found.len() >= NAMESAKES {
        return None;
    }
    let says = |account: &Account| {
        let Account {
            encoded,
            active,
            staff,
            superuser,
            ..
        } = account;
        (encoded.clone(), *active, *staff, *superuser)
    };
    let first = found.first().map(says);
    let agree = found.iter().all(|account| Some(says(account)) == first);
    crate::only(found).filter(|_| agree)
}

/// The accounts that `statement`, the value of `key`, gives.
fn accounts(
    queries: &mut Queries<'_>,
    key: &'static str,
    statement: &str,
    parameters: &[(&str, Value)],
    limit: usize,
) -> Result<Vec<Account>, Unavailable> {
    Ok(read(queries, key, statement, parameters, limit)?.0)
}

/// The same, and the salts of their rows.
fn read(
    queries: &mut Queries<'_>,
    key: &'static str,
    statement: &str,
    parameters: &[(&str, Value)],
    limit: usize,
) -> Result<(Vec<Account>, Vec<Salt>), Unavailable> {
    let rows = Rows::read(queries, key, statement, parameters, limit)?;
    if rows.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let (id, name) = (rows.needed_column("id")?, rows.needed_column("username")?);
    let password = rows.column("password")?;
    let salt = rows.column("salt")?;
    let email = rows.column("email")?;
    let full_name = rows.column("name")?;
    let active = rows.column("is_active")?;
    let staff = rows.column("is_staff")?;
    let superuser = rows.column("is_superuser")?;
    let meets = rows.column(MEETS)?;
    let (mut accounts, mut salts) = (Vec::new(), Vec::new());
    for mut row in rows.into_rows() {
        let mut text = |at: Option<usize>| at.and_then(|at| row.words(at));
        // A row without a key or a name is not an account.
        let Some(username) = text(Some(name)).filter(|name| !name.is_empty()) else {
            continue;
        };
        let (encoded, salt) = (text(password), text(salt));
        let email = text(email).unwrap_or_default();
        let full_name = text(full_name).unwrap_or_default();
        let value = row.take(id);
        let Some(text) = key_text(&value, key, "id")? else {
            continue;
        };
        salts.push(Salt {
            id: text.clone(),
            salt,
        });
        let mut truth = |at: Option<usize>, absent| at.map_or(absent, |at| truth(&row.take(at)));
        accounts.push(Account {
            id: Id { value, text },
            name: username,
            encoded,
            active: truth(active, true) && truth(meets, true),
            inactive: Reason::Inactive,
            staff: truth(staff, false),
            superuser: truth(superuser, false),
            email,
            full_name,
        });
    }
    Ok((accounts, salts))
}
