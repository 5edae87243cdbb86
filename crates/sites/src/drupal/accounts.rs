//! Reads accounts, as Drupal's own login form finds them: `user_load_by_name` in
//! modules/user/user.module of 7, and `UserAuthentication::lookupAccount` in
//! core/modules/user/src/UserAuthentication.php of 10.3.

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{LookUp, Queries, Row, Value};

use super::modules;
use super::roles;
use super::settings::Drupal;
use crate::{
    Account, AccountLookup, Accounts, Described, Id, LoginField, MOST_ALIKE, Overlooked, Reason,
    Required, Table,
};

/// Accounts are numbered from 1; 0 is the visitors'.
const SOMEBODY: &str = "\"uid\" > 0";
/// The account that holds every permission.
const SUPER_USER: i64 = 1;
/// How many hashes are looked at to learn what a check costs on this site.
const SOME_HASHES: usize = 64;
/// How many accounts are listed at a time.
const PAGE: usize = 500;

/// The accounts of a Drupal site.
#[derive(Debug)]
pub(super) struct DrupalAccounts {
    drupal: Drupal,
    access: AccountLookup,
    /// Of all of them, with a condition that more can be added to.
    select: String,
    /// Of one, by its primary key.
    by_key: LookUp,
}

impl DrupalAccounts {
    pub(super) fn new(drupal: &Drupal, access: &AccountLookup) -> Self {
        let of_language = match drupal.version.is_7() {
            true => "",
            // A translated account has a row for each language.
            false => " AND \"default_langcode\" = 1",
        };
        let meets = crate::meets(access.account_where.as_deref());
        let columns = [
            "\"uid\"",
            "\"name\"",
            "\"pass\"",
            "\"status\"",
            "\"mail\"",
            &meets,
        ];
        let from = format!("{} account", drupal.prefix.table(table(drupal)));
        let select = format!(
            "SELECT {} FROM {from} WHERE {SOMEBODY}{of_language}",
            columns.join(", ")
        );
        let by = format!("{SOMEBODY}{of_language} AND \"uid\"");
        Self {
            by_key: LookUp::new(&columns, &from, &by, ":uid"),
            drupal: drupal.clone(),
            access: access.clone(),
            select,
        }
    }

    fn accounts(
        &self,
        queries: &mut Queries<'_>,
        rest: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<Account>, Unavailable> {
        let statement = format!("{} {rest}", self.select);
        let rows = queries.rows(&statement, parameters, limit)?;
        Ok(rows
            .into_iter()
            .filter_map(|row| self.account(row))
            .collect())
    }

    /// `None` for a row without a key or a name, which is not an account.
    fn account(&self, mut row: Row) -> Option<Account> {
        let id = row.take(0).integer_like().filter(|id| *id > 0)?;
        let name = row.text(1).filter(|name| !name.is_empty())?;
        let encoded = row.text(2);
        let status = row.take(3).integer_like();
        let email = row.text(4).unwrap_or_default();
        let meets = row.truth(5);
        Some(Account {
            id: Id {
                value: Value::Integer(id),
                text: id.to_string(),
            },
            name,
            encoded,
            active: status == Some(1) && meets,
            inactive: Reason::Inactive,
            staff: false,
            superuser: id == SUPER_USER && self.drupal.super_user,
            email,
            full_name: String::new(),
        })
    }

    /// Those whose `column` is `name`. MySQL compares by the column's collation, in every version;
    /// in other databases Drupal 7 compares exactly, and 8 and later without regard to case.
    fn named(
        &self,
        queries: &mut Queries<'_>,
        field: LoginField,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        let column = column(field);
        let parameters = [(":name", Value::from(name))];
        let by_collation = queries.folds_by_collation();
        let mut found = Vec::new();
        if by_collation || self.drupal.version.is_7() {
            let rest = format!("AND \"{column}\" = :name");
            found = self.accounts(queries, &rest, &parameters, MOST_ALIKE)?;
            if !self.access.ignore_case {
                return Ok(found);
            }
        }
        // Not by `=`: Drupal gives the column a collation in SQLite that only Drupal has.
        let rest = format!(
            "AND {}",
            queries.same_but_for_case(&format!("\"{column}\""), name)
        );
        let mut alike = self.accounts(queries, &rest, &parameters, MOST_ALIKE)?;
        if self.access.ignore_case {
            self.access.retain_named(&mut alike, name);
        } else if alike.len() < MOST_ALIKE {
            let folded = name.to_lowercase();
            alike.retain(|account| match field {
                LoginField::Username => account.name.to_lowercase() == folded,
                LoginField::Email => account.email.to_lowercase() == folded,
            });
        }
        found.extend(alike);
        Ok(found)
    }
}

/// The table that accounts are in.
pub(super) fn table(drupal: &Drupal) -> &'static str {
    match drupal.version.is_7() {
        true => "users",
        false => "users_field_data",
    }
}

fn column(field: LoginField) -> &'static str {
    match field {
        LoginField::Username => "name",
        LoginField::Email => "mail",
    }
}

impl Accounts for DrupalAccounts {
    fn candidates(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        let mut candidates = Vec::new();
        for field in &self.access.login {
            for spelling in self.access.spellings(name) {
                candidates.extend(self.named(queries, *field, &spelling)?);
            }
        }
        Ok(candidates)
    }

    fn scans(&self, _name: &str) -> bool {
        self.access.ignore_case || !self.drupal.folds_by_index
    }

    fn by_key(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let Ok(key) = key.parse::<i64>() else {
            return Ok(None);
        };
        let rows = queries.look_up(&self.by_key, Value::Integer(key))?;
        let found = rows.into_iter().filter_map(|row| self.account(row));
        Ok(crate::only(found.collect()))
    }

    fn look_up(
        &mut self,
        _queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<(LookUp, Value)>, Unavailable> {
        let key = key.parse().ok().map(Value::Integer);
        Ok(key.map(|key| (self.by_key.clone(), key)))
    }

    fn groups(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Vec<String>, Unavailable> {
        roles::of(&self.drupal, queries, account)
    }

    /// Every account is in the role "authenticated user", whose name no row gives it.
    fn is_in(
        &mut self,
        queries: &mut Queries<'_>,
        _account: &Account,
        groups: &[String],
        name: &str,
    ) -> Result<bool, Unavailable> {
        Ok(groups.iter().any(|group| group == name)
            || roles::is_everyones(&self.drupal, queries, name)?)
    }

    fn has_permission(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        permission: &str,
    ) -> Result<bool, Unavailable> {
        roles::grant(&self.drupal, queries, account, permission)
    }

    fn refuses_passwords(
        &mut self,
        queries: &mut Queries<'_>,
        _account: &Account,
    ) -> Result<Option<Reason>, Unavailable> {
        let change = modules::change(&self.drupal, queries)?;
        Ok(change.map(|change| change.reason()))
    }
}

impl Described for DrupalAccounts {
    fn group_names(
        &mut self,
        queries: &mut Queries<'_>,
    ) -> Result<Option<Vec<String>>, Unavailable> {
        roles::names(&self.drupal, queries)
    }

    fn folded(
        &mut self,
        _queries: &mut Queries<'_>,
    ) -> Result<Option<(String, Vec<String>)>, Unavailable> {
        let columns = self.access.login.iter().map(|it| column(*it).to_owned());
        let table = self.drupal.prefix.name(table(&self.drupal));
        Ok(self.access.ignore_case.then(|| (table, columns.collect())))
    }

    fn passwords_elsewhere(
        &mut self,
        queries: &mut Queries<'_>,
    ) -> Result<Option<String>, Unavailable> {
        let change = modules::change(&self.drupal, queries)?;
        Ok(change.map(|change| change.describe()))
    }

    /// Which modules there are decides about passwords. A dump of some tables may lack the list of
    /// them, and no running site does.
    fn overlooked(&mut self, queries: &mut Queries<'_>) -> Result<Vec<Overlooked>, Unavailable> {
        let list = self.drupal.prefix.name(modules::list(&self.drupal));
        let overlooked = |seen, mend: &str| {
            Ok(vec![Overlooked {
                check: "modules",
                tried: "which modules the site has",
                seen,
                mend: mend.to_owned(),
                problem: true,
            }])
        };
        if queries.columns(&list)?.is_empty() {
            return overlooked(
                format!("there is no table {list}"),
                "see that it is the site's database, and that [drupal] version and prefix are \
                 right: without it, a module that asks for a second factor is not noticed",
            );
        }
        match modules::has_phpass(&self.drupal, queries)? {
            Some(true) if !self.drupal.phpass => overlooked(
                "it has phpass, and passwords from before Drupal 10.1 are refused here".to_owned(),
                "write phpass = true into [drupal]",
            ),
            Some(false) if self.drupal.phpass => overlooked(
                "it has no phpass, and refuses passwords from before Drupal 10.1".to_owned(),
                "write phpass = false into [drupal]",
            ),
            _ => Ok(Vec::new()),
        }
    }

    fn page_after(
        &mut self,
        queries: &mut Queries<'_>,
        last: Option<&Id>,
    ) -> Result<Vec<Account>, Unavailable> {
        let last = last.map_or(Value::Integer(0), |id| id.value.clone());
        let rest = format!("AND \"uid\" > :id ORDER BY \"uid\" LIMIT {PAGE}");
        self.accounts(queries, &rest, &[(":id", last)], usize::MAX)
    }

    fn needs(&self) -> Vec<Required> {
        let key = "drupal.prefix";
        let mut columns = vec!["uid", "name", "pass", "status", "mail"];
        if !self.drupal.version.is_7() {
            columns.push("default_langcode");
        }
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let mut needs = vec![Required::Table(Table {
            name: self.drupal.prefix.name(table(&self.drupal)),
            columns: owned(&columns),
            sought: owned(&["uid", "name"]),
            key,
            optional: false,
        })];
        needs.extend(roles::needs(&self.drupal, key));
        if self.drupal.version.is_7() {
            let list = self.drupal.prefix.name(modules::list(&self.drupal));
            needs.push(Required::optional_table(
                list,
                key,
                &["name", "type", "status"],
            ));
        }
        needs
    }

    fn count(&mut self, queries: &mut Queries<'_>) -> Result<Option<u64>, Unavailable> {
        let of_language = match self.drupal.version.is_7() {
            true => "",
            false => " AND \"default_langcode\" = 1",
        };
        let condition = format!(" WHERE {SOMEBODY}{of_language}");
        let table = self.drupal.prefix.table(table(&self.drupal));
        crate::count(queries, &table, &condition)
    }

    fn sample_hashes(&mut self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable> {
        let table = self.drupal.prefix.table(table(&self.drupal));
        let statement = format!(
            "SELECT \"pass\" FROM {table} WHERE {SOMEBODY} AND LENGTH(\"pass\") > 0 ORDER BY \
             \"uid\" DESC LIMIT {SOME_HASHES}"
        );
        let rows = queries.rows(&statement, &[], SOME_HASHES)?;
        Ok(rows.into_iter().filter_map(|mut row| row.text(0)).collect())
    }
}
