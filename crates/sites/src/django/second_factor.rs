//! Looks for second factors of accounts, without which their passwords are not enough.
//!
//! django-otp's devices are rows with a column `confirmed`. With it a session begins before a device
//! is shown, and holds the device's name from then on: `OTPMiddleware` (django_otp/middleware.py,
//! 1.7) takes no other for verified. Tables without that column are those of applications with which
//! a session begins after the second step, such as django-allauth's `mfa_authenticator`.

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Value};

use super::statements::{KeyKind, key_kind};
use crate::{Overlooked, Required, Table, quoted_table};

/// The tables of django-otp's own devices, of django-two-factor-auth's and others' that are made of
/// them, and of django-allauth's.
const KNOWN: [&str; 10] = [
    ALLAUTH,
    "otp_email_emaildevice",
    "otp_hotp_hotpdevice",
    "otp_static_staticdevice",
    "otp_totp_totpdevice",
    "otp_webauthn_webauthncredential",
    "otp_yubikey_remoteyubikeydevice",
    "otp_yubikey_yubikeydevice",
    "phonenumber_phonedevice",
    "two_factor_phonedevice",
];

/// The one of [`KNOWN`] without a column `confirmed`.
const ALLAUTH: &str = "mfa_authenticator";

/// Whether `table` is known for one of django-otp's devices. Where its column `confirmed` is not
/// seen, it may not be read.
fn holds_devices(table: &str) -> bool {
    KNOWN.contains(&table) && table != ALLAUTH
}

/// The second factors that the database has, where nothing is said of them.
pub(super) fn overlooked(queries: &mut Queries<'_>) -> Result<Option<Overlooked>, Unavailable> {
    let (mut there, mut used) = (Vec::new(), Vec::new());
    for table in KNOWN {
        let columns = queries.columns(table)?;
        let has = |name: &str| columns.iter().any(|column| column.name == name);
        if !has("user_id") {
            continue;
        }
        there.push(format!("\"{table}\""));
        let confirmed = if has("confirmed") {
            " WHERE \"confirmed\""
        } else {
            ""
        };
        let statement = format!("SELECT 1 FROM {}{confirmed} LIMIT 1", quoted_table(table));
        if !queries.rows(&statement, &[], 1)?.is_empty() {
            used.push(table);
        }
    }
    Ok((!used.is_empty()).then(|| Overlooked {
        check: "second-factor",
        tried: "look for second factors",
        seen: format!(
            "accounts have some in {}, and their passwords alone let them in here",
            used.join(", ")
        ),
        mend: format!(
            "write [django] second_factor = [{}], or [] if the site asks for none",
            there.join(", ")
        ),
        problem: false,
    }))
}

/// The tables of second factors of a site.
#[derive(Debug)]
pub(super) struct SecondFactor {
    tables: Vec<String>,
    prepared: Option<Prepared>,
}

/// The statements that ask for second factors of the account `:id`.
#[derive(Debug)]
struct Prepared {
    /// How the tables spell accounts.
    key: KeyKind,
    /// Asks for any.
    any: String,
    /// Asks for devices of django-otp's; `None` where there are no such tables.
    devices: Option<String>,
    /// For each table of devices, its name and the statement that asks for their keys.
    each: Vec<(String, String)>,
}

impl SecondFactor {
    /// What there is to ask, where `tables` are said.
    pub(super) fn new(tables: Option<&[String]>) -> Option<Self> {
        let tables = tables.filter(|tables| !tables.is_empty())?;
        Some(Self {
            tables: tables.to_vec(),
            prepared: None,
        })
    }

    /// Whether the account with the primary key `key` has one.
    pub(super) fn is_set(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<bool, Unavailable> {
        let prepared = self.prepare(queries)?;
        any(queries, prepared, &prepared.any, key)
    }

    /// Whether the account with the primary key `key` has a device of django-otp's, and none of
    /// them is `shown`, the one that its session names.
    pub(super) fn is_pending(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
        shown: Option<&str>,
    ) -> Result<bool, Unavailable> {
        let prepared = self.prepare(queries)?;
        let Some(devices) = &prepared.devices else {
            return Ok(false);
        };
        // `Device.persistent_id`: the application, a dot, the model, a slash, the primary key.
        let shown = shown.and_then(|shown| shown.rsplit_once('/'));
        if let Some((model, device)) = shown
            && let Some((_, keys)) = prepared
                .each
                .iter()
                .find(|(table, _)| *table == model.replacen('.', "_", 1))
            && let Some(id) = prepared.key.value(key)
        {
            let rows = queries.rows(keys, &[(":id", id)], usize::MAX)?;
            let mut keys = rows.into_iter().map(|mut row| row.take(0));
            if keys.any(|key| matches!(key, Value::Integer(key) if key.to_string() == device)) {
                return Ok(false);
            }
        }
        any(queries, prepared, devices, key)
    }

    fn prepare(&mut self, queries: &mut Queries<'_>) -> Result<&Prepared, Unavailable> {
        if self.prepared.is_none() {
            self.prepared = Some(Prepared::new(&self.tables, queries)?);
        }
        self.prepared
            .as_ref()
            .ok_or_else(|| Unavailable::new("no statements were made"))
    }

    /// What is read of the tables.
    pub(super) fn needs(&self) -> impl Iterator<Item = Required> {
        self.tables.iter().map(|name| {
            Required::Table(Table {
                name: name.clone(),
                columns: ["id", "user_id"]
                    .into_iter()
                    .chain(holds_devices(name).then_some("confirmed"))
                    .map(str::to_owned)
                    .collect(),
                sought: vec!["user_id".to_owned()],
                key: "django.second_factor",
                optional: false,
            })
        })
    }
}

impl Prepared {
    fn new(tables: &[String], queries: &mut Queries<'_>) -> Result<Self, Unavailable> {
        let (mut key, mut all, mut devices, mut each) = (None, Vec::new(), Vec::new(), Vec::new());
        for table in tables {
            let columns = queries.columns(table)?;
            let has = |name: &str| columns.iter().any(|column| column.name == name);
            if !has("user_id") {
                return Err(Unavailable::new(format!(
                    "the database has no table {table} with a column user_id: is [django] \
                     second_factor right?"
                )));
            }
            if holds_devices(table) && !has("confirmed") {
                return Err(Unavailable::new(format!(
                    "the column confirmed of {table} is not there, or may not be read: it says \
                     which devices of django-otp count"
                )));
            }
            key.get_or_insert_with(|| key_kind(&columns, "user_id"));
            let rows = format!("FROM {} WHERE \"user_id\" = :id", quoted_table(table));
            if has("confirmed") {
                devices.push(format!("SELECT 1 {rows} AND \"confirmed\""));
                all.push(format!("SELECT 1 {rows} AND \"confirmed\""));
                each.push((
                    table.clone(),
                    format!("SELECT \"id\" {rows} AND \"confirmed\""),
                ));
            } else {
                all.push(format!("SELECT 1 {rows}"));
            }
        }
        Ok(Self {
            key: key.unwrap_or(KeyKind::Integer),
            any: all.join(" UNION ALL "),
            devices: (!devices.is_empty()).then(|| devices.join(" UNION ALL ")),
            each,
        })
    }
}

/// Whether `statement` gives a row for the account with the primary key `key`.
fn any(
    queries: &mut Queries<'_>,
    prepared: &Prepared,
    statement: &str,
    key: &str,
) -> Result<bool, Unavailable> {
    // What no key can be has no account either.
    let Some(id) = prepared.key.value(key) else {
        return Ok(false);
    };
    Ok(!queries
        .rows(statement, &[(":id", id)], usize::MAX)?
        .is_empty())
}
