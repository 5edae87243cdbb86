//! Reads accounts and groups, as Joomla's own login sees them
//! (plugins/authentication/joomla/joomla.php and libraries/src/User/User.php of 4.4).

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Row, Value};

use super::second_step::{SecondSteps, Step};
use super::statements::{Learned, SOME_HASHES, Statements};
use crate::joomla::settings::Joomla;
use crate::prefixed;
use crate::{
    Account, AccountLookup, Accounts, Described, Id, LoginField, MOST_ALIKE, Reason, Required,
    Table,
};

/// The accounts of a Joomla site.
#[derive(Debug)]
pub(super) struct JoomlaAccounts {
    prefix: String,
    access: AccountLookup,
    allow_require_reset: bool,
    allow_missing_second_factor: bool,
    statements: Option<Learned<Statements>>,
}

impl JoomlaAccounts {
    pub(super) fn new(joomla: &Joomla, access: &AccountLookup) -> Self {
        Self {
            prefix: joomla.prefix.clone(),
            access: access.clone(),
            allow_require_reset: joomla.allow_require_reset,
            allow_missing_second_factor: joomla.allow_missing_second_factor,
            statements: None,
        }
    }

    fn statements(&mut self, queries: &mut Queries<'_>) -> Result<&Statements, Unavailable> {
        self.statements = match self.statements.take().filter(|it| it.lasts(queries)) {
            Some(learned) => Some(learned),
            None => {
                let statements = Statements::new(&self.prefix, &self.access, queries)?;
                Some(Learned::new(statements, queries))
            }
        };
        self.known()
            .ok_or_else(|| Unavailable::new("no statements were made"))
    }

    fn known(&self) -> Option<&Statements> {
        self.statements.as_ref().map(|learned| &learned.known)
    }

    fn accounts(
        &self,
        queries: &mut Queries<'_>,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<Account>, Unavailable> {
        let rows = queries.rows(statement, parameters, limit)?;
        let found = rows.into_iter().filter_map(|row| self.account(row));
        Ok(found.collect())
    }

    /// `None` for a row without a key or a name, which is not an account.
    fn account(&self, mut row: Row) -> Option<Account> {
        let id = row.take(0).integer_like().filter(|id| *id > 0)?;
        let name = row.text(1).filter(|name| !name.is_empty())?;
        let encoded = row.text(2);
        let block = row.take(3).integer_like();
        let email = row.text(4).unwrap_or_default();
        let full_name = row.text(5).unwrap_or_default();
        let must_reset = row.take(6).integer_like().is_some_and(|reset| reset != 0);
        let pending = must_reset && !self.allow_require_reset;
        let meets = row.truth(7);
        Some(Account {
            id: Id {
                value: Value::Integer(id),
                text: id.to_string(),
            },
            name,
            encoded,
            active: block == Some(0) && !pending && meets,
            inactive: match block {
                Some(0) if pending && meets => Reason::NewPassword,
                _ => Reason::Inactive,
            },
            staff: false,
            superuser: false,
            email,
            full_name: full_name.trim().to_owned(),
        })
    }

    /// Those who log in by `name`: first as the database compares, which in MySQL ignores case as
    /// Joomla's own login does there.
    fn named(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        let access = self.access.clone();
        let statements = self.statements(queries)?;
        let exact = statements.by_login.clone();
        let folded = access
            .ignore_case
            .then(|| statements.by_login_but_for_case(&access.login, queries, name));
        let parameters = [(":name", Value::from(name))];
        // Elsewhere than in MySQL, what is the same exactly is the same in any case, too.
        let mut found = Vec::new();
        if !access.ignore_case || queries.folds_by_collation() {
            found = self.accounts(queries, &exact, &parameters, 2)?;
        }
        let Some(folded) = folded else {
            return Ok(found);
        };
        for (index, spelling) in access.spellings(name).iter().enumerate() {
            let statement = match &folded {
                // Found by the name itself already.
                None if index == 0 => continue,
                folded => folded.as_ref().unwrap_or(&exact),
            };
            let parameters = [(":name", Value::from(spelling.as_str()))];
            let mut alike = self.accounts(queries, statement, &parameters, MOST_ALIKE)?;
            access.retain_named(&mut alike, name);
            found.append(&mut alike);
        }
        Ok(found)
    }
}

impl Accounts for JoomlaAccounts {
    fn candidates(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        if self.access.login.is_empty() {
            return Ok(Vec::new());
        }
        self.named(queries, name)
    }

    fn scans(&self, name: &str) -> bool {
        let AccountLookup {
            login, ignore_case, ..
        } = &self.access;
        let indexed = |statements: &Statements| statements.indexed;
        match (&**login, ignore_case) {
            ([LoginField::Username], false) => false,
            _ => (*ignore_case && !name.is_ascii()) || !self.known().is_some_and(indexed),
        }
    }

    fn by_key(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let Ok(key) = key.parse::<i64>() else {
            return Ok(None);
        };
        let statement = self.statements(queries)?.by_id.clone();
        let parameters = [(":id", Value::Integer(key))];
        let found = self.accounts(queries, &statement, &parameters, 2)?;
        Ok(crate::only(found))
    }

    fn groups(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Vec<String>, Unavailable> {
        let groups = &self.statements(queries)?.groups;
        let groups = groups.of(queries, &account.id.value)?;
        let mut titles: Vec<String> = groups.into_iter().map(|group| group.title).collect();
        titles.sort();
        titles.dedup();
        Ok(titles)
    }

    /// A group is called by its title or, since titles are translated, by its id.
    fn is_in(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        groups: &[String],
        name: &str,
    ) -> Result<bool, Unavailable> {
        if groups.iter().any(|group| group == name) {
            return Ok(true);
        }
        let Ok(id) = name.parse::<i64>() else {
            return Ok(false);
        };
        let groups = &self.statements(queries)?.groups;
        let groups = groups.of(queries, &account.id.value)?;
        Ok(groups.iter().any(|group| group.id == id))
    }

    /// Joomla compares no password while its plug-in for that is off, and none is enough for an
    /// account that must show a second factor, or set one up.
    fn refuses_passwords(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Option<Reason>, Unavailable> {
        let allow_missing_second_factor = self.allow_missing_second_factor;
        let statements = self.statements(queries)?;
        let extensions = match &statements.extensions {
            Some(statements) => Some(statements.read(queries)?),
            None => None,
        };
        if extensions.as_ref().is_some_and(|it| !it.check_passwords()) {
            return Ok(Some(Reason::PasswordElsewhere));
        }
        if allow_missing_second_factor {
            return Ok(None);
        }
        let second_steps = statements
            .second_steps
            .known(queries, statements.extensions.as_ref())?;
        let step = second_steps.after_password(
            queries,
            extensions.as_ref(),
            &statements.groups,
            &account.id.value,
        )?;
        Ok(step.map(|step| match step {
            Step::SetUp => Reason::PasswordBeforeSetUp,
            Step::Show => Reason::PasswordAlone,
        }))
    }
}

impl Described for JoomlaAccounts {
    fn group_names(
        &mut self,
        queries: &mut Queries<'_>,
    ) -> Result<Option<Vec<String>>, Unavailable> {
        let groups = &self.statements(queries)?.groups;
        groups.names(queries).map(Some)
    }

    fn folded(
        &mut self,
        _queries: &mut Queries<'_>,
    ) -> Result<Option<(String, Vec<String>)>, Unavailable> {
        let column = |field: &LoginField| match field {
            LoginField::Username => "username".to_owned(),
            LoginField::Email => "email".to_owned(),
        };
        let columns = self.access.login.iter().map(column).collect();
        let table = format!("{}users", self.prefix);
        Ok(self.access.ignore_case.then_some((table, columns)))
    }

    fn passwords_elsewhere(
        &mut self,
        queries: &mut Queries<'_>,
    ) -> Result<Option<String>, Unavailable> {
        let allow_missing_second_factor = self.allow_missing_second_factor;
        let statements = self.statements(queries)?;
        let extensions = statements.extensions.as_ref();
        if !allow_missing_second_factor {
            statements.second_steps.check(queries, extensions)?;
        }
        let Some(extensions) = extensions else {
            return Ok(None);
        };
        let on = extensions.read(queries)?.check_passwords();
        let told = "the plug-in \"Authentication - Joomla\" is off, or not for guests";
        Ok((!on).then(|| told.to_owned()))
    }

    fn tables(&self) -> Vec<String> {
        let prefix = &self.prefix;
        let mut tables = vec![format!("{prefix}users")];
        match self.known() {
            Some(statements) => {
                tables.extend(statements.groups.tables(prefix));
                let steps = &statements.second_steps;
                if matches!(
                    steps,
                    SecondSteps::Table { .. } | SecondSteps::Hidden { .. }
                ) {
                    tables.push(format!("{prefix}user_mfa"));
                }
                if statements.extensions.is_some() {
                    tables
                        .extend(["extensions", "viewlevels"].map(|name| format!("{prefix}{name}")));
                }
            }
            None => {
                for name in [
                    "usergroups",
                    "user_usergroup_map",
                    "user_mfa",
                    "extensions",
                    "viewlevels",
                ] {
                    tables.push(format!("{prefix}{name}"));
                }
            }
        }
        tables
    }

    fn page_after(
        &mut self,
        queries: &mut Queries<'_>,
        last: Option<&Id>,
    ) -> Result<Vec<Account>, Unavailable> {
        let statements = self.statements(queries)?;
        let (statement, parameters) = match last {
            None => (statements.first.clone(), Vec::new()),
            Some(id) => (statements.after.clone(), vec![(":id", id.value.clone())]),
        };
        self.accounts(queries, &statement, &parameters, usize::MAX)
    }

    fn needs(&self) -> Vec<Required> {
        let full = |name| format!("{}{name}", self.prefix);
        let key = "joomla.dbprefix";
        let users = ["id", "username", "password", "block", "email", "name"];
        vec![
            Required::Table(Table {
                name: full("users"),
                columns: users.map(str::to_owned).to_vec(),
                sought: vec!["id".to_owned(), "username".to_owned()],
                key,
                optional: false,
            }),
            Required::table(full("user_usergroup_map"), key, &["user_id", "group_id"]),
            Required::table(full("usergroups"), key, &["id", "title"]),
            Required::optional_table(
                full("extensions"),
                key,
                &[
                    "type", "folder", "element", "access", "params", "enabled", "state",
                ],
            ),
            Required::optional_table(full("viewlevels"), key, &["id", "rules"]),
            Required::optional_table(full("user_mfa"), key, &["user_id", "method"]),
        ]
    }

    fn count(&mut self, queries: &mut Queries<'_>) -> Result<Option<u64>, Unavailable> {
        crate::count(queries, &prefixed(&self.prefix, "users"), "")
    }

    fn sample_hashes(&mut self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable> {
        let statement = &self.statements(queries)?.some_hashes;
        let rows = queries.rows(statement, &[], SOME_HASHES)?;
        let hashes = rows.into_iter().filter_map(|mut row| row.text(0));
        Ok(hashes.filter(|hash| !hash.is_empty()).collect())
    }
}
