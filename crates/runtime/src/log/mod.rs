//! Writes the log: one line per decision, and messages for the operator. Never a secret.

mod journal;

use std::fmt::{self, Write as _};
use std::io::{self, ErrorKind, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use hallpass_core::configuration::{self, LogFormat, LogLevel, LogTarget};
use hallpass_core::{Report, SharingNews, Verdict};
use jiff::Timestamp;
use serde_json::{Map, Value};

use journal::Entry;

/// The log of a program.
#[derive(Debug)]
pub struct Log {
    program: &'static str,
    settings: configuration::Log,
    socket: Option<Socket>,
}

/// The socket of journald or syslog.
#[derive(Debug)]
struct Socket {
    path: &'static str,
    /// Not connected: a service that was restarted may have made its socket anew.
    datagrams: UnixDatagram,
}

/// The longest name that is written into the log whole, in characters.
const LONGEST_NAME: usize = 150;

/// One decision.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The name as the host gave it; for sessions, the owner's where there is one.
    pub user: Option<&'a str>,
    /// The client's address, where the host sends it.
    pub client: Option<IpAddr>,
    /// The verdict.
    pub verdict: &'a Verdict,
    /// How long it took.
    pub took: Duration,
}

/// The endpoint at which a request came in, in a program that has several.
#[derive(Debug)]
pub struct Through<'a> {
    /// The endpoint's stable word.
    pub door: &'static str,
    /// The program that asked, if it says so.
    pub host: Option<&'a str>,
}

impl Socket {
    /// Makes a socket for datagrams to `path`.
    fn to(path: &'static str) -> io::Result<Self> {
        let datagrams = UnixDatagram::unbound()?;
        // A log without a reader must not delay an answer.
        datagrams.set_nonblocking(true)?;
        Ok(Self { path, datagrams })
    }

    /// Whether a service listens there.
    fn is_served(&self) -> bool {
        UnixDatagram::unbound().is_ok_and(|probe| probe.connect(self.path).is_ok())
    }

    /// Sends a datagram. Returns whether the service has it, or cannot keep up.
    fn send(&self, datagram: &[u8]) -> bool {
        match self.datagrams.send_to(datagram, self.path) {
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }
}

/// Logs for `program` when counts of wrong passwords are not shared with other machines any more, and
/// when they are again. Few programs ever need the log that is made for that.
pub fn sharing_report(program: &'static str, settings: configuration::Log) -> Report {
    Report::to(move |news| {
        let log = Log::new(program, settings);
        match news {
            SharingNews::Away(cause) => log.warning(&format!(
                "limits.shared: {cause}; until it answers, this machine counts wrong passwords by \
                 itself"
            )),
            SharingNews::Back => {
                log.warning(
                    "limits.shared: it answers again; wrong passwords are counted together",
                );
            }
        }
    })
}

impl Log {
    /// The log of `program`. While the socket that `settings` name cannot be reached, it goes to
    /// standard error.
    #[must_use]
    pub fn new(program: &'static str, settings: configuration::Log) -> Self {
        let path = match settings.to {
            LogTarget::Stderr => None,
            LogTarget::Journald => Some("/run/systemd/journal/socket"),
            LogTarget::Syslog => Some("/dev/log"),
        };
        let socket = path.and_then(|path| Socket::to(path).ok());
        let log = Self {
            program,
            settings,
            socket,
        };
        if let Some(path) = path
            && !log.socket.as_ref().is_some_and(Socket::is_served)
        {
            log.warning(&format!("cannot log to {path}; logging to standard error"));
        }
        log
    }

    /// Logs an error.
    pub fn error(&self, message: &str) {
        self.message(LogLevel::Error, message);
    }

    /// Logs a warning: something may soon fail, or is not as safe as it could be.
    pub fn warning(&self, message: &str) {
        self.message(LogLevel::Warning, message);
    }

    /// Logs an event such as a start or a stop.
    pub fn info(&self, message: &str) {
        self.message(LogLevel::Info, message);
    }

    /// Logs a detail that helps to find a cause.
    pub fn debug(&self, message: &str) {
        self.message(LogLevel::Debug, message);
    }

    fn message(&self, level: LogLevel, message: &str) {
        if level <= self.settings.level {
            self.write(level, &[("message", Field::Message(message))]);
        }
    }

    /// Logs a decision.
    pub fn decision(&self, decision: &Decision<'_>) {
        self.decide(decision, None);
    }

    /// Logs a decision on a request at one of several endpoints.
    pub fn decision_through(&self, decision: &Decision<'_>, through: &Through<'_>) {
        self.decide(decision, Some(through));
    }

    fn decide(&self, decision: &Decision<'_>, through: Option<&Through<'_>>) {
        let level = match decision.verdict {
            Verdict::Unavailable(_) => LogLevel::Error,
            _ => LogLevel::Info,
        };
        if level > self.settings.level {
            return;
        }
        let owner = match decision.verdict {
            Verdict::Granted(identity) => Some(identity.name.as_str()),
            _ => None,
        };
        let mut fields = vec![("verdict", Field::Word(decision.verdict.word()))];
        if let Some(reason) = decision.verdict.reason() {
            fields.push(("reason", Field::Word(reason)));
        }
        if let Verdict::Denied(reason) = decision.verdict
            && let Some(detail) = reason.detail()
        {
            fields.push(("detail", Field::Word(detail)));
        }
        if let Some(user) = decision.user.or(owner) {
            fields.push(("user", Field::Text(beginning(user))));
        }
        let client = decision.client.map(|client| client.to_string());
        if let Some(client) = &client {
            fields.push(("client", Field::Word(client)));
        }
        if let Some(Through { door, host }) = through {
            fields.push(("door", Field::Word(door)));
            if let Some(host) = host {
                fields.push(("host", Field::Text(beginning(host))));
            }
        }
        // No finer than microseconds.
        let milliseconds = decision.took.as_micros() as f64 / 1000.0;
        fields.push(("ms", Field::Number(milliseconds)));
        let cause = match decision.verdict {
            Verdict::Unavailable(unavailable) => Some(unavailable.to_string()),
            _ => None,
        };
        if let Some(cause) = &cause {
            fields.push(("cause", Field::Text(cause)));
        }
        self.write(level, &fields);
    }

    fn write(&self, level: LogLevel, fields: &[(&str, Field<'_>)]) {
        let now = format!("{:.3}", Timestamp::now());
        if let Some(socket) = &self.socket {
            // The journal and syslog have the time, the level and the program themselves.
            let line = match self.settings.format {
                LogFormat::Json => json(&now, level, self.program, fields).to_string(),
                LogFormat::Text => text(fields),
            };
            let sent = match self.settings.to {
                LogTarget::Journald => {
                    socket.send(entry(level, self.program, &line, fields).bytes())
                }
                LogTarget::Syslog | LogTarget::Stderr => {
                    // Facility 10: authentication messages (RFC 3164 section 4.1.1).
                    let priority = 10 * 8 + priority(level);
                    let process = std::process::id();
                    let line = format!("<{priority}>{}[{process}]: {line}", self.program);
                    socket.send(line.as_bytes())
                }
            };
            if sent {
                return;
            }
        }
        let mut line = match self.settings.format {
            LogFormat::Json => json(&now, level, self.program, fields).to_string(),
            LogFormat::Text => format!("{now} {} {}: {}", word(level), self.program, text(fields)),
        };
        line.push('\n');
        // Ignore a failed write: there is nowhere left to report it.
        drop(io::stderr().write(line.as_bytes()));
    }
}

/// The entry of the journal for `line`: each field of a decision is one of the entry, too.
fn entry(level: LogLevel, program: &str, line: &str, fields: &[(&str, Field<'_>)]) -> Entry {
    let mut entry = Entry::default();
    entry.field("PRIORITY", &priority(level).to_string());
    entry.field("SYSLOG_IDENTIFIER", program);
    entry.field("MESSAGE", line);
    for (key, field) in fields {
        match field {
            // The line is this message.
            Field::Message(_) => {}
            Field::Number(number) => entry.own_field(key, &number.to_string()),
            Field::Text(text) | Field::Word(text) => entry.own_field(key, text),
        }
    }
    entry
}

/// The part of `name` that is logged.
fn beginning(name: &str) -> &str {
    let end = name.char_indices().nth(LONGEST_NAME).map(|(end, _)| end);
    end.and_then(|end| name.get(..end)).unwrap_or(name)
}

/// The value of a field of a line.
enum Field<'a> {
    /// A sentence.
    Message(&'a str),
    Number(f64),
    /// Text from outside.
    Text(&'a str),
    /// One of the stable words, or an address.
    Word(&'a str),
}

fn json(now: &str, level: LogLevel, program: &str, fields: &[(&str, Field<'_>)]) -> Value {
    let mut object = Map::new();
    object.insert("time".to_owned(), now.into());
    object.insert("level".to_owned(), word(level).into());
    object.insert("program".to_owned(), program.into());
    for (key, field) in fields {
        let value = match field {
            Field::Message(text) | Field::Text(text) | Field::Word(text) => Value::from(*text),
            Field::Number(number) => Value::from(*number),
        };
        object.insert((*key).to_owned(), value);
    }
    Value::Object(object)
}

/// The `key=value` pairs of a line. Text from outside is quoted, and every character escaped that
/// could end the line or the quotes.
fn text(fields: &[(&str, Field<'_>)]) -> String {
    let mut line = String::with_capacity(256);
    for (position, (key, field)) in fields.iter().enumerate() {
        if position > 0 {
            line.push(' ');
        }
        // Writing into a string cannot fail.
        let _ = write_pair(&mut line, key, field);
    }
    line
}

fn write_pair(line: &mut String, key: &str, field: &Field<'_>) -> fmt::Result {
    match field {
        Field::Message(message) => {
            for character in message.chars() {
                if character.is_control() {
                    write!(line, "{}", character.escape_default())?;
                } else {
                    line.push(character);
                }
            }
            Ok(())
        }
        Field::Number(number) => write!(line, "{key}={number}"),
        Field::Text(text) => write!(line, "{key}={text:?}"),
        Field::Word(word) => write!(line, "{key}={word}"),
    }
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
        let line = text(&[
            ("verdict", Field::Word("denied")),
            ("user", Field::Text(name)),
        ]);
        assert_eq!(line.lines().count(), 1);
        assert_eq!(
            line,
            "verdict=denied user=\"eve\\\" verdict=granted\\n2026 info hallpass: \
             verdict=granted\\u{85}\""
        );
    }

    #[test]
    fn a_message_stays_on_its_line() {
        let message = Field::Message("a\nb\u{1b}[1m ä");
        assert_eq!(text(&[("message", message)]), "a\\nb\\u{1b}[1m ä");
    }

    #[test]
    fn json_is_an_object() {
        let fields = [("user", Field::Text("a\"\n")), ("ms", Field::Number(0.5))];
        let line = json("now", LogLevel::Info, "hallpass", &fields).to_string();
        let object: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["user"], "a\"\n");
        assert_eq!(object["level"], "info");
        assert_eq!(object["ms"], 0.5);
    }
}
