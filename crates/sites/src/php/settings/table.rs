//! Reads which table has a site's sessions, and which columns: of PHP frameworks by a preset.

use hallpass_settings::{Error, Life, Table};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::PhpSettings;

/// The tables of PHP frameworks.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
pub(super) enum Preset {
    CodeIgniter3,
    CodeIgniter4,
    Yii2,
    CakePhp,
    Laminas,
}

impl PhpSettings {
    /// Puts what is usual with a framework where `table` says nothing else: the handlers of
    /// CodeIgniter 3.1 and 4.6, Yii 2.0, CakePHP 5.2 and Laminas' session 2.
    pub(super) fn apply(&mut self, preset: Preset, table: &Table<'_>) {
        let (name, sessions, time, expires) = match preset {
            Preset::CodeIgniter3 | Preset::CodeIgniter4 => {
                ("ci_session", "ci_sessions", "timestamp", "")
            }
            Preset::Yii2 => ("PHPSESSID", "session", "", "expire"),
            Preset::CakePhp => ("PHPSESSID", "sessions", "", "expires"),
            Preset::Laminas => ("PHPSESSID", "session", "modified", ""),
        };
        let of_laminas = preset == Preset::Laminas;
        let lifetime = if of_laminas { "lifetime" } else { "" };
        let names = if of_laminas { "name" } else { "" };
        for (key, place, usual) in [
            ("name", &mut self.name, name),
            ("table", &mut self.table, sessions),
            ("id_column", &mut self.id_column, "id"),
            ("data_column", &mut self.data_column, "data"),
            ("lifetime_column", &mut self.lifetime_column, lifetime),
            ("expires_column", &mut self.expires_column, expires),
            ("name_column", &mut self.name_column, names),
        ] {
            if !table.has(key) {
                *place = usual.to_owned();
            }
        }
        // Either says when a session ends.
        if !table.has("time_column") {
            time.clone_into(&mut self.time_column);
        } else if !table.has("expires_column") {
            self.expires_column.clear();
        }
        let is_codeigniter = name == "ci_session";
        if is_codeigniter && !table.has("gc_maxlifetime") {
            // `sess_expiration`, `$expiration`
            self.gc_maxlifetime = Life::seconds(7200);
        }
        if preset == Preset::CodeIgniter4 && self.prefix.is_none() {
            self.prefix = Some(format!("{}:", self.name));
        }
    }
}

/// A table of sessions, and its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhpTable {
    /// The table.
    pub table: String,
    /// Its column of ids.
    pub id: String,
    /// Its column of contents.
    pub data: String,
    /// Its column of lifetimes; `None` where there is none, and `gc_maxlifetime` holds.
    pub lifetime: Option<String>,
    /// Its column that says until when a session lives.
    pub time: PhpTime,
    /// What stands before an id in the table.
    pub prefix: String,
    /// Its column of the names of cookies, and the name of this site's.
    pub name: Option<(String, String)>,
    /// Whether text may be in Base64, as `CodeIgniter` 3 writes it into PostgreSQL.
    pub base64: bool,
    /// The zone of datetimes without one; `None` for UTC.
    pub zone: Option<TimeZone>,
}

/// A column with times, as Unix seconds or datetimes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhpTime {
    /// When a session was last written.
    Written(String),
    /// When it ends.
    End(String),
}

impl PhpTable {
    pub(super) fn resolve(table: &Table<'_>, given: PhpSettings) -> Result<Self, Error> {
        let filled = |name: String| Some(name).filter(|name| !name.is_empty());
        let written = table.has("time_column") || given.preset.is_some();
        let time = match (filled(given.expires_column), filled(given.time_column)) {
            (Some(_), Some(_)) if written => {
                let message = "is given beside `time_column`; one of them says when sessions end";
                return Err(table.wrong("expires_column", message));
            }
            (Some(end), _) => PhpTime::End(end),
            (None, Some(time)) => PhpTime::Written(time),
            (None, None) => {
                let message = "is \"\", so that no session would ever end: give `expires_column`, or \
                               the column that says when a session was last written";
                return Err(table.wrong("time_column", message));
            }
        };
        let zone = match given.time_zone.as_str() {
            "UTC" => None,
            name => Some(TimeZone::get(name).map_err(|_| {
                let message = "is unknown to this system's time zone database";
                table.wrong("time_zone", message)
            })?),
        };
        // Without a preset, Symfony's lifetime says no more than an end does.
        let lifetime = match time {
            PhpTime::End(_) if !table.has("lifetime_column") => None,
            _ => filled(given.lifetime_column),
        };
        Ok(Self {
            table: given.table,
            id: given.id_column,
            data: given.data_column,
            lifetime,
            time,
            prefix: given.prefix.unwrap_or_default(),
            name: filled(given.name_column).map(|column| (column, given.name)),
            base64: given.preset == Some(Preset::CodeIgniter3),
            zone,
        })
    }
}
