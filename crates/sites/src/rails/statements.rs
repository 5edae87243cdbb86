//! Writes the SQL that asks for Devise's accounts, once for the columns that a site has.

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Column, LookUp, Queries, TableName, Value};

use super::settings::Devise;
use crate::{AccountLookup, Id, LoginField, meets, quoted, quoted_table};

/// How many hashes are looked at to learn what a check costs on this site.
const SOME_HASHES: usize = 64;
/// How many accounts are listed at a time.
const PAGE: usize = 1000;
/// Where the times are in the row of [`Statements::times`]: confirmed, asked to confirm, locked.
pub(super) const TIMES: [usize; 3] = [0, 1, 2];

/// The statements for one model. Accounts come as: key, name, hash, e-mail, whether they are closed at
/// all times, whether `[access] where` is met.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) key: KeyKind,
    pub(super) select: String,
    pub(super) by_id: LookUp,
    id: String,
    /// Of `:id`: the times that close an account or open it; `None` where it depends on none.
    pub(super) times: Option<String>,
    /// Whether an account must be confirmed.
    pub(super) confirmable: bool,
    /// Of `:id`: the names of the roles; `None` where there are no such tables.
    pub(super) roles: Option<String>,
    pub(super) sample_hashes: String,
    /// Whether names are found without reading all accounts.
    pub(super) indexed: bool,
}

/// What a primary key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    Integer,
    /// PostgreSQL's own type.
    Uuid,
    Text,
    /// Either: a column of SQLite's may have no type.
    Untyped,
}

impl KeyKind {
    pub(super) fn of(columns: &[Column], id: &str) -> Self {
        match columns.iter().find(|column| column.name == id) {
            Some(column) if column.kind.contains("int") => Self::Integer,
            Some(column) if column.kind == "uuid" => Self::Uuid,
            Some(column) if column.kind.is_empty() => Self::Untyped,
            _ => Self::Text,
        }
    }

    /// The value that `key`, as a session spells it, has in the database; `None` where it can have
    /// none.
    pub(super) fn value(self, key: &str) -> Option<Value> {
        match self {
            Self::Integer => key.parse().ok().map(Value::Integer),
            Self::Uuid => plain_uuid(key).map(Value::Text),
            Self::Text => Some(key.into()),
            Self::Untyped => Some(key.parse().map_or_else(|_| key.into(), Value::Integer)),
        }
    }

    /// Whether `stored` is `key`.
    pub(super) fn is_same(self, stored: &str, key: &str) -> bool {
        match self {
            Self::Uuid => plain_uuid(stored).is_some() && plain_uuid(stored) == plain_uuid(key),
            Self::Integer | Self::Text | Self::Untyped => stored == key,
        }
    }
}

/// The 32 digits of a UUID.
fn plain_uuid(text: &str) -> Option<String> {
    let digits = text.replace('-', "").to_ascii_lowercase();
    let whole = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then_some(digits)
}

impl Statements {
    pub(super) fn new(
        devise: &Devise,
        lookup: &AccountLookup,
        queries: &mut Queries<'_>,
    ) -> Result<Self, Unavailable> {
        let known = queries.columns(&devise.table)?;
        if known.is_empty() {
            let table = &devise.table;
            return Err(Unavailable::new(format!(
                "the database has no table {table} that can be read; is it the site's, and is \
                 `user_table` right?"
            )));
        }
        let kind = |name: &str| known.iter().find(|column| column.name == name);
        let time = |queries: &Queries<'_>, name: &str| match kind(name) {
            Some(column) => queries.seconds_of(&quoted(name), &column.kind),
            None => "NULL".to_owned(),
        };
        // A column that the configuration asks for is read in any case, so that a site without it is
        // unavailable, and nobody's account open by mistake.
        let asked = |configured: Option<bool>, column: &str| {
            configured.unwrap_or_else(|| kind(column).is_some())
        };
        let confirmable = asked(devise.confirmable, "confirmed_at");
        let lockable = asked(devise.lockable, "locked_at");
        let by_time = (confirmable && !devise.unconfirmed_access.is_zero())
            || (lockable && devise.unlock_in.is_some());
        let mut closed = Vec::new();
        if confirmable && devise.unconfirmed_access.is_zero() {
            closed.push("\"confirmed_at\" IS NULL");
        }
        if lockable && devise.unlock_in.is_none() {
            closed.push("\"locked_at\" IS NOT NULL");
        }
        let closed = match closed.is_empty() {
            true => "0".to_owned(),
            false => format!("CASE WHEN {} THEN 1 ELSE 0 END", closed.join(" OR ")),
        };
        let table = quoted_table(&devise.table);
        let account = format!("{table} account");
        let (id, username) = (quoted(&devise.id), quoted(&devise.username));
        let email = match &devise.email {
            Some(email) if kind(email).is_some() => quoted(email),
            _ => "NULL".to_owned(),
        };
        let meets = meets(lookup.account_where.as_deref());
        let password = quoted(&devise.password);
        let columns = [&*id, &username, &password, &email, &closed, &meets];
        let locked = match lockable {
            true => time(queries, "locked_at"),
            false => "NULL".to_owned(),
        };
        let [confirmed, sent] =
            ["confirmed_at", "confirmation_sent_at"].map(|it| time(queries, it));
        let times = by_time
            .then(|| format!("SELECT {confirmed}, {sent}, {locked} FROM {table} WHERE {id} = :id"));
        let mut indexed = true;
        for field in &lookup.login {
            let column = match field {
                LoginField::Username => Some(&devise.username),
                LoginField::Email => devise.email.as_ref(),
            };
            if let Some(column) = column {
                indexed = indexed
                    && match lookup.ignore_case {
                        true => queries.indexed_but_for_case(&devise.table, column)?,
                        false => queries.indexed(&devise.table)?.contains(column),
                    };
            }
        }
        Ok(Self {
            key: KeyKind::of(&known, &devise.id),
            select: format!("SELECT {} FROM {account}", columns.join(", ")),
            by_id: LookUp::new(&columns, &account, &id, ":id"),
            times,
            confirmable,
            roles: Self::roles(devise, queries)?,
            sample_hashes: format!(
                "SELECT {password} FROM {table} WHERE {password} <> '' ORDER BY {id} DESC LIMIT \
                 {SOME_HASHES}"
            ),
            indexed,
            id,
        })
    }

    /// Rolify's tables of roles and of who has them.
    pub(super) fn role_tables(devise: &Devise) -> [String; 2] {
        let named = TableName::parse(&devise.table);
        let join = named.as_ref().map_or_else(
            || format!("{}_roles", devise.table),
            |name| name.with_suffix("_roles").to_string(),
        );
        let schema = named.and_then(|name| name.schema);
        let roles = schema.map_or("roles".to_owned(), |schema| format!("{schema}.roles"));
        [roles, join]
    }

    /// The column of the latter that holds the account.
    pub(super) fn role_owner(devise: &Devise) -> String {
        format!("{}_id", devise.scope)
    }

    /// Roles that an account has everywhere: those of a single object are not counted.
    fn roles(devise: &Devise, queries: &mut Queries<'_>) -> Result<Option<String>, Unavailable> {
        let [roles, join] = Self::role_tables(devise);
        let owner = Self::role_owner(devise);
        let mut has = |table: &str, columns: &[&str]| -> Result<bool, Unavailable> {
            let there = queries.columns(table)?;
            let is_there = |name: &&str| there.iter().any(|column| column.name == **name);
            Ok(columns.iter().all(is_there))
        };
        if !has(&roles, &["id", "name", "resource_type"])? || !has(&join, &[&owner, "role_id"])? {
            return Ok(None);
        }
        Ok(Some(format!(
            "SELECT r.\"name\" FROM {} r JOIN {} m ON m.\"role_id\" = r.\"id\" WHERE m.{} = :id AND \
             r.\"resource_type\" IS NULL",
            quoted_table(&roles),
            quoted_table(&join),
            quoted(&owner),
        )))
    }

    /// The condition that `column` is `:name`.
    pub(super) fn where_named(&self, column: &str) -> String {
        format!("WHERE {} = :name", quoted(column))
    }

    /// The same in any case.
    pub(super) fn where_named_but_for_case(
        &self,
        queries: &Queries<'_>,
        column: &str,
        name: &str,
    ) -> String {
        format!("WHERE {}", queries.same_but_for_case(&quoted(column), name))
    }

    /// The next accounts after `last`, by their keys.
    pub(super) fn page_after(&self, last: Option<&Id>) -> (String, Vec<(&'static str, Value)>) {
        let id = &self.id;
        match last {
            None => (format!("ORDER BY {id} LIMIT {PAGE}"), Vec::new()),
            Some(last) => (
                format!("WHERE {id} > :id ORDER BY {id} LIMIT {PAGE}"),
                vec![(":id", last.value.clone())],
            ),
        }
    }
}
