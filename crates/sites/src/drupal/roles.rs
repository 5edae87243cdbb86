//! Reads roles and their permissions.
//!
//! Drupal 7 has them in `users_roles`, `role` and `role_permission` (`user_access` in
//! modules/user/user.module); 8 and later in `user__roles` and the configuration
//! (core/modules/user/src/Entity/Role.php and `PermissionChecker` of 10.3).

use hallpass_sessions::php::drupal;
use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Value};

use super::modules::bytes;
use super::settings::Drupal;
use crate::{Account, MOST_GROUPS, Required};

/// The role of every account, which no row gives it: its number in 7, its name in 8 and later.
const AUTHENTICATED_RID: i64 = 2;
const AUTHENTICATED: &str = "authenticated";
/// The role of visitors, which no account has.
const ANONYMOUS_RID: i64 = 1;
const ANONYMOUS: &str = "anonymous";
/// What the names of roles begin with in the configuration.
const CONFIGURED: &str = "user.role.";

/// The names of the roles that `account` was given: in 7 what people call them, in 8 and later
/// their machine names.
pub(super) fn of(
    drupal: &Drupal,
    queries: &mut Queries<'_>,
    account: &Account,
) -> Result<Vec<String>, Unavailable> {
    let prefix = &drupal.prefix;
    let statement = match drupal.version.is_7() {
        true => format!(
            "SELECT r.\"name\" FROM {} m JOIN {} r ON r.\"rid\" = m.\"rid\" WHERE m.\"uid\" = :id \
             AND r.\"rid\" > {AUTHENTICATED_RID}",
            prefix.table("users_roles"),
            prefix.table("role"),
        ),
        false => format!(
            "SELECT \"roles_target_id\" FROM {} WHERE \"entity_id\" = :id AND \"deleted\" = 0",
            prefix.table("user__roles"),
        ),
    };
    let parameters = [(":id", account.id.value.clone())];
    let rows = queries.rows(&statement, &parameters, usize::MAX)?;
    let mut names: Vec<String> = rows.into_iter().filter_map(|mut row| row.text(0)).collect();
    names.retain(|name| drupal.version.is_7() || !matches!(&**name, AUTHENTICATED | ANONYMOUS));
    names.sort();
    names.dedup();
    Ok(names)
}

/// Whether `name` is what the role of every account is called.
pub(super) fn is_everyones(
    drupal: &Drupal,
    queries: &mut Queries<'_>,
    name: &str,
) -> Result<bool, Unavailable> {
    if !drupal.version.is_7() {
        return Ok(name == AUTHENTICATED);
    }
    let statement = format!(
        "SELECT \"name\" FROM {} WHERE \"rid\" = {AUTHENTICATED_RID}",
        drupal.prefix.table("role")
    );
    let mut rows = queries.rows(&statement, &[], 1)?;
    let called = rows.pop().and_then(|mut row| row.text(0));
    Ok(called.as_deref() == Some(name))
}

/// All names that roles can be called by.
pub(super) fn names(
    drupal: &Drupal,
    queries: &mut Queries<'_>,
) -> Result<Option<Vec<String>>, Unavailable> {
    if drupal.version.is_7() {
        let statement = format!(
            "SELECT \"name\" FROM {} WHERE \"rid\" <> {ANONYMOUS_RID}",
            drupal.prefix.table("role")
        );
        let rows = queries.rows(&statement, &[], MOST_GROUPS)?;
        let names = rows.into_iter().filter_map(|mut row| row.text(0));
        return Ok(Some(names.collect()));
    }
    if queries.columns(&drupal.prefix.name("config"))?.is_empty() {
        return Ok(None);
    }
    let statement = format!(
        "SELECT \"name\" FROM {} WHERE \"name\" LIKE '{CONFIGURED}%' AND \"collection\" = ''",
        drupal.prefix.table("config")
    );
    let rows = queries.rows(&statement, &[], MOST_GROUPS)?;
    let names = rows.into_iter().filter_map(|mut row| row.text(0));
    let names = names.filter_map(|name| name.strip_prefix(CONFIGURED).map(str::to_owned));
    Ok(Some(names.filter(|name| name != ANONYMOUS).collect()))
}

/// Whether a role of `account`, that of every account included, grants `permission`.
pub(super) fn grant(
    drupal: &Drupal,
    queries: &mut Queries<'_>,
    account: &Account,
    permission: &str,
) -> Result<bool, Unavailable> {
    if drupal.version.is_7() {
        return granted_in_7(drupal, queries, account, permission);
    }
    let mut roles = of(drupal, queries, account)?;
    roles.push(AUTHENTICATED.to_owned());
    let statement = format!(
        "SELECT \"data\" FROM {} WHERE \"name\" = :role AND \"collection\" = ''",
        drupal.prefix.table("config")
    );
    for role in roles {
        let name = format!("{CONFIGURED}{role}");
        let parameters = [(":role", Value::from(&*name))];
        let mut rows = queries.rows_of_data(&statement, &parameters, 1)?;
        // A role that was deleted grants nothing.
        let Some(data) = rows.pop().and_then(|mut row| bytes(row.take(0))) else {
            continue;
        };
        let role = drupal::role(&data)
            .map_err(|wrong| Unavailable::new(format!("the configuration {name}: {wrong}")))?;
        let holds = |held: &Vec<u8>| held == permission.as_bytes();
        if role.is_admin || role.permissions.iter().any(holds) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn granted_in_7(
    drupal: &Drupal,
    queries: &mut Queries<'_>,
    account: &Account,
    permission: &str,
) -> Result<bool, Unavailable> {
    let prefix = &drupal.prefix;
    let statement = format!(
        "SELECT p.\"permission\" FROM {} p WHERE p.\"permission\" = :permission AND (p.\"rid\" = \
         {AUTHENTICATED_RID} OR p.\"rid\" IN (SELECT m.\"rid\" FROM {} m JOIN {} r ON r.\"rid\" = \
         m.\"rid\" WHERE m.\"uid\" = :id))",
        prefix.table("role_permission"),
        prefix.table("users_roles"),
        prefix.table("role"),
    );
    let parameters = [
        (":permission", Value::from(permission)),
        (":id", account.id.value.clone()),
    ];
    let rows = queries.rows(&statement, &parameters, usize::MAX)?;
    // A collation may take another one for the same, and Drupal does not.
    let mut held = rows.into_iter().filter_map(|mut row| row.text(0));
    Ok(held.any(|held| held == permission))
}

/// What the database must have of them.
pub(super) fn needs(drupal: &Drupal, key: &'static str) -> Vec<Required> {
    let full = |name| drupal.prefix.name(name);
    match drupal.version.is_7() {
        true => vec![
            Required::table(full("users_roles"), key, &["uid", "rid"]),
            Required::small_table(full("role"), key, &["rid", "name"]),
            Required::optional_table(full("role_permission"), key, &["rid", "permission"]),
        ],
        false => vec![
            Required::table(
                full("user__roles"),
                key,
                &["entity_id", "roles_target_id", "deleted"],
            ),
            Required::optional_table(full("config"), key, &["collection", "name", "data"]),
        ],
    }
}
