//! Looks for modules that change how people log in.

use hallpass_sessions::php::drupal;
use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Value};

use super::settings::Drupal;
use crate::Reason;

/// Modules that ask for more than a password: which accounts they ask, their own settings say.
const SECOND_FACTORS: [&str; 8] = [
    "alogin",
    "duo",
    "duo_universal",
    "email_tfa",
    "ga_login",
    "google_authenticator_login",
    "tfa",
    "tfa_basic",
];
/// Modules by which passwords are checked elsewhere, for all accounts or for some. Those that add
/// another way to log in, and leave the form as it is, are not among them.
const ELSEWHERE: [&str; 2] = ["ldap_authentication", "simplesamlphp_auth"];

/// What a module does to passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It asks for a second factor.
    SecondFactor(&'static str),
    /// It has them checked elsewhere.
    Elsewhere(&'static str),
}

impl Change {
    /// Why the password of an account is not good.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::SecondFactor(_) => Reason::PasswordAlone,
            Self::Elsewhere(_) => Reason::PasswordElsewhere,
        }
    }

    /// The same, for the administrator.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::SecondFactor(module) => format!(
                "the module {module} asks for a second factor, and a password does not show it"
            ),
            Self::Elsewhere(module) => {
                format!("the module {module} has passwords checked elsewhere")
            }
        }
    }
}

/// What the site's modules do to passwords; `None` where none of those that are known is installed.
pub(super) fn change(
    drupal: &Drupal,
    queries: &mut Queries<'_>,
) -> Result<Option<Change>, Unavailable> {
    let known = |names: &[&'static str], module: &[u8]| {
        names.iter().copied().find(|name| name.as_bytes() == module)
    };
    let mut found = None;
    for module in installed(drupal, queries)?.unwrap_or_default() {
        if !drupal.allow_missing_second_factor
            && let Some(name) = known(&SECOND_FACTORS, &module)
        {
            found = found.or(Some(Change::SecondFactor(name)));
        }
        if let Some(name) = known(&ELSEWHERE, &module) {
            return Ok(Some(Change::Elsewhere(name)));
        }
    }
    Ok(found)
}

/// Whether the site has the module phpass; `None` where its version needs none, or the database
/// does not tell.
pub(super) fn has_phpass(
    drupal: &Drupal,
    queries: &mut Queries<'_>,
) -> Result<Option<bool>, Unavailable> {
    if drupal.version.checks_by_phpass() {
        return Ok(None);
    }
    let there = installed(drupal, queries)?;
    Ok(there.map(|modules| modules.iter().any(|module| module == b"phpass")))
}

/// Those of the site's modules that are on; `None` where the database has no list of them.
fn installed(
    drupal: &Drupal,
    queries: &mut Queries<'_>,
) -> Result<Option<Vec<Vec<u8>>>, Unavailable> {
    let name = drupal.prefix.name(list(drupal));
    if queries.columns(&name)?.is_empty() {
        // MySQL does not show a table to a user without a right to it.
        return match queries.hides(&name)? {
            true => Err(Unavailable::new(format!(
                "which modules the site has is not known: the table {name} is missing, or this \
                 user may not read it"
            ))),
            false => Ok(None),
        };
    }
    let table = drupal.prefix.table(list(drupal));
    if drupal.version.is_7() {
        let statement =
            format!("SELECT \"name\" FROM {table} WHERE \"type\" = 'module' AND \"status\" = 1");
        let rows = queries.rows(&statement, &[], usize::MAX)?;
        let names = rows.into_iter().filter_map(|mut row| row.text(0));
        return Ok(Some(names.map(String::into_bytes).collect()));
    }
    let statement =
        format!("SELECT \"data\" FROM {table} WHERE \"name\" = :id AND \"collection\" = ''");
    let parameters = [(":id", Value::from("core.extension"))];
    let mut rows = queries.rows_of_data(&statement, &parameters, 1)?;
    let data = rows.pop().and_then(|mut row| bytes(row.take(0)));
    let modules = data.map(|data| drupal::modules(&data)).transpose();
    modules.map_err(|wrong| Unavailable::new(format!("{name}: core.extension: {wrong}")))
}

/// The table that lists the modules.
pub(super) fn list(drupal: &Drupal) -> &'static str {
    match drupal.version.is_7() {
        true => "system",
        false => "config",
    }
}

/// What a column of bytes has, or of text.
pub(super) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        Value::Text(text) => Some(text.into_bytes()),
        _ => None,
    }
}
