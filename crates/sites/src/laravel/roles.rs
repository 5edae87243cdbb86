//! Reads roles and permissions from the tables of spatie/laravel-permission (src/Traits/HasRoles.php
//! and HasPermissions.php of 5.11 to 6.x).
//!
//! A role counts for the model's class and the guard. Teams (`permission.teams`) make roles depend on
//! what the site's code has chosen for a request: no account has any here then.

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Value};

use crate::{Account, MOST_GROUPS, quoted_table};

/// The tables, as `table_names` of config/permission.php names and orders them.
pub(super) const TABLES: [&str; 5] = [
    "roles",
    "permissions",
    "model_has_permissions",
    "model_has_roles",
    "role_has_permissions",
];

/// What is known of the tables.
#[derive(Debug)]
pub(super) enum Roles {
    /// They are not there.
    None,
    /// They have teams.
    Teams,
    /// Their statements.
    Statements(Box<Statements>),
}

#[derive(Debug)]
pub(super) struct Statements {
    roles: String,
    permissions: Vec<String>,
}

impl Roles {
    /// Looks at the tables, which are called `names` in the order of [`TABLES`].
    pub(super) fn new(queries: &mut Queries<'_>, names: &[String; 5]) -> Result<Self, Unavailable> {
        let [_, _, with_permissions, with_roles, _] = names;
        let Some(of_roles) = Pivot::new(queries, with_roles, "role_id")? else {
            return Ok(Self::None);
        };
        let of_permissions = Pivot::new(queries, with_permissions, "permission_id")?;
        let (Pivot::Key(role_key), Some(Pivot::Key(key))) = (&of_roles, &of_permissions) else {
            let teams = matches!(of_roles, Pivot::More) || of_permissions.is_some();
            return Ok(if teams { Self::Teams } else { Self::None });
        };
        let of_account = |key: &str| format!("m.\"{key}\" = :id AND m.\"model_type\" = :model");
        let has_role = of_account(role_key);
        let direct = of_account(key);
        let [roles, permissions, with_permissions, with_roles, of_role] =
            names.each_ref().map(|name| quoted_table(name));
        let with_roles = format!("{with_roles} m JOIN {roles} r ON r.\"id\" = m.\"role_id\"");
        Ok(Self::Statements(Box::new(Statements {
            roles: format!(
                "SELECT r.\"name\" FROM {with_roles} WHERE {has_role} AND r.\"guard_name\" = :guard"
            ),
            permissions: vec![
                format!(
                    "SELECT p.\"name\" FROM {with_permissions} m JOIN {permissions} p ON p.\"id\" = \
                     m.\"permission_id\" WHERE {direct} AND p.\"guard_name\" = :guard AND p.\"name\" = \
                     :permission"
                ),
                format!(
                    "SELECT p.\"name\" FROM {with_roles} JOIN {of_role} h ON h.\"role_id\" = r.\"id\" \
                     JOIN {permissions} p ON p.\"id\" = h.\"permission_id\" WHERE {has_role} AND \
                     r.\"guard_name\" = :guard AND p.\"guard_name\" = :guard AND p.\"name\" = \
                     :permission"
                ),
            ],
        })))
    }
}

impl Statements {
    /// The names of the roles of `account`, a `model` of the `guard`.
    pub(super) fn of(
        &self,
        queries: &mut Queries<'_>,
        account: &Account,
        model: &str,
        guard: &str,
    ) -> Result<Vec<String>, Unavailable> {
        let parameters = [
            (":id", account.id.value.clone()),
            (":model", model.into()),
            (":guard", guard.into()),
        ];
        let rows = queries.rows(&self.roles, &parameters, MOST_GROUPS)?;
        let mut names: Vec<String> = rows.into_iter().filter_map(|mut row| row.text(0)).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Whether `account`, a `model` of the `guard`, holds `permission`, itself or by a role.
    pub(super) fn hold(
        &self,
        queries: &mut Queries<'_>,
        account: &Account,
        (model, guard): (&str, &str),
        permission: &str,
    ) -> Result<bool, Unavailable> {
        for statement in &self.permissions {
            let parameters = [
                (":id", account.id.value.clone()),
                (":model", model.into()),
                (":guard", guard.into()),
                (":permission", Value::from(permission)),
            ];
            // A collation may take several for the same.
            let mut rows = queries
                .rows(statement, &parameters, MOST_GROUPS)?
                .into_iter();
            if rows.any(|mut row| row.text(0).as_deref() == Some(permission)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A table that says which models have what.
enum Pivot {
    /// Its column of the models' keys.
    Key(String),
    /// It has more columns than that: teams.
    More,
}

impl Pivot {
    /// `None` where there is no such table.
    fn new(
        queries: &mut Queries<'_>,
        table: &str,
        other: &str,
    ) -> Result<Option<Self>, Unavailable> {
        let columns = queries.columns(table)?;
        let names: Vec<String> = columns.into_iter().map(|column| column.name).collect();
        let needed = [other, "model_type"];
        if !needed.iter().all(|it| names.iter().any(|name| name == it)) {
            return Ok(None);
        }
        let mut keys = names
            .into_iter()
            .filter(|name| !needed.contains(&name.as_str()));
        Ok(match (keys.next(), keys.next()) {
            (Some(key), None) => Some(Self::Key(key)),
            (None, _) => None,
            (Some(_), Some(_)) => Some(Self::More),
        })
    }
}
