//! Reads accounts, groups and permissions, as `ModelBackend` sees them.

use std::time::SystemTime;

use hallpass_sessions::django::Version;
use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Changes, LookUp, Queries, Row, Value, fold_case};
use unicode_normalization::UnicodeNormalization;

use super::changes;
use super::datetime::Clock;
use super::second_factor::{self, SecondFactor};
#[cfg(test)]
use super::statements::hyphenated;
use super::statements::{self, KeyKind, PAGE, SOME_HASHES, Statements};
use crate::django::settings::{Django, Normalization, UserTable};
use crate::{
    Account, AccountLookup, Accounts, Described, Id, LoginField, MOST_ALIKE, MOST_GROUPS,
    Overlooked, Reason, Required, Stop, Table, Writable, quoted_table,
};

/// How many permissions are looked at whose names differ at most in what a collation ignores.
const LIKE_NAMED: usize = 64;

/// The accounts of a Django site.
#[derive(Debug)]
pub(super) struct DjangoAccounts {
    user: UserTable,
    access: AccountLookup,
    normalize: Normalization,
    authtoken: bool,
    permissions: bool,
    second_factor: Option<SecondFactor>,
    /// Whether the configuration says whether there are second factors.
    says_second_factor: bool,
    version: Version,
    password_hashers: Option<Vec<String>>,
    clock: Clock,
    statements: Option<Statements>,
}

impl DjangoAccounts {
    pub(super) fn new(django: &Django, access: &AccountLookup) -> Self {
        Self {
            user: django.user.clone(),
            access: access.clone(),
            normalize: django.normalize,
            authtoken: django.authtoken,
            permissions: django.permissions,
            second_factor: SecondFactor::new(django.second_factor.as_deref()),
            says_second_factor: django.second_factor.is_some(),
            version: django.version,
            password_hashers: django.password_hashers.clone(),
            clock: Clock::new(django.time_zone.clone()),
            statements: None,
        }
    }

    fn statements(&mut self, queries: &mut Queries<'_>) -> Result<&Statements, Unavailable> {
        if self.statements.is_none() {
            let (user, access) = (&self.user, &self.access);
            let made = Statements::new(user, access, self.permissions, queries)?;
            self.statements = Some(made);
        }
        self.statements
            .as_ref()
            .ok_or_else(|| Unavailable::new("no statements were made"))
    }
}

impl DjangoAccounts {
    /// The accounts that log in by `name`.
    fn named(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        let access = self.access.clone();
        let ignore_case = access.ignore_case;
        let statements = self.statements(queries)?;
        if name.is_empty() {
            // Most accounts without an e-mail address have a name.
            let parameters = [(":name", Value::from(name))];
            return accounts(queries, statements, &statements.by_username, &parameters, 2);
        }
        let kind = statements.name;
        let typed = kind.value(name);
        let exact = match typed {
            Some(_) => &statements.by_login,
            None => &statements.by_others,
        };
        let Some(exact) = exact else {
            return Ok(Vec::new());
        };
        // As Django would show it.
        let meant = typed.as_ref().and_then(|typed| kind.shown(typed));
        let parameters = [(":name", typed.unwrap_or_else(|| name.into()))];
        // Elsewhere than in MySQL, what is the same exactly is the same in any case, too.
        let mut found = Vec::new();
        if !ignore_case || queries.folds_by_collation() {
            found = accounts(queries, statements, exact, &parameters, 2)?;
            if kind != KeyKind::Text {
                // A database may take `7.0` for 7 as well.
                let same = |account: &Account| {
                    meant.as_ref() == Some(&account.name)
                        || fold_case(&account.email) == fold_case(name)
                };
                found.retain(same);
            }
        }
        if !ignore_case {
            return Ok(found);
        }
        let folded = statements.by_login_but_for_case(queries, name);
        for (index, spelling) in access.spellings(name).iter().enumerate() {
            let statement = match &folded {
                // Found by the name itself already.
                None if index == 0 => continue,
                folded => folded.as_ref().unwrap_or(exact),
            };
            let parameters = [(":name", Value::from(spelling.as_str()))];
            let mut alike = accounts(queries, statements, statement, &parameters, MOST_ALIKE)?;
            access.retain_named(&mut alike, name);
            found.append(&mut alike);
        }
        Ok(found)
    }

    /// Whether an account has `name` in any case, or logs in by it as an address.
    fn is_taken(&mut self, queries: &mut Queries<'_>, name: &str) -> Result<bool, Unavailable> {
        if !self.candidates(queries, name)?.is_empty() {
            return Ok(true);
        }
        let statements = self.statements(queries)?;
        let folded = statements.by_username_but_for_case(queries, name);
        let parameters = [(":name", name.into())];
        Ok(!accounts(queries, statements, &folded, &parameters, 1)?.is_empty())
    }
}

impl Accounts for DjangoAccounts {
    fn writable(&mut self) -> Option<&mut dyn Writable> {
        Some(self)
    }

    /// `ModelBackend.authenticate` (contrib/auth/backends.py, 5.2) looks an empty name up as any
    /// other; no form sends one.
    fn takes_empty_names(&self) -> bool {
        true
    }

    fn candidates(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        if self.access.login.is_empty() {
            return Ok(Vec::new());
        }
        let normalized: String = match self.normalize {
            Normalization::None => return self.named(queries, name),
            Normalization::Nfkc => name.nfkc().collect(),
        };
        let mut found = self.named(queries, &normalized)?;
        // Hosts go on with the name as typed, which may be another's as it is stored. The site's own
        // form finds no account by that.
        if normalized != name && !found.is_empty() {
            found.append(&mut self.named(queries, name)?);
        }
        Ok(found)
    }

    fn scans(&self, name: &str) -> bool {
        let indexed = |statements: &Statements| statements.indexed;
        match (&*self.access.login, self.access.ignore_case) {
            ([LoginField::Username], false) => false,
            (_, ignore_case) => {
                (ignore_case && !name.is_ascii()) || !self.statements.as_ref().is_some_and(indexed)
            }
        }
    }

    fn by_key(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let statements = self.statements(queries)?;
        let Some(key) = statements.key.value(key) else {
            return Ok(None);
        };
        let mut rows = queries.look_up(&statements.by_id, key)?;
        let (Some(row), true) = (rows.pop(), rows.is_empty()) else {
            return Ok(None);
        };
        Ok(account(row, statements))
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
        let statements = self.statements(queries)?;
        let parameters = [(":name", name.into())];
        let mut found = accounts(queries, statements, &statements.by_username, &parameters, 2)?;
        // The database may take names for equal that are not.
        found.retain(|account| account.name == name);
        Ok(if found.len() == 1 { found.pop() } else { None })
    }

    /// As `TokenAuthentication.authenticate_credentials` looks it up
    /// (rest_framework/authentication.py, Django REST framework 3.16).
    fn by_token(
        &mut self,
        queries: &mut Queries<'_>,
        token: &str,
    ) -> Result<Option<Account>, Unavailable> {
        if !self.authtoken {
            return Ok(None);
        }
        let statements = self.statements(queries)?;
        let parameters = [(":token", token.into())];
        let mut found = accounts(queries, statements, &statements.by_token(), &parameters, 2)?;
        Ok(if found.len() == 1 { found.pop() } else { None })
    }

    fn groups(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Vec<String>, Unavailable> {
        let Some(groups) = &self.statements(queries)?.groups else {
            return Ok(Vec::new());
        };
        let rows = queries.rows(groups, &[(":id", account.id.value.clone())], usize::MAX)?;
        Ok(rows.into_iter().filter_map(|mut row| row.text(0)).collect())
    }

    fn refuses_passwords(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Option<Reason>, Unavailable> {
        let Some(second_factor) = &mut self.second_factor else {
            return Ok(None);
        };
        let set = second_factor.is_set(queries, &account.id.text)?;
        Ok(set.then_some(Reason::PasswordAlone))
    }

    fn has_permission(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        permission: &str,
    ) -> Result<bool, Unavailable> {
        // An application's label is an identifier, so the first dot ends it. A name without a dot
        // is not a permission.
        let Some((application, codename)) = permission.split_once('.') else {
            return Ok(false);
        };
        let Some(statement) = &self.statements(queries)?.permission else {
            return Ok(false);
        };
        let parameters = [
            (":id", account.id.value.clone()),
            (":application", application.into()),
            (":codename", codename.into()),
        ];
        let rows = queries.rows(statement, &parameters, LIKE_NAMED)?;
        // Collations of MySQL and MariaDB find what differs in case and accents; Django compares
        // the names themselves.
        Ok(rows.into_iter().any(|mut row| {
            row.text(0).as_deref() == Some(application) && row.text(1).as_deref() == Some(codename)
        }))
    }
}

impl Writable for DjangoAccounts {
    fn encode(&self, password: &[u8]) -> Result<String, Stop> {
        changes::encode(password, self.version, self.password_hashers.as_deref())
    }

    fn set_password(
        &mut self,
        changes: &mut Changes<'_>,
        account: &Account,
        encoded: &str,
    ) -> Result<(), Stop> {
        changes::set_password(&self.user, changes, account, encoded)
    }

    fn register(
        &mut self,
        changes: &mut Changes<'_>,
        name: &str,
        encoded: &str,
        now: SystemTime,
    ) -> Result<String, Stop> {
        let Some(name) = changes::normalized(name) else {
            return Err(Reason::Malformed.into());
        };
        if self.is_taken(changes.queries(), &name)? {
            return Err(Reason::NotPermitted.into());
        }
        let key = self.statements(changes.queries())?.key;
        let (user, clock) = (&self.user, &self.clock);
        changes::register(user, key, clock, changes, &name, encoded, now)?;
        Ok(name)
    }

    fn deactivate(&mut self, changes: &mut Changes<'_>, account: &Account) -> Result<(), Stop> {
        changes::deactivate(&self.user, changes, account)
    }
}

impl Described for DjangoAccounts {
    fn group_names(
        &mut self,
        queries: &mut Queries<'_>,
    ) -> Result<Option<Vec<String>>, Unavailable> {
        if self.statements(queries)?.groups.is_none() {
            return Ok(Some(Vec::new()));
        }
        let statement = "SELECT \"name\" FROM \"auth_group\"";
        let rows = queries.rows(statement, &[], MOST_GROUPS)?;
        Ok(Some(
            rows.into_iter().filter_map(|mut row| row.text(0)).collect(),
        ))
    }

    fn writable_columns(&self) -> Option<(String, Vec<String>)> {
        let user = &self.user;
        let columns = user.password.clone().into_iter().chain(user.active.clone());
        Some((user.table.clone(), columns.collect()))
    }

    fn folded(
        &mut self,
        queries: &mut Queries<'_>,
    ) -> Result<Option<(String, Vec<String>)>, Unavailable> {
        if !self.access.ignore_case {
            return Ok(None);
        }
        let columns = self.statements(queries)?.login_columns();
        Ok(Some((self.user.table.clone(), columns)))
    }

    fn page_after(
        &mut self,
        queries: &mut Queries<'_>,
        last: Option<&Id>,
    ) -> Result<Vec<Account>, Unavailable> {
        let statements = self.statements(queries)?;
        let rows = match last {
            None => queries.rows(&statements.first_page(), &[], PAGE)?,
            Some(last) => {
                let parameters = [(":id", last.value.clone())];
                queries.rows(&statements.next_page(), &parameters, PAGE)?
            }
        };
        let account = |row| account(row, statements);
        Ok(rows.into_iter().filter_map(account).collect())
    }

    fn needs(&self) -> Vec<Required> {
        let user = &self.user;
        let own = *user == UserTable::contrib();
        let mut columns = vec![&*user.id, &user.username];
        columns.extend(user.password.as_deref());
        columns.extend(user.active.as_deref());
        columns.extend(user.email.as_deref());
        if own {
            columns.extend([
                "is_superuser",
                "is_staff",
                "email",
                "first_name",
                "last_name",
            ]);
        }
        let mut sought = vec![user.id.clone(), user.username.clone()];
        if self.access.login.contains(&LoginField::Email) {
            sought.extend(
                user.email
                    .clone()
                    .or_else(|| own.then(|| "email".to_owned())),
            );
        }
        let mut needs = vec![Required::Table(Table {
            name: user.table.clone(),
            columns: columns.into_iter().map(str::to_owned).collect(),
            sought,
            key: "django.user_table",
            optional: false,
        })];
        for (configured, suffix, column, key) in [
            (
                &user.groups_table,
                "groups",
                "group_id",
                "django.groups_table",
            ),
            (
                &user.permissions_table,
                "user_permissions",
                "permission_id",
                "django.permissions_table",
            ),
        ] {
            needs.push(Required::Table(Table {
                name: configured
                    .clone()
                    .unwrap_or_else(|| user.related_table(suffix)),
                columns: vec![user.foreign_key.clone(), column.to_owned()],
                sought: vec![user.foreign_key.clone()],
                key,
                // A user model need have neither groups nor permissions.
                optional: !own && configured.is_none(),
            }));
        }
        let [groups, group_permissions, permissions, content_types] = statements::TABLES;
        for (table, columns) in [
            (groups, &["id", "name"][..]),
            (group_permissions, &["group_id", "permission_id"]),
            (permissions, &["id", "content_type_id", "codename"]),
            (content_types, &["id", "app_label"]),
        ] {
            needs.push(Required::table(table, "", columns));
        }
        if self.authtoken {
            needs.push(Required::table(statements::TOKENS, "", &["key", "user_id"]));
        }
        needs.extend(self.second_factor.iter().flat_map(SecondFactor::needs));
        needs
    }

    fn overlooked(&mut self, queries: &mut Queries<'_>) -> Result<Vec<Overlooked>, Unavailable> {
        let hashes = self.sample_hashes(queries)?;
        let mut found: Vec<Overlooked> = older_version(self.version, &hashes).into_iter().collect();
        if !self.says_second_factor {
            found.extend(second_factor::overlooked(queries)?);
        }
        Ok(found)
    }

    fn count(&mut self, queries: &mut Queries<'_>) -> Result<Option<u64>, Unavailable> {
        let table = quoted_table(&self.user.table);
        crate::count(queries, &table, "")
    }

    fn sample_hashes(&mut self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable> {
        let statement = self.statements(queries)?.sample_hashes();
        let rows = queries.rows(&statement, &[], SOME_HASHES)?;
        Ok(rows.into_iter().filter_map(|mut row| row.text(0)).collect())
    }
}

/// Whether the site's Django is newer than `configured`, and takes less, as its newest `hashes` show.
fn older_version(configured: Version, hashes: &[String]) -> Option<Overlooked> {
    let made_by = |hash: &String| {
        let mut parts = hash.strip_prefix("pbkdf2_sha256$")?.split('$');
        let iterations: u32 = parts.next()?.parse().ok()?;
        let (_, version) = ITERATIONS.into_iter().find(|(it, _)| *it == iterations)?;
        Some((version, iterations))
    };
    let (version, iterations) = hashes.iter().filter_map(made_by).max()?;
    (configured.reads_legacy() && !version.reads_legacy()).then(|| Overlooked {
        check: "django-version",
        tried: "compare [django] version with the newest hashes",
        seen: format!(
            "a hash of {iterations} iterations is of Django {version} or newer, and the rules of \
             Django {configured} accept sessions that it refuses"
        ),
        mend: format!("write [django] version = \"{version}\", or the site's own if it is newer"),
        problem: false,
    })
}

/// `PBKDF2PasswordHasher.iterations` (contrib/auth/hashers.py), and the first version that has it.
/// Not 600,000 of Django 4.2, which sites with a hasher of their own have chosen as well, because
/// OWASP recommends it.
const ITERATIONS: [(u32, Version); 7] = [
    (260_000, Version::new(3, 2)),
    (320_000, Version::new(4, 0)),
    (390_000, Version::new(4, 1)),
    (720_000, Version::new(5, 0)),
    (870_000, Version::new(5, 1)),
    (1_000_000, Version::new(5, 2)),
    (1_200_000, Version::new(6, 0)),
];

/// The first `limit` accounts that `statement` gives.
fn accounts(
    queries: &mut Queries<'_>,
    statements: &Statements,
    statement: &str,
    parameters: &[(&str, Value)],
    limit: usize,
) -> Result<Vec<Account>, Unavailable> {
    let rows = queries.rows(statement, parameters, limit)?;
    Ok(rows
        .into_iter()
        .filter_map(|row| account(row, statements))
        .collect())
}

/// `None` for a row without a key or a name, which is not an account.
fn account(mut row: Row, statements: &Statements) -> Option<Account> {
    let value = row.take(0);
    let text = statements.key.shown(&value)?;
    let name = statements.name.shown(&row.take(1))?;
    let encoded = row.words(2);
    let (active, superuser, staff) = (row.truth(3), row.truth(4), row.truth(5));
    let meets = row.truth(9);
    let email = row.text(6).unwrap_or_default();
    let names = [7, 8].map(|column| row.text(column).unwrap_or_default());
    let full_name = names.join(" ").trim().to_owned();
    Some(Account {
        id: Id { value, text },
        name,
        encoded,
        active: active && meets,
        inactive: Reason::Inactive,
        staff,
        superuser,
        email,
        full_name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_the_field_reads_them() {
        let integer = |key| KeyKind::Integer.value(key);
        assert_eq!(integer("7"), Some(Value::Integer(7)));
        assert_eq!(integer(" 07\n"), Some(Value::Integer(7)));
        for key in [
            "",
            "1.0",
            "abc",
            "0x1",
            "1 2",
            "99999999999999999999",
            "1;",
            "None",
        ] {
            assert_eq!(integer(key), None, "{key}");
        }
        let uuid = |key| KeyKind::Uuid.value(key);
        let hex = Some(Value::Text("0123456789abcdef0123456789abcdef".into()));
        assert_eq!(uuid("01234567-89ab-cdef-0123-456789ABCDEF"), hex);
        assert_eq!(uuid("0123456789abcdef0123456789abcde"), None);
        assert_eq!(uuid("0123456789abcdef0123456789abcdeg"), None);
        assert_eq!(
            hyphenated("0123456789abcdef0123456789abcdef"),
            "01234567-89ab-cdef-0123-456789abcdef"
        );
    }
}
