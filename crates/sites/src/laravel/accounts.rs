//! Reads accounts as Laravel's user providers do (src/Illuminate/Auth/EloquentUserProvider.php of
//! 8.83 and 12.x), and their roles.

use std::time::Duration;

use hallpass_stores::sql::{LookUp, Queries, Row, Value};
use hallpass_stores::{Deadline, Unavailable};

use super::roles::Roles;
use super::settings::{Laravel, Users};
use crate::custom::CustomAccounts;
use crate::{
    Account, AccountLookup, Accounts, Described, Id, LoginField, MOST_ALIKE, Overlooked, Reason,
    Required, Table,
};
use crate::{quoted, quoted_table};

/// How many accounts are listed at a time.
const PAGE: usize = 500;
/// How many hashes are looked at to learn what a check costs on this site.
const SOME_HASHES: usize = 64;
/// How long what was learned of a site's tables counts: it may be upgraded while programs run.
const LASTS: Duration = Duration::from_secs(60);

/// The accounts of a site.
#[derive(Debug)]
pub(super) struct LaravelAccounts {
    users: Users,
    guard: String,
    access: AccountLookup,
    custom: CustomAccounts,
    statements: Option<Statements>,
}

/// The statements for the columns that the table has. Accounts come as: id, name, password, e-mail,
/// full name, whether `[access] where` is met, whether the row is not deleted.
#[derive(Debug)]
struct Statements {
    /// When the request is due that they were learned for.
    by: Deadline,
    columns: String,
    /// The condition that the model's `SoftDeletes` puts on every row.
    live: String,
    by_id: LookUp,
    /// Whether names are found without reading all accounts.
    indexed: bool,
    /// Whether an account may have a second factor of laravel/fortify.
    second_factor: bool,
    roles: Roles,
}

impl LaravelAccounts {
    pub(super) fn new(laravel: &Laravel, access: &AccountLookup) -> Self {
        Self {
            users: laravel.users.clone(),
            guard: laravel.guard_name.clone(),
            access: access.clone(),
            custom: CustomAccounts::new(&laravel.custom, access),
            statements: None,
        }
    }

    fn table(&self) -> String {
        quoted_table(&self.users.table)
    }

    fn learn(&mut self, queries: &mut Queries<'_>) -> Result<(), Unavailable> {
        let now = queries.deadline();
        let lasts = |it: &Statements| {
            let (then, now) = (it.by.instant(), now.instant());
            now.max(then).duration_since(now.min(then)) < LASTS
        };
        if self.statements.as_ref().is_some_and(lasts) {
            return Ok(());
        }
        let users = &self.users;
        let columns = queries.columns(&users.table)?;
        let has = |name: &str| columns.iter().any(|column| column.name == name);
        if !has(&users.id) || !has(&users.name) || !has(&users.password) {
            return Err(Unavailable::new(format!(
                "the database has no table {} with the columns {}, {} and {}; is it the site's, and \
                 are `user_table` and the columns in [laravel] right?",
                users.table, users.id, users.name, users.password
            )));
        }
        let column = |name: &str| match has(name) {
            true => quoted(name),
            false => "NULL".to_owned(),
        };
        let deleted_at = users.deleted_at.as_deref().unwrap_or("deleted_at");
        let live = match has(deleted_at) {
            true => format!("account.{} IS NULL", quoted(deleted_at)),
            // One that is named has to be there.
            false if users.deleted_at.as_deref().is_some_and(|it| !it.is_empty()) => {
                return Err(Unavailable::new(format!(
                    "the table {} has no column {deleted_at}, which `deleted_at_column` names",
                    users.table
                )));
            }
            false => "1 = 1".to_owned(),
        };
        let read = [
            quoted(&users.id),
            quoted(&users.name),
            quoted(&users.password),
            column(&users.email),
            column("name"),
            crate::meets(self.access.account_where.as_deref()),
            format!("CASE WHEN {live} THEN 1 ELSE 0 END"),
        ];
        let mut indexed = true;
        for field in &self.access.login {
            let column = self.column(*field);
            indexed = indexed
                && match self.access.ignore_case {
                    true => queries.indexed_but_for_case(&users.table, column)?,
                    false => queries.indexed(&users.table)?.iter().any(|it| it == column),
                };
        }
        let table = format!("{} account", self.table());
        let references: Vec<&str> = read.iter().map(String::as_str).collect();
        self.statements = Some(Statements {
            by: now,
            by_id: LookUp::new(&references, &table, &quoted(&users.id), ":id"),
            columns: read.join(", "),
            live,
            indexed,
            second_factor: has("two_factor_secret"),
            roles: Roles::new(queries, &self.users.role_tables)?,
        });
        Ok(())
    }

    fn statements(&mut self, queries: &mut Queries<'_>) -> Result<&Statements, Unavailable> {
        self.learn(queries)?;
        self.statements
            .as_ref()
            .ok_or_else(|| Unavailable::new("no statements were made"))
    }

    fn column(&self, field: LoginField) -> &str {
        match field {
            LoginField::Username => &self.users.name,
            LoginField::Email if self.users.email.is_empty() => &self.users.name,
            LoginField::Email => &self.users.email,
        }
    }

    /// `SELECT` of accounts for which `condition` holds.
    fn select(
        &mut self,
        queries: &mut Queries<'_>,
        condition: &str,
    ) -> Result<String, Unavailable> {
        let table = self.table();
        let Statements { columns, live, .. } = self.statements(queries)?;
        Ok(format!(
            "SELECT {columns} FROM {table} account WHERE {live} AND {condition}"
        ))
    }

    /// The accounts in whose row the condition of any of the login columns holds.
    fn named(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
        condition: impl Fn(&str) -> String,
        limit: usize,
    ) -> Result<Vec<Account>, Unavailable> {
        let fields = self.access.login.iter();
        let conditions: Vec<String> = fields
            .map(|field| condition(&format!("account.{}", quoted(self.column(*field)))))
            .collect();
        let condition = format!("({})", conditions.join(" OR "));
        let statement = self.select(queries, &condition)?;
        let rows = queries.rows(&statement, &[(":name", name.into())], limit)?;
        Ok(rows.into_iter().filter_map(account).collect())
    }
}

/// `None` for a row without a key or a name, and for one that the model's `SoftDeletes` hides: the
/// site finds no such account.
fn account(mut row: Row) -> Option<Account> {
    let value = row.take(0);
    let text = match &value {
        Value::Integer(key) => key.to_string(),
        Value::Text(key) if !key.is_empty() => key.clone(),
        _ => return None,
    };
    let name = row.words(1).filter(|name| !name.is_empty())?;
    let account = Account {
        id: Id { value, text },
        name,
        encoded: row.text(2),
        email: row.words(3).unwrap_or_default(),
        full_name: row.words(4).unwrap_or_default(),
        active: row.truth(5),
        inactive: Reason::Inactive,
        staff: false,
        superuser: false,
    };
    row.truth(6).then_some(account)
}

/// The value in the database of a key that a session spells so.
pub(super) fn key_value(key: &str) -> Value {
    match key.parse::<i64>() {
        Ok(number) if number.to_string() == key => Value::Integer(number),
        _ => Value::from(key),
    }
}

impl Accounts for LaravelAccounts {
    /// By the database's own comparison, as the site's form looks a name up.
    fn candidates(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        let exactly = |column: &str| format!("{column} = :name");
        if !self.access.ignore_case {
            return self.named(queries, name, exactly, MOST_ALIKE);
        }
        let mut found = Vec::new();
        let folds = queries.folds_by_collation();
        let indexed = self.statements(queries)?.indexed;
        if folds {
            found = self.named(queries, name, exactly, MOST_ALIKE)?;
            if indexed && name.is_ascii() && self.access.spellings(name).len() == 1 {
                return Ok(found);
            }
        }
        for spelling in self.access.spellings(name) {
            let conditions: Vec<(String, String)> = self
                .access
                .login
                .iter()
                .map(|field| format!("account.{}", quoted(self.column(*field))))
                .map(|column| {
                    let same = queries.same_but_for_case(&column, &spelling);
                    (column, same)
                })
                .collect();
            let same = |column: &str| {
                let known = conditions.iter().find(|(it, _)| it == column);
                known.map_or_else(|| "1 = 0".to_owned(), |(_, same)| same.clone())
            };
            let mut alike = self.named(queries, &spelling, same, MOST_ALIKE)?;
            self.access.retain_named(&mut alike, name);
            found.append(&mut alike);
        }
        Ok(found)
    }

    fn scans(&self, name: &str) -> bool {
        let indexed = self.statements.as_ref().is_some_and(|it| it.indexed);
        (self.access.ignore_case && !name.is_ascii()) || !indexed
    }

    fn by_key(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let by_id = self.statements(queries)?.by_id.clone();
        let rows = queries.look_up(&by_id, key_value(key))?;
        let found = rows.into_iter().filter_map(account).collect();
        // MySQL takes `7abc` for 7.
        Ok(crate::only(found).filter(|account| account.id.text == key))
    }

    fn look_up(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<(LookUp, Value)>, Unavailable> {
        let by_id = self.statements(queries)?.by_id.clone();
        Ok(Some((by_id, key_value(key))))
    }

    fn groups(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Vec<String>, Unavailable> {
        let (model, guard) = (self.users.model.clone(), self.guard.clone());
        match &self.statements(queries)?.roles {
            Roles::Statements(statements) => statements.of(queries, account, &model, &guard),
            Roles::Teams => Ok(Vec::new()),
            Roles::None => self.custom.groups(queries, account),
        }
    }

    fn has_permission(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        permission: &str,
    ) -> Result<bool, Unavailable> {
        let (model, guard) = (self.users.model.clone(), self.guard.clone());
        match &self.statements(queries)?.roles {
            Roles::Statements(statements) => {
                statements.hold(queries, account, (&model, &guard), permission)
            }
            Roles::Teams => Ok(false),
            Roles::None => self.custom.has_permission(queries, account, permission),
        }
    }

    /// The columns of laravel/fortify, whose log-in asks such accounts for a code as well. Whether one
    /// that is not confirmed yet counts is said in its configuration; it does here.
    fn refuses_passwords(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Option<Reason>, Unavailable> {
        if !self.statements(queries)?.second_factor {
            return Ok(None);
        }
        let statement = format!(
            "SELECT 1 FROM {} WHERE {} = :id AND \"two_factor_secret\" IS NOT NULL",
            self.table(),
            quoted(&self.users.id)
        );
        let rows = queries.rows(&statement, &[(":id", account.id.value.clone())], 1)?;
        Ok((!rows.is_empty()).then_some(Reason::PasswordAlone))
    }
}

impl Described for LaravelAccounts {
    fn needs(&self) -> Vec<Required> {
        let users = &self.users;
        let mut columns = vec![users.id.clone(), users.name.clone(), users.password.clone()];
        if !users.email.is_empty() && users.email != users.name {
            columns.push(users.email.clone());
        }
        let mut needs = vec![Required::Table(Table {
            name: users.table.clone(),
            columns,
            sought: vec![users.id.clone(), users.name.clone()],
            key: "laravel.user_table",
            optional: false,
        })];
        if let Some(Roles::Statements(_)) = self.statements.as_ref().map(|it| &it.roles) {
            for (name, columns) in [
                ("roles", &["id", "name", "guard_name"][..]),
                ("permissions", &["id", "name", "guard_name"]),
                ("model_has_roles", &["role_id", "model_type"]),
                ("model_has_permissions", &["permission_id", "model_type"]),
                ("role_has_permissions", &["permission_id", "role_id"]),
            ] {
                needs.push(Required::optional_table(name, "", columns));
            }
        }
        needs.extend(self.custom.needs());
        needs
    }

    fn tables(&self) -> Vec<String> {
        let roles = match self.statements.as_ref().map(|it| &it.roles) {
            Some(Roles::None) => Vec::new(),
            _ => self.users.role_tables.to_vec(),
        };
        [vec![self.users.table.clone()], roles].concat()
    }

    fn folded(
        &mut self,
        _queries: &mut Queries<'_>,
    ) -> Result<Option<(String, Vec<String>)>, Unavailable> {
        let columns = self
            .access
            .login
            .iter()
            .map(|it| self.column(*it).to_owned());
        let folded = (self.users.table.clone(), columns.collect());
        Ok(self.access.ignore_case.then_some(folded))
    }

    fn group_names(
        &mut self,
        queries: &mut Queries<'_>,
    ) -> Result<Option<Vec<String>>, Unavailable> {
        let guard = self.guard.clone();
        if !matches!(self.statements(queries)?.roles, Roles::Statements(_)) {
            return self.custom.group_names(queries);
        }
        let statement = "SELECT \"name\" FROM \"roles\" WHERE \"guard_name\" = :guard";
        let rows = queries.rows(statement, &[(":guard", guard.into())], crate::MOST_GROUPS)?;
        Ok(Some(
            rows.into_iter().filter_map(|mut row| row.text(0)).collect(),
        ))
    }

    fn overlooked(&mut self, queries: &mut Queries<'_>) -> Result<Vec<Overlooked>, Unavailable> {
        let teams = matches!(self.statements(queries)?.roles, Roles::Teams);
        Ok(teams
            .then(|| Overlooked {
                check: "roles",
                tried: "the tables of spatie/laravel-permission",
                seen:
                    "they have more columns than roles without teams have: which roles an account \
                       has depends on the team of a request, and none counts here"
                        .to_owned(),
                mend: "leave out conditions by group and permission, or drop the teams".to_owned(),
                problem: true,
            })
            .into_iter()
            .collect())
    }

    fn count(&mut self, queries: &mut Queries<'_>) -> Result<Option<u64>, Unavailable> {
        let live = format!(" account WHERE {}", self.statements(queries)?.live);
        crate::count(queries, &self.table(), &live)
    }

    fn page_after(
        &mut self,
        queries: &mut Queries<'_>,
        last: Option<&Id>,
    ) -> Result<Vec<Account>, Unavailable> {
        let id = quoted(&self.users.id);
        let after = match last {
            Some(_) => format!("account.{id} > :id"),
            None => "1 = 1".to_owned(),
        };
        let rest = format!("{after} ORDER BY account.{id} LIMIT {PAGE}");
        let statement = self.select(queries, &rest)?;
        let mut parameters = Vec::new();
        parameters.extend(last.map(|last| (":id", last.value.clone())));
        let rows = queries.rows(&statement, &parameters, PAGE)?;
        Ok(rows.into_iter().filter_map(account).collect())
    }

    fn sample_hashes(&mut self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable> {
        let (id, password) = (quoted(&self.users.id), quoted(&self.users.password));
        let statement = format!(
            "SELECT {password} FROM {} ORDER BY {id} DESC LIMIT {SOME_HASHES}",
            self.table()
        );
        let rows = queries.rows(&statement, &[], SOME_HASHES)?;
        let hashes = rows.into_iter().filter_map(|mut row| row.text(0));
        Ok(hashes.filter(|hash| !hash.is_empty()).collect())
    }
}
