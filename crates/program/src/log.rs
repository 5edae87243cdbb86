//! The log: one line a decision, and what else the administrator should know. Never a secret.

use std::io::Write;
use std::net::IpAddr;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, SystemTime};

use hallpass_core::Verdict;
use hallpass_core::configuration::{self, LogFormat, LogLevel, LogTarget};
use serde_json::{Map, Value};

/// Where a program's log goes, and how it looks.
#[derive(Debug)]
pub struct Log {
    program: &'static str,
    settings: configuration::Log,
    socket: Option<UnixDatagram>,
}

/// The longest user name that is written into the log whole, in characters.
const LONGEST_NAME: usize = 150;

/// One decision.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The name as the host gave it; for sessions, the owner's where there is one.
    pub user: Option<&'a str>,
    /// The client's address, where the host tells it.
    pub client: Option<IpAddr>,
    /// The verdict.
    pub verdict: &'a Verdict,
    /// How long it took.
    pub took: Duration,
}

impl Log {
    /// The log of `program`. Where the socket that `settings` name cannot be reached, it goes to
    /// standard error.
    #[must_use]
    pub fn new(program: &'static str, settings: configuration::Log) -> Self {
        let path = match settings.to {
            LogTarget::Stderr => None,
            LogTarget::Journald => Some("/run/systemd/journal/socket"),
            LogTarget::Syslog => Some("/dev/log"),
        };
        let socket = path.and_then(|path| {
            let socket = UnixDatagram::unbound().ok()?;
            socket.connect(path).ok()?;
            // A log that is not read must not hold up an answer.
            socket.set_nonblocking(true).ok()?;
            Some(socket)
        });
        let log = Self {
            program,
            settings,
            socket,
        };
        if let (Some(path), None) = (path, &log.socket) {
            log.warning(&format!("cannot log to {path}; logging to standard error"));
        }
        log
    }

    /// Something is broken.
    pub fn error(&self, message: &str) {
        self.message(LogLevel::Error, message);
    }

    /// Something may soon be broken, or is not as safe as it could be.
    pub fn warning(&self, message: &str) {
        self.message(LogLevel::Warning, message);
    }

    /// A start, a stop, or something of that weight.
    pub fn info(&self, message: &str) {
        self.message(LogLevel::Info, message);
    }

    /// What helps to find out why.
    pub fn debug(&self, message: &str) {
        self.message(LogLevel::Debug, message);
    }

    fn message(&self, level: LogLevel, message: &str) {
        if level <= self.settings.level {
            self.write(level, vec![("message", message.into())]);
        }
    }

    /// A decision.
    pub fn decision(&self, decision: &Decision<'_>) {
        let level = match decision.verdict {
            Verdict::Unavailable(_) => LogLevel::Error,
            _ => LogLevel::Info,
        };
        if level > self.settings.level {
            return;
        }
        let mut fields = vec![("verdict", Value::from(decision.verdict.word()))];
        if let Some(reason) = decision.verdict.reason() {
            fields.push(("reason", reason.into()));
        }
        let owner = match decision.verdict {
            Verdict::Granted(identity) => Some(identity.name.as_str()),
            _ => None,
        };
        if let Some(user) = decision.user.or(owner) {
            fields.push((
                "user",
                user.chars().take(LONGEST_NAME).collect::<String>().into(),
            ));
        }
        if let Some(client) = decision.client {
            fields.push(("client", client.to_string().into()));
        }
        // Microseconds are as fine as anybody reads.
        let milliseconds = decision.took.as_micros() as f64 / 1000.0;
        fields.push(("ms", milliseconds.into()));
        if let Verdict::Unavailable(unavailable) = decision.verdict {
            fields.push(("cause", unavailable.to_string().into()));
        }
        self.write(level, fields);
    }

    fn write(&self, level: LogLevel, fields: Vec<(&'static str, Value)>) {
        let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let line = match self.settings.format {
            LogFormat::Json => json(&now, level, self.program, fields),
            LogFormat::Text => {
                let text = text(&fields);
                // The journal and syslog have the time, the level and the program themselves.
                match self.socket {
                    Some(_) => text,
                    None => format!("{now} {} {}: {text}", word(level), self.program),
                }
            }
        };
        let sent = match (&self.socket, self.settings.to) {
            (Some(socket), LogTarget::Journald) => {
                let priority = priority(level);
                let program = self.program;
                socket.send(
                    format!("PRIORITY={priority}\nSYSLOG_IDENTIFIER={program}\nMESSAGE={line}\n")
                        .as_bytes(),
                )
            }
            (Some(socket), _) => {
                // Facility 10: authentication messages (RFC 3164 section 4.1.1).
                let priority = 10 * 8 + priority(level);
                let process = std::process::id();
                socket.send(format!("<{priority}>{}[{process}]: {line}", self.program).as_bytes())
            }
            (None, _) => std::io::stderr().write(format!("{line}\n").as_bytes()),
        };
        // There is nowhere left to say that the log cannot be written.
        drop(sent);
    }
}

fn json(now: &str, level: LogLevel, program: &str, fields: Vec<(&str, Value)>) -> String {
    let head = [
        ("time", now.into()),
        ("level", word(level).into()),
        ("program", program.into()),
    ];
    let object: Map<String, Value> = head
        .into_iter()
        .chain(fields)
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    Value::Object(object).to_string()
}

/// `key=value` pairs: strings that are not plain words in quotes, with everything escaped that
/// could end a line or a string.
fn text(fields: &[(&str, Value)]) -> String {
    let mut text = String::new();
    for (key, value) in fields {
        if !text.is_empty() {
            text.push(' ');
        }
        match (*key, value) {
            ("message", Value::String(message)) => {
                text.extend(message.chars().flat_map(|character| {
                    let plain = !character.is_control();
                    plain.then_some(character).into_iter().chain(
                        (!plain)
                            .then(|| character.escape_default())
                            .into_iter()
                            .flatten(),
                    )
                }));
            }
            ("verdict" | "reason" | "client", Value::String(word)) => {
                text.push_str(&format!("{key}={word}"));
            }
            (_, Value::String(string)) => text.push_str(&format!("{key}={string:?}")),
            (_, value) => text.push_str(&format!("{key}={value}")),
        }
    }
    text
}

fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warning => "warning",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    }
}

/// RFC 5424 section 6.2.1.
fn priority(level: LogLevel) -> u8 {
    match level {
        LogLevel::Error => 3,
        LogLevel::Warning => 4,
        LogLevel::Info => 6,
        LogLevel::Debug => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_a_line_or_a_field() {
        let name = "eve\" verdict=granted\n2026 info hallpass: verdict=granted\u{85}";
        let line = text(&[("verdict", "denied".into()), ("user", name.into())]);
        assert_eq!(line.lines().count(), 1);
        assert_eq!(
            line,
            "verdict=denied user=\"eve\\\" verdict=granted\\n2026 info hallpass: \
             verdict=granted\\u{85}\""
        );
    }

    #[test]
    fn a_message_stays_on_its_line() {
        assert_eq!(
            text(&[("message", "a\nb\u{1b}[1m ä".into())]),
            "a\\nb\\u{1b}[1m ä"
        );
    }

    #[test]
    fn json_is_an_object() {
        let line = json(
            "now",
            LogLevel::Info,
            "hallpass",
            vec![("user", "a\"\n".into())],
        );
        let object: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["user"], "a\"\n");
        assert_eq!(object["level"], "info");
    }
}
