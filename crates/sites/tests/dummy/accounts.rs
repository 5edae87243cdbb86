//! Reads members and their groups, as the dummy's own login form sees them.

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Row, Value, fold_case};

use super::settings::Dummy;
use crate::{
    Account, AccountLookup, Accounts, Described, Id, LoginField, Reason, Required, Table, meets,
    prefixed,
};

/// How many members a name is compared with, where the database takes several for the same.
const MOST_ALIKE: usize = 16;
/// How many members are listed at a time.
const PAGE: usize = 1000;
/// How many hashes are looked at to learn what a check costs on this site.
const SOME_HASHES: usize = 64;

/// The members of a site.
#[derive(Debug)]
pub(super) struct DummyAccounts {
    prefix: String,
    lookup: AccountLookup,
    allow_pending: bool,
    /// Gives an account's columns, in the order in which [`account`](Self::account) takes them.
    select: String,
}

impl DummyAccounts {
    pub(super) fn new(dummy: &Dummy, lookup: &AccountLookup) -> Self {
        let condition = lookup.account_where.as_deref();
        Self {
            prefix: dummy.table_prefix.clone(),
            allow_pending: dummy.allow_pending,
            select: format!(
                "SELECT \"id\", \"login\", \"hash\", \"state\", \"email\", {} FROM {} account",
                meets(condition),
                prefixed(&dummy.table_prefix, "members"),
            ),
            lookup: lookup.clone(),
        }
    }

    fn accounts(
        &self,
        queries: &mut Queries<'_>,
        rest: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<Account>, Unavailable> {
        let rows = queries.rows(&format!("{} {rest}", self.select), parameters, limit)?;
        Ok(rows
            .into_iter()
            .filter_map(|row| self.account(row))
            .collect())
    }

    /// The account in `row`; `None` if it has no key or no name.
    fn account(&self, mut row: Row) -> Option<Account> {
        let id = row.take(0).integer_like()?;
        let name = row.text(1).filter(|name| !name.is_empty())?;
        let encoded = row.text(2);
        let state = row.text(3).unwrap_or_default();
        let may_in = state == "member" || (state == "pending" && self.allow_pending);
        let email = row.text(4).unwrap_or_default();
        Some(Account {
            id: Id {
                value: Value::Integer(id),
                text: id.to_string(),
            },
            name,
            encoded,
            active: may_in && row.truth(5),
            inactive: Reason::Inactive,
            staff: false,
            superuser: false,
            email,
            full_name: String::new(),
        })
    }
}

fn column(field: LoginField) -> &'static str {
    match field {
        LoginField::Username => "login",
        LoginField::Email => "email",
    }
}

fn value(account: &Account, field: LoginField) -> &str {
    match field {
        LoginField::Username => &account.name,
        LoginField::Email => &account.email,
    }
}

impl Accounts for DummyAccounts {
    fn candidates(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        let AccountLookup {
            login, ignore_case, ..
        } = &self.lookup;
        let same = |field: &LoginField| {
            let column = format!("\"{}\"", column(*field));
            match ignore_case {
                true => queries.same_but_for_case(&column, name),
                false => format!("{column} = :name"),
            }
        };
        let conditions: Vec<String> = login.iter().map(same).collect();
        let rest = format!("WHERE {}", conditions.join(" OR "));
        let mut found = self.accounts(queries, &rest, &[(":name", name.into())], MOST_ALIKE)?;
        // The database may take more for the same. Where there are too many to tell, they all are.
        if *ignore_case && found.len() < MOST_ALIKE {
            let name = fold_case(name);
            let is_name = |account: &Account, field| fold_case(value(account, field)) == name;
            found.retain(|account| login.iter().any(|field| is_name(account, *field)));
        }
        Ok(found)
    }

    /// The site has an index on names as they are, and no other.
    fn scans(&self, _name: &str) -> bool {
        self.lookup.ignore_case || self.lookup.login != [LoginField::Username]
    }

    fn by_key(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let Ok(id) = key.parse::<i64>() else {
            return Ok(None);
        };
        let mut found = self.accounts(queries, "WHERE \"id\" = :id", &[(":id", id.into())], 1)?;
        Ok(found.pop())
    }

    fn groups(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Vec<String>, Unavailable> {
        let table = prefixed(&self.prefix, "groups");
        let statement =
            format!("SELECT \"name\" FROM {table} WHERE \"member\" = :id ORDER BY \"name\"");
        let parameters = [(":id", account.id.value.clone())];
        let rows = queries.rows(&statement, &parameters, usize::MAX)?;
        Ok(rows.into_iter().filter_map(|mut row| row.text(0)).collect())
    }
}

impl Described for DummyAccounts {
    fn needs(&self) -> Vec<Required> {
        let (key, members) = ("dummy.table_prefix", format!("{}members", self.prefix));
        vec![
            Required::Table(Table {
                columns: ["id", "login", "hash", "state", "email"]
                    .map(str::to_owned)
                    .into(),
                sought: vec!["id".to_owned(), "login".to_owned()],
                name: members,
                key,
                optional: false,
            }),
            Required::table(format!("{}groups", self.prefix), key, &["member", "name"]),
        ]
    }

    /// The doctor tells how to make the indexes that are missing.
    fn folded(
        &mut self,
        _queries: &mut Queries<'_>,
    ) -> Result<Option<(String, Vec<String>)>, Unavailable> {
        let columns = self
            .lookup
            .login
            .iter()
            .map(|it| column(*it).to_owned())
            .collect();
        let table = format!("{}members", self.prefix);
        Ok(self.lookup.ignore_case.then_some((table, columns)))
    }

    fn count(&mut self, queries: &mut Queries<'_>) -> Result<Option<u64>, Unavailable> {
        crate::count(queries, &prefixed(&self.prefix, "members"), "")
    }

    fn page_after(
        &mut self,
        queries: &mut Queries<'_>,
        last: Option<&Id>,
    ) -> Result<Vec<Account>, Unavailable> {
        let last = last.map_or(Value::Integer(i64::MIN), |id| id.value.clone());
        let rest = format!("WHERE \"id\" > :id ORDER BY \"id\" LIMIT {PAGE}");
        self.accounts(queries, &rest, &[(":id", last)], PAGE)
    }

    fn sample_hashes(&mut self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable> {
        let rest = format!("ORDER BY \"id\" DESC LIMIT {SOME_HASHES}");
        let newest = self.accounts(queries, &rest, &[], SOME_HASHES)?;
        Ok(newest
            .into_iter()
            .filter_map(|account| account.encoded)
            .collect())
    }
}
