//! Reads accounts as Devise finds them, and the roles of rolify's tables.

use std::time::SystemTime;

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{LookUp, Queries, Row, Value};
use jiff::tz::TimeZone;

use super::moment::moment;
use super::settings::{Devise, Rails};
use super::statements::{Statements, TIMES};
use crate::custom::{Custom, CustomAccounts};
use crate::{
    Account, AccountLookup, Accounts, Client, Described, HashContext, Id, LoginField, MOST_ALIKE,
    MOST_GROUPS, Reason, Required, count, quoted_table,
};

/// The accounts of a model of Devise's.
#[derive(Debug)]
pub(super) struct DeviseAccounts {
    devise: Devise,
    zone: Option<TimeZone>,
    lookup: AccountLookup,
    /// Groups and permissions, where `[custom]` says them.
    custom: CustomAccounts,
    custom_groups: bool,
    statements: Option<Statements>,
}

impl DeviseAccounts {
    pub(super) fn new(
        rails: &Rails,
        devise: &Devise,
        custom: &Custom,
        lookup: &AccountLookup,
    ) -> Self {
        Self {
            devise: devise.clone(),
            zone: rails.time_zone.clone(),
            lookup: lookup.clone(),
            custom: CustomAccounts::new(custom, lookup),
            custom_groups: custom.groups.is_some(),
            statements: None,
        }
    }

    fn statements(&mut self, queries: &mut Queries<'_>) -> Result<&Statements, Unavailable> {
        if self.statements.is_none() {
            let made = Statements::new(&self.devise, &self.lookup, queries)?;
            self.statements = Some(made);
        }
        self.statements
            .as_ref()
            .ok_or_else(|| Unavailable::new("no statements were made"))
    }

    /// The column of `field`; `None` where the model has none.
    fn column(&self, field: LoginField) -> Option<&str> {
        match field {
            LoginField::Username => Some(&self.devise.username),
            LoginField::Email => self.devise.email.as_deref(),
        }
    }

    /// `name` as Devise looks for it in `column` (`ParameterFilter#filter`, 4.8): in lower case, then
    /// without white space around it.
    fn filtered(&self, column: &str, name: &str) -> String {
        let among = |keys: &[String]| keys.iter().any(|key| key == column);
        let name = match among(&self.devise.downcased) {
            // Letter by letter, as Ruby does: a sigma at the end of a word is as any other.
            true => name.chars().flat_map(char::to_lowercase).collect(),
            false => name.to_owned(),
        };
        match among(&self.devise.stripped) {
            true => name
                .trim_matches(['\0', '\t', '\n', '\x0b', '\x0c', '\r', ' '])
                .to_owned(),
            false => name,
        }
    }

    /// The accounts whose `column` is `name`, as the database compares.
    fn named(
        &mut self,
        queries: &mut Queries<'_>,
        column: &str,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        let ignore_case = self.lookup.ignore_case;
        let lookup = self.lookup.clone();
        let statements = self.statements(queries)?;
        if name.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for (index, spelling) in lookup.spellings(name).iter().enumerate() {
            let parameters = [(":name", Value::from(spelling.as_str()))];
            if index == 0 {
                let exact = statements.where_named(column);
                found.append(&mut statements.accounts(queries, &exact, &parameters)?);
            }
            if ignore_case {
                let folded = statements.where_named_but_for_case(queries, column, spelling);
                let mut alike = statements.accounts(queries, &folded, &parameters)?;
                lookup.retain_named(&mut alike, name);
                found.append(&mut alike);
            }
        }
        Ok(found)
    }
}

impl Accounts for DeviseAccounts {
    fn candidates(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        let mut found = Vec::new();
        for field in self.lookup.login.clone() {
            let Some(column) = self.column(field).map(str::to_owned) else {
                continue;
            };
            let filtered = self.filtered(&column, name);
            let mut named = self.named(queries, &column, &filtered)?;
            // Hosts go on with the name as typed, which may be another's as it is stored.
            if filtered != name && !named.is_empty() {
                named.append(&mut self.named(queries, &column, name)?);
            }
            found.append(&mut named);
        }
        Ok(found)
    }

    fn scans(&self, name: &str) -> bool {
        let indexed = |statements: &Statements| statements.indexed;
        let ascii = !self.lookup.ignore_case || name.is_ascii();
        !(ascii && self.statements.as_ref().is_some_and(indexed))
    }

    fn by_key(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let statements = self.statements(queries)?;
        let Some(value) = statements.key.value(key) else {
            return Ok(None);
        };
        let mut rows = queries.look_up(&statements.by_id, value)?;
        let (Some(row), true) = (rows.pop(), rows.is_empty()) else {
            return Ok(None);
        };
        // A database may take another text for the same.
        let account = statements.account(row);
        Ok(account.filter(|account| statements.key.is_same(&account.id.text, key)))
    }

    fn look_up(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<(LookUp, Value)>, Unavailable> {
        let statements = self.statements(queries)?;
        let value = statements.key.value(key);
        Ok(value.map(|value| (statements.by_id.clone(), value)))
    }

    fn by_session_name(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let column = self.devise.username.clone();
        let mut found = self.named(queries, &column, name)?;
        found.retain(|account| account.name == name);
        Ok(crate::only(found))
    }

    /// What depends on the time: a lock that ends by itself, and an account that is open before it is
    /// confirmed (`access_locked?` of lockable.rb and `confirmation_period_valid?` of confirmable.rb,
    /// Devise 4.8).
    fn is_banned(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        _client: &Client,
        now: SystemTime,
    ) -> Result<bool, Unavailable> {
        let (unlock_in, unconfirmed) = (self.devise.unlock_in, self.devise.unconfirmed_access);
        let zone = self.zone.clone();
        let statements = self.statements(queries)?;
        let Some(times) = &statements.times else {
            return Ok(false);
        };
        let mut rows = queries.rows(times, &[(":id", account.id.value.clone())], 2)?;
        let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
            return Ok(true);
        };
        let [confirmed, sent, locked] = TIMES.map(|at| row.take(at));
        if !matches!(locked, Value::Null) {
            let end = moment(&locked, zone.as_ref())
                .zip(unlock_in)
                .and_then(|(locked, length)| locked.checked_add(length));
            if end.is_none_or(|end| now <= end) {
                return Ok(true);
            }
        }
        if matches!(confirmed, Value::Null) && statements.confirmable {
            let end = moment(&sent, zone.as_ref()).and_then(|sent| sent.checked_add(unconfirmed));
            return Ok(unconfirmed.is_zero() || end.is_none_or(|end| end < now));
        }
        Ok(false)
    }

    fn groups(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Vec<String>, Unavailable> {
        if self.custom_groups {
            return self.custom.groups(queries, account);
        }
        let Some(roles) = self.statements(queries)?.roles.clone() else {
            return Ok(Vec::new());
        };
        let parameters = [(":id", account.id.value.clone())];
        let rows = queries.rows(&roles, &parameters, usize::MAX)?;
        let mut names: Vec<String> = rows
            .into_iter()
            .filter_map(|mut row| row.words(0))
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn has_permission(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        permission: &str,
    ) -> Result<bool, Unavailable> {
        self.custom.has_permission(queries, account, permission)
    }

    fn hash_context(
        &mut self,
        _queries: &mut Queries<'_>,
        _account: &Account,
    ) -> Result<HashContext, Unavailable> {
        Ok(HashContext {
            pepper: self.devise.pepper.clone(),
            ..HashContext::default()
        })
    }
}

impl Described for DeviseAccounts {
    fn needs(&self) -> Vec<Required> {
        let devise = &self.devise;
        let mut columns = vec![&*devise.id, &devise.username, &devise.password];
        columns.extend(devise.email.as_deref().filter(|it| *it != devise.username));
        if devise.confirmable == Some(true) {
            columns.push("confirmed_at");
            columns.push("confirmation_sent_at");
        }
        if devise.lockable == Some(true) {
            columns.push("locked_at");
        }
        let mut needed = vec![Required::table(
            &*devise.table,
            "rails.user_table",
            &columns,
        )];
        // The username is looked for, too.
        if let Some(Required::Table(users)) = needed.first_mut() {
            users.sought.push(devise.username.clone());
        }
        if !self.custom_groups {
            let [roles, join] = Statements::role_tables(devise);
            needed.push(Required::optional_table(
                roles,
                "",
                &["id", "name", "resource_type"],
            ));
            let owner = Statements::role_owner(devise);
            needed.push(Required::optional_table(join, "", &[&owner, "role_id"]));
        }
        needed.extend(self.custom.needs());
        needed
    }

    fn folded(
        &mut self,
        _queries: &mut Queries<'_>,
    ) -> Result<Option<(String, Vec<String>)>, Unavailable> {
        let columns: Vec<String> = self
            .lookup
            .login
            .iter()
            .filter_map(|field| self.column(*field).map(str::to_owned))
            .collect();
        let folded = self.lookup.ignore_case && !columns.is_empty();
        Ok(folded.then(|| (self.devise.table.clone(), columns)))
    }

    fn count(&mut self, queries: &mut Queries<'_>) -> Result<Option<u64>, Unavailable> {
        count(queries, &quoted_table(&self.devise.table), "")
    }

    fn page_after(
        &mut self,
        queries: &mut Queries<'_>,
        last: Option<&Id>,
    ) -> Result<Vec<Account>, Unavailable> {
        let statements = self.statements(queries)?;
        let (rest, parameters) = statements.page_after(last);
        statements.accounts_of_page(queries, &rest, &parameters)
    }

    fn sample_hashes(&mut self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable> {
        let statement = self.statements(queries)?.sample_hashes.clone();
        let rows = queries.rows(&statement, &[], usize::MAX)?;
        Ok(rows.into_iter().filter_map(|mut row| row.text(0)).collect())
    }

    fn group_names(
        &mut self,
        queries: &mut Queries<'_>,
    ) -> Result<Option<Vec<String>>, Unavailable> {
        let has_roles = self.statements(queries)?.roles.is_some();
        if self.custom_groups || !has_roles {
            return Ok(None);
        }
        let [roles, _] = Statements::role_tables(&self.devise);
        let statement = format!("SELECT \"name\" FROM {}", quoted_table(&roles));
        let rows = queries.rows(&statement, &[], MOST_GROUPS)?;
        Ok(Some(
            rows.into_iter()
                .filter_map(|mut row| row.words(0))
                .collect(),
        ))
    }
}

impl Statements {
    /// The accounts of `condition`, of which [`MOST_ALIKE`] are enough to be none.
    fn accounts(
        &self,
        queries: &mut Queries<'_>,
        condition: &str,
        parameters: &[(&str, Value)],
    ) -> Result<Vec<Account>, Unavailable> {
        let statement = format!("{} {condition}", self.select);
        let rows = queries.rows(&statement, parameters, MOST_ALIKE)?;
        Ok(rows
            .into_iter()
            .filter_map(|row| self.account(row))
            .collect())
    }

    fn accounts_of_page(
        &self,
        queries: &mut Queries<'_>,
        rest: &str,
        parameters: &[(&str, Value)],
    ) -> Result<Vec<Account>, Unavailable> {
        let statement = format!("{} {rest}", self.select);
        let rows = queries.rows(&statement, parameters, usize::MAX)?;
        Ok(rows
            .into_iter()
            .filter_map(|row| self.account(row))
            .collect())
    }

    /// The account in `row`; `None` if it has no key or no name.
    fn account(&self, mut row: Row) -> Option<Account> {
        let value = row.take(0);
        let text = match &value {
            Value::Integer(key) => key.to_string(),
            Value::Text(key) => key.clone(),
            _ => return None,
        };
        let name = row.words(1).filter(|name| !name.is_empty())?;
        let encoded = row.text(2);
        let email = row.words(3).unwrap_or_default();
        let closed = row.truth(4);
        let meets = row.truth(5);
        Some(Account {
            id: Id { value, text },
            name,
            encoded,
            active: !closed && meets,
            inactive: Reason::Inactive,
            staff: false,
            superuser: false,
            email,
            full_name: String::new(),
        })
    }
}
