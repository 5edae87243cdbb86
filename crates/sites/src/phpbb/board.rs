//! Reads the settings that a board keeps in its table `config`.

use hallpass_stores::Unavailable;
use hallpass_stores::sql::Queries;

use crate::phpbb::settings::Phpbb;
use crate::prefixed;

/// What the board says about its sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) cookie_name: String,
    /// In seconds.
    pub(super) session_length: u64,
    /// How many parts of an address must be the same.
    pub(super) ip_check: u32,
    pub(super) browser_check: bool,
    pub(super) forwarded_for_check: bool,
    pub(super) allow_autologin: bool,
    /// In days; 0 for no end.
    pub(super) max_autologin_time: u64,
}

/// Who checks the board's passwords, where it does not do that itself: `auth_method`, as
/// `get_provider` in phpbb/auth/provider_collection.php of 3.3 reads it. Without one it is the
/// board; `oauth` leaves passwords to the board, too.
pub(super) fn passwords_elsewhere(
    phpbb: &Phpbb,
    queries: &mut Queries<'_>,
) -> Result<Option<String>, Unavailable> {
    let statement = format!(
        "SELECT \"config_value\" FROM {} WHERE \"config_name\" = 'auth_method'",
        prefixed(&phpbb.prefix, "config")
    );
    let mut rows = queries.rows(&statement, &[], 1)?;
    let method = rows.pop().and_then(|mut row| row.text(0));
    let method = method.unwrap_or_default();
    let method = method.trim().trim_end_matches('/');
    let method = method.rsplit('/').next().unwrap_or_default();
    let elsewhere = !matches!(method, "" | "db" | "oauth");
    Ok(elsewhere.then(|| method.to_owned()))
}

impl Settings {
    /// Reads them, where `phpbb` does not say otherwise.
    pub(super) fn read(phpbb: &Phpbb, queries: &mut Queries<'_>) -> Result<Self, Unavailable> {
        let table_name = format!("{}config", phpbb.prefix);
        let statement = format!(
            "SELECT \"config_name\", \"config_value\" FROM {} WHERE \"config_name\" IN \
             ('cookie_name', 'session_length', 'ip_check', 'browser_check', \
             'forwarded_for_check', 'allow_autologin', 'max_autologin_time')",
            prefixed(&phpbb.prefix, "config")
        );
        let rows = queries.rows(&statement, &[], 64)?;
        let mut values = Vec::new();
        for mut row in rows {
            if let Some(name) = row.text(0) {
                values.push((name, row.take(1)));
            }
        }
        let value = |name: &str| values.iter().find(|(key, _)| key == name);
        let required = |name: &str| {
            value(name).map(|(_, value)| value).ok_or_else(|| {
                Unavailable::new(format!(
                    "the table {table_name} does not say {name}; is it the board's, and is \
                     `table_prefix` right?"
                ))
            })
        };
        let number = |name: &str| -> Result<u64, Unavailable> {
            // What is no number is zero, as in PHP.
            let number = required(name)?.integer_like().unwrap_or_default();
            Ok(u64::try_from(number).unwrap_or_default())
        };
        let truth = |name: &str| number(name).map(|number| number != 0);
        let cookie_name = match (&phpbb.cookie_name, required("cookie_name")?) {
            (Some(name), _) => name.clone(),
            (None, hallpass_stores::sql::Value::Text(name)) if !name.is_empty() => name.clone(),
            _ => {
                return Err(Unavailable::new(format!(
                    "the table {table_name} does not say cookie_name"
                )));
            }
        };
        Ok(Self {
            cookie_name,
            session_length: number("session_length")?,
            ip_check: match phpbb.ip_check {
                Some(parts) => parts,
                // What is no number of parts is all of them.
                None => required("ip_check")?
                    .integer_like()
                    .and_then(|parts| u32::try_from(parts).ok())
                    .unwrap_or(u32::MAX),
            },
            browser_check: match phpbb.browser_check {
                Some(check) => check,
                None => truth("browser_check")?,
            },
            forwarded_for_check: match phpbb.forwarded_for_check {
                Some(check) => check,
                None => truth("forwarded_for_check")?,
            },
            allow_autologin: truth("allow_autologin")?,
            max_autologin_time: number("max_autologin_time")?,
        })
    }
}
