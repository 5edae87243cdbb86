//! Writes the SQL that asks for accounts, once for the tables a site has.

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Column, LookUp, Queries, Value, unquoted};

use crate::django::settings::UserTable;
use crate::{AccountLookup, LoginField};
use crate::{quoted, quoted_table};

/// How many hashes are looked at to learn what a check costs on this site.
pub(super) const SOME_HASHES: usize = 64;

/// How many accounts are read at a time where all of them are.
pub(super) const PAGE: usize = 1000;

/// The tables of `django.contrib.auth` and `contenttypes` that every user model shares.
pub(super) const TABLES: [&str; 4] = [
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
];

/// The table of tokens of Django REST framework.
pub(super) const TOKENS: &str = "authtoken_token";

/// The statements for one user model. Accounts come as: key, name, password, active, superuser,
/// staff, e-mail, first name, last name, whether `[access] where` is met.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) key: KeyKind,
    /// Of `:name`.
    pub(super) by_username: String,
    /// Of `:name`, by whatever people may type; `None` where the model has nothing of it.
    pub(super) by_login: Option<String>,
    /// The same, of a `:name` that is not of the kind of names: none is like it, and databases do not
    /// compare it.
    pub(super) by_others: Option<String>,
    /// What `USERNAME_FIELD` is.
    pub(super) name: KeyKind,
    /// Whether names in ASCII are found without reading all accounts, by whatever people may type
    /// and in any case where that counts for nothing.
    pub(super) indexed: bool,
    pub(super) by_id: LookUp,
    select: String,
    table: String,
    id: String,
    username: String,
    password: String,
    /// The columns that hold what people may type.
    login: Vec<String>,
    /// Of `:id`; `None` where the model has no groups.
    pub(super) groups: Option<String>,
    /// Of `:id`, `:application` and `:codename`; `None` where the model has no permissions.
    pub(super) permission: Option<String>,
}

/// What the user model's primary key is, or its `USERNAME_FIELD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    Integer,
    /// A `UUIDField` in 32 hexadecimal digits, as SQLite and MySQL have it.
    Uuid,
    Text,
}

impl KeyKind {
    /// A value of the column as Django shows it; `None` for what is none.
    pub(super) fn shown(self, value: &Value) -> Option<String> {
        match value {
            Value::Integer(key) => Some(key.to_string()),
            Value::Text(key) if self == Self::Uuid => Some(hyphenated(key)),
            Value::Text(key) => Some(key.clone()),
            _ => None,
        }
    }

    /// The value that `key`, as a session spells it, has in the database: what the key field's
    /// `to_python` makes of it (db/models/fields/__init__.py, 5.2). `None` where Django would raise.
    pub(super) fn value(self, key: &str) -> Option<Value> {
        match self {
            // `int()` takes white space around the digits, and one sign before them.
            Self::Integer => key.trim().parse().ok().map(Value::Integer),
            Self::Uuid => {
                // As `uuid.UUID` reads text.
                let hex = key.replace("urn:", "").replace("uuid:", "");
                let hex = hex.trim_matches(['{', '}']).replace('-', "");
                let whole = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
                whole.then(|| Value::Text(hex.to_ascii_lowercase()))
            }
            Self::Text => Some(key.into()),
        }
    }
}

impl Statements {
    /// The statements for `user`, whose accounts log in as `access` says. The tables of Django's own
    /// user model are known; others are asked for their columns, since a model need have neither
    /// names nor flags.
    ///
    /// Without `permissions` no account holds any or counts as a superuser.
    pub(super) fn new(
        user: &UserTable,
        access: &AccountLookup,
        permissions: bool,
        queries: &mut Queries<'_>,
    ) -> Result<Self, Unavailable> {
        let own = *user == UserTable::contrib();
        let known = if own {
            Vec::new()
        } else {
            queries.columns(&user.table)?
        };
        if !own && known.is_empty() {
            let table = &user.table;
            return Err(Unavailable::new(format!(
                "the database has no table {table}; is it the site's, migrated, and is \
                 `user_table` right?"
            )));
        }
        let has = |name: &str| own || known.iter().any(|column| column.name == name);
        let optional = |name: &str| {
            if has(name) {
                quoted(name)
            } else {
                "NULL".to_owned()
            }
        };
        let email = match &user.email {
            Some(email) => Some(quoted(email)),
            None => has("email").then(|| quoted("email")),
        };
        let (id, username) = (quoted(&user.id), quoted(&user.username));
        let password = user.password.as_deref().map_or("NULL".to_owned(), quoted);
        let table = quoted_table(&user.table);
        // In a condition of the operator's own.
        let account = format!("{table} account");
        let meets = crate::meets(access.account_where.as_deref());
        let active = user.active.as_deref().map_or("1".to_owned(), quoted);
        let superuser = if permissions {
            optional("is_superuser")
        } else {
            "NULL".to_owned()
        };
        let columns = [
            &*id,
            &username,
            &password,
            &active,
            &superuser,
            &optional("is_staff"),
            email.as_deref().unwrap_or("NULL"),
            &optional("first_name"),
            &optional("last_name"),
            &meets,
        ];
        let select = format!("SELECT {} FROM {account}", columns.join(", "));
        let by_id = LookUp::new(&columns, &account, &id, ":id");
        let login: Vec<String> = access
            .login
            .iter()
            .filter_map(|field| match field {
                LoginField::Username => Some(username.clone()),
                LoginField::Email => email.clone(),
            })
            .collect();
        let mut indexed = true;
        for column in &login {
            let (table, column) = (&user.table, unquoted(column));
            indexed = indexed
                && match access.ignore_case {
                    true => queries.indexed_but_for_case(table, &column)?,
                    // A model's own user name has an index, being unique.
                    false => column == user.username || queries.indexed(table)?.contains(&column),
                };
        }
        let mut related = |configured: &Option<String>, suffix| -> Result<_, Unavailable> {
            if let Some(table) = configured {
                return Ok(Some(quoted_table(table)));
            }
            let table = user.related_table(suffix);
            let there = own || !queries.columns(&table)?.is_empty();
            Ok(there.then(|| quoted_table(&table)))
        };
        let groups_table = related(&user.groups_table, "groups")?;
        let permissions_table = related(&user.permissions_table, "user_permissions")?;
        let key = quoted(&user.foreign_key);
        let groups = groups_table.as_ref().map(|groups| {
            format!(
                "SELECT g.\"name\" FROM \"auth_group\" g JOIN {groups} m ON m.\"group_id\" = \
                 g.\"id\" WHERE m.{key} = :id ORDER BY g.\"name\""
            )
        });
        let by = |login: &[String]| {
            let condition = |column: &String| named(column, &username, format!("{column} = :name"));
            any(login, condition).map(|condition| format!("{select} WHERE {condition}"))
        };
        let others: Vec<String> = login
            .iter()
            .filter(|it| **it != username)
            .cloned()
            .collect();
        Ok(Self {
            key: if own {
                KeyKind::Integer
            } else {
                key_kind(&known, &user.id)
            },
            groups,
            permission: permissions
                .then(|| permission(groups_table.as_deref(), permissions_table.as_deref(), &key))
                .flatten(),
            by_username: format!("{select} WHERE {username} = :name"),
            by_login: by(&login),
            by_others: by(&others),
            name: key_kind(&known, &user.username),
            indexed,
            by_id,
            select,
            table,
            id,
            username,
            password,
            login,
        })
    }

    /// Of `:token`, in the table of Django REST framework.
    pub(super) fn by_token(&self) -> String {
        let Self { select, id, .. } = self;
        format!(
            "{select} WHERE {id} = (SELECT \"user_id\" FROM \"authtoken_token\" WHERE \"key\" = :token)"
        )
    }

    pub(super) fn sample_hashes(&self) -> String {
        let Self {
            table,
            id,
            password,
            ..
        } = self;
        format!("SELECT {password} FROM {table} ORDER BY {id} DESC LIMIT {SOME_HASHES}")
    }

    /// The first of all accounts, by their keys.
    pub(super) fn first_page(&self) -> String {
        let Self { select, id, .. } = self;
        format!("{select} ORDER BY {id} LIMIT {PAGE}")
    }

    /// Those after `:id`.
    pub(super) fn next_page(&self) -> String {
        let Self { select, id, .. } = self;
        format!("{select} WHERE {id} > :id ORDER BY {id} LIMIT {PAGE}")
    }

    /// The columns that hold what people may type.
    pub(super) fn login_columns(&self) -> Vec<String> {
        self.login.iter().map(|column| unquoted(column)).collect()
    }

    /// Of `:name`, in any case, by whatever people may type. `None` where [`by_login`] has found
    /// them already.
    ///
    /// [`by_login`]: Self::by_login
    pub(super) fn by_login_but_for_case(
        &self,
        queries: &Queries<'_>,
        name: &str,
    ) -> Option<String> {
        if self.indexed && name.is_ascii() && queries.folds_by_collation() {
            return None;
        }
        let condition = any(&self.login, |column| {
            let condition = queries.same_but_for_case(column, name);
            named(column, &self.username, condition)
        })?;
        Some(format!("{} WHERE {condition}", self.select))
    }

    /// Of `:name`, in any case.
    pub(super) fn by_username_but_for_case(&self, queries: &Queries<'_>, name: &str) -> String {
        let condition = queries.same_but_for_case(&self.username, name);
        format!("{} WHERE {condition}", self.select)
    }
}

/// `condition`, a condition on `column`, of accounts that have a name: a row without one is not an
/// account, and must not count as the second of two.
fn named(column: &str, username: &str, condition: String) -> String {
    if column == username {
        return condition;
    }
    format!("({condition} AND {username} IS NOT NULL)")
}

/// The condition that holds where that of any of `columns` does; `None` where there are none.
fn any(columns: &[String], condition: impl FnMut(&String) -> String) -> Option<String> {
    let conditions: Vec<String> = columns.iter().map(condition).collect();
    (!conditions.is_empty()).then(|| conditions.join(" OR "))
}

/// As `ModelBackend._get_user_permissions` and `_get_group_permissions` ask
/// (contrib/auth/backends.py, 5.2).
fn permission(groups: Option<&str>, direct: Option<&str>, key: &str) -> Option<String> {
    let direct = direct.map(|table| {
        format!("p.\"id\" IN (SELECT d.\"permission_id\" FROM {table} d WHERE d.{key} = :id)")
    });
    let by_group = groups.map(|table| {
        format!(
            "p.\"id\" IN (SELECT gp.\"permission_id\" FROM \"auth_group_permissions\" gp JOIN \
             {table} m ON m.\"group_id\" = gp.\"group_id\" WHERE m.{key} = :id)"
        )
    });
    let either: Vec<String> = direct.into_iter().chain(by_group).collect();
    (!either.is_empty()).then(|| {
        format!(
            "SELECT c.\"app_label\", p.\"codename\" FROM \"auth_permission\" p JOIN \"django_content_type\" c ON c.\"id\" = \
             p.\"content_type_id\" WHERE c.\"app_label\" = :application AND p.\"codename\" = \
             :codename AND ({})",
            either.join(" OR ")
        )
    })
}

/// What the column `id` holds.
pub(super) fn key_kind(columns: &[Column], id: &str) -> KeyKind {
    match columns.iter().find(|column| column.name == id) {
        Some(column) if column.kind.contains("int") => KeyKind::Integer,
        Some(column) if column.kind == "char(32)" || column.kind == "uuid" => KeyKind::Uuid,
        _ => KeyKind::Text,
    }
}

/// A UUID as `str(uuid.UUID(…))` writes it.
pub(super) fn hyphenated(hex: &str) -> String {
    if hex.len() != 32 || !hex.is_ascii() {
        return hex.to_owned();
    }
    let part = |range| hex.get(range).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32)
    )
}
