//! Reads `[log]`: how the programs log.

use serde::Deserialize;

/// How the programs log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least important level that is written: `"error"`, `"warning"`, `"info"` or `"debug"`.
    pub level: LogLevel,
    /// The form of a line: `"text"` (`key=value` pairs) or `"json"` (a JSON object).
    pub format: LogFormat,
    /// Where lines are written: `"stderr"`, `"journald"` (systemd's journal) or `"syslog"` (the
    /// system's syslog socket).
    pub to: LogTarget,
}

/// How important a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something is broken.
    Error,
    /// Something may soon be.
    #[serde(alias = "warn")]
    Warning,
    /// A decision, a start or a stop.
    #[default]
    Info,
    /// What helps to find out why.
    Debug,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `key=value` pairs.
    #[default]
    Text,
    /// A JSON object.
    Json,
}

/// Where the log goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
pub enum LogTarget {
    /// Standard error.
    #[default]
    Stderr,
    /// systemd's journal.
    Journald,
    /// The system's syslog socket.
    Syslog,
}
