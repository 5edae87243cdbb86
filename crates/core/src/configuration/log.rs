//! `[log]`

use super::Error;
use super::section::Section;

/// How the programs log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The least important lines that are written.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
    /// Where lines go.
    pub to: LogTarget,
}

/// How important a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something is broken.
    Error,
    /// Something may soon be.
    Warning,
    /// A decision, a start or a stop.
    #[default]
    Info,
    /// What helps to find out why.
    Debug,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A JSON object.
    Json,
    /// `key=value` pairs.
    #[default]
    Text,
}

/// Where the log goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogTarget {
    /// systemd's journal.
    Journald,
    /// Standard error.
    #[default]
    Stderr,
    /// The system's syslog socket.
    Syslog,
}

impl Log {
    pub(super) fn read(mut section: Section<'_>) -> Result<Self, Error> {
        let level = match section.string("level")?.as_deref() {
            None | Some("info") => LogLevel::Info,
            Some("error") => LogLevel::Error,
            Some("warning" | "warn") => LogLevel::Warning,
            Some("debug") => LogLevel::Debug,
            Some(_) => {
                let message = "is none of \"error\", \"warning\", \"info\", \"debug\"";
                return Err(section.wrong("level", message));
            }
        };
        let format = match section.string("format")?.as_deref() {
            None | Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            Some(_) => return Err(section.wrong("format", "is neither \"text\" nor \"json\"")),
        };
        let to = match section.string("to")?.as_deref() {
            None | Some("stderr") => LogTarget::Stderr,
            Some("journald") => LogTarget::Journald,
            Some("syslog") => LogTarget::Syslog,
            Some(_) => {
                let message = "is none of \"stderr\", \"journald\", \"syslog\"";
                return Err(section.wrong("to", message));
            }
        };
        section.finish()?;
        Ok(Self { level, format, to })
    }
}
