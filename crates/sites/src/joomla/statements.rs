//! Writes the SQL that asks for accounts, once for the columns that a site's Joomla has.

use std::time::Duration;

use hallpass_stores::sql::Queries;
use hallpass_stores::{Deadline, Unavailable};

use super::extensions;
use super::groups::Groups;
use super::second_step::SecondSteps;
use crate::prefixed;
use crate::{AccountLookup, LoginField};

/// How many hashes are looked at to learn what a check costs on this site.
pub(super) const SOME_HASHES: usize = 64;
/// Rows without a key or a name are not accounts, and must not displace any of the few that are read.
const SOMEBODY: &str = "\"id\" > 0 AND LENGTH(\"username\") > 0";
/// How many accounts are listed at a time.
const PAGE: usize = 500;

/// The statements for one site. Accounts come as: id, username, password, block, e-mail, name,
/// whether a new password must be chosen, whether `[access] where` is met.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) select: String,
    /// Of `:name`, by whatever people may type.
    pub(super) by_login: String,
    /// Whether names in ASCII are found without reading all accounts, by whatever people may type
    /// and in any case where that counts for nothing.
    pub(super) indexed: bool,
    /// Of `:id`.
    pub(super) by_id: String,
    /// From the beginning, and of `:id`.
    pub(super) first: String,
    pub(super) after: String,
    pub(super) some_hashes: String,
    pub(super) groups: Groups,
    pub(super) second_steps: SecondSteps,
    pub(super) extensions: Option<extensions::Statements>,
}

impl Statements {
    /// The statements for the site whose tables begin with `prefix`, 1.5 to 6: the database is
    /// asked which columns there are.
    pub(super) fn new(
        prefix: &str,
        access: &AccountLookup,
        queries: &mut Queries<'_>,
    ) -> Result<Self, Unavailable> {
        let name = format!("{prefix}users");
        let columns = queries.columns(&name)?;
        let has = |name: &str| columns.iter().any(|column| column.name == name);
        if !has("block") || !has("password") {
            return Err(Unavailable::new(format!(
                "the database has no table {name} of Joomla's; is it the site's, and is \
                 `dbprefix` right?"
            )));
        }
        let optional = |name: &str| {
            if has(name) {
                format!("\"{name}\"")
            } else {
                "NULL".to_owned()
            }
        };
        let users = prefixed(prefix, "users");
        let select = format!(
            "SELECT \"id\", \"username\", \"password\", \"block\", \"email\", \"name\", {}, {} FROM \
             {users} account",
            optional("requireReset"),
            crate::meets(access.account_where.as_deref()),
        );
        let mut indexed = true;
        for field in &access.login {
            let column = column(*field).trim_matches('"');
            indexed = indexed
                && match access.ignore_case {
                    true => queries.indexed_but_for_case(&name, column)?,
                    false => queries.indexed(&name)?.iter().any(|it| it == column),
                };
        }
        let groups = Groups::new(prefix, queries)?;
        Ok(Self {
            by_login: format!(
                "{select} WHERE ({}) AND {SOMEBODY}",
                any(&access.login, |column| format!("{column} = :name"))
            ),
            indexed,
            by_id: format!("{select} WHERE \"id\" = :id"),
            first: format!("{select} ORDER BY \"id\" LIMIT {PAGE}"),
            after: format!("{select} WHERE \"id\" > :id ORDER BY \"id\" LIMIT {PAGE}"),
            some_hashes: format!(
                "SELECT \"password\" FROM {users} ORDER BY \"id\" DESC LIMIT {SOME_HASHES}"
            ),
            second_steps: SecondSteps::new(prefix, has("otpKey"), queries)?,
            extensions: extensions::Statements::new(prefix, &groups, queries)?,
            groups,
            select,
        })
    }

    /// Of `:name`, in any case, by whatever people may type. `None` where [`by_login`] has found
    /// them already.
    ///
    /// [`by_login`]: Self::by_login
    pub(super) fn by_login_but_for_case(
        &self,
        login: &[LoginField],
        queries: &Queries<'_>,
        name: &str,
    ) -> Option<String> {
        if self.indexed && name.is_ascii() && queries.folds_by_collation() {
            return None;
        }
        let condition = any(login, |column| queries.same_but_for_case(column, name));
        Some(format!(
            "{} WHERE ({condition}) AND {SOMEBODY}",
            self.select
        ))
    }
}

fn column(field: LoginField) -> &'static str {
    match field {
        LoginField::Username => "\"username\"",
        LoginField::Email => "\"email\"",
    }
}

/// The condition that holds where that of any of the columns does.
fn any(login: &[LoginField], condition: impl Fn(&str) -> String) -> String {
    let conditions: Vec<String> = login.iter().map(|it| condition(column(*it))).collect();
    conditions.join(" OR ")
}

/// How long what was learned of a site's tables counts. A site may be upgraded while programs run,
/// and have second factors in another table then.
const LASTS: Duration = Duration::from_secs(60);

/// What was learned of a site's tables.
#[derive(Debug)]
pub(super) struct Learned<T> {
    pub(super) known: T,
    /// When the question was to be answered that it was learned for. Deadlines run with the clock.
    by: Deadline,
}

impl<T> Learned<T> {
    pub(super) fn new(known: T, queries: &Queries<'_>) -> Self {
        Self {
            known,
            by: queries.deadline(),
        }
    }

    pub(super) fn lasts(&self, queries: &Queries<'_>) -> bool {
        let (then, now) = (self.by.instant(), queries.deadline().instant());
        now.max(then).duration_since(now.min(then)) < LASTS
    }
}
