//! Reads users and groups, as phpBB's own login finds them (phpbb/auth/provider/db.php of 3.3).

use std::time::SystemTime;

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Row, Value, fold_case};

use super::bans::is_banned;
use super::board::passwords_elsewhere;
use super::text::{clean, escape};
use crate::phpbb::settings::Phpbb;
use crate::{
    Account, AccountLookup, Accounts, Client, Described, HashContext, Id, LoginField, MOST_ALIKE,
    Reason, Required,
};
use crate::{MOST_GROUPS, prefixed};

/// `user_type` (includes/constants.php of 3.3). Others are inactive, or not people: bots and the
/// anonymous.
const NORMAL: i64 = 0;
const FOUNDER: i64 = 3;
const IGNORED: i64 = 2;

/// How many hashes are looked at to learn what a check costs on this site.
const SOME_HASHES: usize = 64;
/// How many accounts are listed at a time.
const PAGE: usize = 500;

/// The users of a board.
#[derive(Debug)]
pub(super) struct PhpbbAccounts {
    phpbb: Phpbb,
    login: Vec<LoginField>,
    select: String,
}

/// An account, and the form of its name by which it is known.
struct Found {
    account: Account,
    clean: String,
}

impl PhpbbAccounts {
    pub(super) fn new(phpbb: &Phpbb, access: &AccountLookup) -> Self {
        Self {
            phpbb: phpbb.clone(),
            login: access.login.clone(),
            select: format!(
                "SELECT \"user_id\", \"username\", \"username_clean\", \"user_password\", \
                 \"user_type\", \"user_email\", {} FROM {} account",
                crate::meets(access.account_where.as_deref()),
                prefixed(&phpbb.prefix, "users")
            ),
        }
    }

    fn accounts(
        &self,
        queries: &mut Queries<'_>,
        rest: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<Found>, Unavailable> {
        let statement = format!("{} {rest}", self.select);
        let rows = queries.rows(&statement, parameters, limit)?;
        Ok(rows.into_iter().filter_map(found).collect())
    }

    /// The account of the name `escaped`. Names are known by their clean form, and there are no
    /// two of one. Where that is not found for a name beyond ASCII, of which the clean form may
    /// not be known, those count that differ in case alone, since their clean form is the same.
    fn by_username(
        &self,
        queries: &mut Queries<'_>,
        escaped: &str,
    ) -> Result<Vec<Found>, Unavailable> {
        let clean = clean(escaped);
        if clean.is_empty() {
            return Ok(Vec::new());
        }
        let parameters = [(":name", Value::from(&*clean))];
        let condition = "WHERE \"username_clean\" = :name";
        let mut found = self.accounts(queries, condition, &parameters, MOST_ALIKE)?;
        found.retain(|found| found.clean == clean);
        if !found.is_empty() || escaped.is_ascii() {
            return Ok(found);
        }
        let same = queries.same_but_for_case("\"username\"", escaped);
        let parameters = [(":name", Value::from(escaped))];
        let mut found =
            self.accounts(queries, &format!("WHERE {same}"), &parameters, MOST_ALIKE)?;
        // Where there are too many to tell, they are all the same.
        if found.len() < MOST_ALIKE {
            found.retain(|found| fold_case(&found.account.name) == fold_case(escaped));
        }
        Ok(found)
    }

    fn by_email(&self, queries: &mut Queries<'_>, email: &str) -> Result<Vec<Found>, Unavailable> {
        let same = queries.same_but_for_case("\"user_email\"", email);
        let parameters = [(":name", Value::from(email))];
        let mut found =
            self.accounts(queries, &format!("WHERE {same}"), &parameters, MOST_ALIKE)?;
        if found.len() < MOST_ALIKE {
            found.retain(|found| fold_case(&found.account.email) == fold_case(email));
        }
        Ok(found)
    }
}

/// `None` for a row without a key or a name, which is not an account.
fn found(mut row: Row) -> Option<Found> {
    let id = row.take(0).integer_like().filter(|id| *id > 0)?;
    let name = row.text(1).filter(|name| !name.is_empty())?;
    let clean = row.text(2).unwrap_or_default();
    let encoded = row.text(3);
    let kind = row.take(4).integer_like();
    let email = row.text(5).unwrap_or_default();
    let founder = kind == Some(FOUNDER);
    let meets = row.truth(6);
    let account = Account {
        id: Id {
            value: Value::Integer(id),
            text: id.to_string(),
        },
        name,
        encoded,
        active: (founder || kind == Some(NORMAL)) && meets,
        inactive: Reason::Inactive,
        staff: founder,
        superuser: founder,
        email,
        full_name: String::new(),
    };
    Some(Found { account, clean })
}

/// Whether a hash is of the board before phpBB.
fn converted(encoded: &str) -> bool {
    encoded.starts_with("$CP$")
}

impl Accounts for PhpbbAccounts {
    fn candidates(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        let escaped = escape(name);
        // Other programs may know a name as it is stored.
        let as_stored = Some(name).filter(|name| *name != escaped);
        let mut candidates = Vec::new();
        for field in &self.login {
            for name in [Some(escaped.as_str()), as_stored].into_iter().flatten() {
                let found = match field {
                    LoginField::Username => self.by_username(queries, name)?,
                    LoginField::Email => self.by_email(queries, name)?,
                };
                candidates.extend(found.into_iter().map(|found| found.account));
            }
        }
        Ok(candidates)
    }

    /// Those of names beyond ASCII whose clean form is not known, and of addresses, for which the
    /// board has no index in any case.
    fn scans(&self, name: &str) -> bool {
        self.login != [LoginField::Username] || !name.is_ascii()
    }

    fn by_key(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let Ok(key) = key.parse::<i64>() else {
            return Ok(None);
        };
        let parameters = [(":id", Value::Integer(key))];
        let found = self.accounts(queries, "WHERE \"user_id\" = :id", &parameters, 2)?;
        let found = found.into_iter().map(|found| found.account);
        Ok(crate::only(found.collect()))
    }

    /// The old board's salt and login name, for hashes that were converted. Their columns are there
    /// where a converter added them.
    fn hash_context(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<HashContext, Unavailable> {
        if !account.encoded.as_deref().is_some_and(converted) {
            return Ok(HashContext::default());
        }
        let there = queries.columns(&format!("{}users", self.phpbb.prefix))?;
        let mut column = |name: &str| -> Result<Option<String>, Unavailable> {
            if there.iter().all(|column| column.name != name) {
                return Ok(None);
            }
            let statement = format!(
                "SELECT \"{name}\" FROM {} WHERE \"user_id\" = :id",
                prefixed(&self.phpbb.prefix, "users")
            );
            let parameters = [(":id", account.id.value.clone())];
            let mut rows = queries.rows(&statement, &parameters, 1)?;
            Ok(rows.pop().and_then(|mut row| row.text(0)))
        };
        Ok(HashContext {
            login_name: column("login_name")?,
            salt: column("user_passwd_salt")?,
            pepper: None,
        })
    }

    /// Founders cannot be banned.
    fn is_banned(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        client: &Client,
        now: SystemTime,
    ) -> Result<bool, Unavailable> {
        Ok(!account.superuser && is_banned(&self.phpbb, queries, account, client, now)?)
    }

    /// The board compares a password with what it stores only where it checks passwords itself: under
    /// `auth_method = ldap` a row keeps the password of the first login, and nothing ever looks at
    /// it.
    fn refuses_passwords(
        &mut self,
        queries: &mut Queries<'_>,
        _account: &Account,
    ) -> Result<Option<Reason>, Unavailable> {
        let elsewhere = passwords_elsewhere(&self.phpbb, queries)?;
        Ok(elsewhere.map(|_| Reason::PasswordElsewhere))
    }

    /// Groups that came with the board are called by their constant names, as `ADMINISTRATORS`.
    fn groups(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Vec<String>, Unavailable> {
        let statement = format!(
            "SELECT g.\"group_name\" FROM {} m JOIN {} g ON g.\"group_id\" = m.\"group_id\" WHERE \
             m.\"user_id\" = :id AND m.\"user_pending\" = 0",
            prefixed(&self.phpbb.prefix, "user_group"),
            prefixed(&self.phpbb.prefix, "groups"),
        );
        let parameters = [(":id", account.id.value.clone())];
        let rows = queries.rows(&statement, &parameters, usize::MAX)?;
        let mut names: Vec<String> = rows.into_iter().filter_map(|mut row| row.text(0)).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }
}

impl Described for PhpbbAccounts {
    fn group_names(
        &mut self,
        queries: &mut Queries<'_>,
    ) -> Result<Option<Vec<String>>, Unavailable> {
        let groups = prefixed(&self.phpbb.prefix, "groups");
        let statement = format!("SELECT \"group_name\" FROM {groups}");
        let rows = queries.rows(&statement, &[], MOST_GROUPS)?;
        Ok(Some(
            rows.into_iter().filter_map(|mut row| row.text(0)).collect(),
        ))
    }

    fn passwords_elsewhere(
        &mut self,
        queries: &mut Queries<'_>,
    ) -> Result<Option<String>, Unavailable> {
        let elsewhere = passwords_elsewhere(&self.phpbb, queries)?;
        Ok(elsewhere.map(|method| format!("auth_method is {method:?}")))
    }

    fn page_after(
        &mut self,
        queries: &mut Queries<'_>,
        last: Option<&Id>,
    ) -> Result<Vec<Account>, Unavailable> {
        let last = last.map_or(Value::Integer(0), |id| id.value.clone());
        let rest = format!(
            "WHERE \"user_id\" > :id AND \"user_type\" <> {IGNORED} ORDER BY \"user_id\" LIMIT {PAGE}"
        );
        let found = self.accounts(queries, &rest, &[(":id", last)], usize::MAX)?;
        Ok(found.into_iter().map(|found| found.account).collect())
    }

    fn needs(&self) -> Vec<Required> {
        let full = |name| format!("{}{name}", self.phpbb.prefix);
        let key = "phpbb.table_prefix";
        let users = [
            "username_clean",
            "user_id",
            "username",
            "user_password",
            "user_type",
            "user_email",
        ];
        vec![
            Required::table(full("config"), key, &["config_name", "config_value"]),
            Required::table(full("users"), key, &users),
            Required::table(full("groups"), key, &["group_id", "group_name"]),
            Required::table(
                full("user_group"),
                key,
                &["user_id", "group_id", "user_pending"],
            ),
            Required::small_table(
                full("banlist"),
                key,
                &[
                    "ban_userid",
                    "ban_ip",
                    "ban_email",
                    "ban_exclude",
                    "ban_end",
                ],
            ),
        ]
    }

    fn count(&mut self, queries: &mut Queries<'_>) -> Result<Option<u64>, Unavailable> {
        let condition = format!(" WHERE \"user_type\" <> {IGNORED}");
        crate::count(queries, &prefixed(&self.phpbb.prefix, "users"), &condition)
    }

    fn sample_hashes(&mut self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable> {
        let statement = format!(
            "SELECT \"user_password\" FROM {} WHERE \"user_password\" <> '' ORDER BY \"user_id\" \
             DESC LIMIT {SOME_HASHES}",
            prefixed(&self.phpbb.prefix, "users")
        );
        let rows = queries.rows(&statement, &[], SOME_HASHES)?;
        Ok(rows.into_iter().filter_map(|mut row| row.text(0)).collect())
    }
}
