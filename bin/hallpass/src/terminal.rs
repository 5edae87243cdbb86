//! Reads what is typed or piped in, and prints answers with their exit codes.

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use hallpass_core::{Identity, Secret, Verdict};
pub use hallpass_sites::init::{duration, plain};
use jiff::Timestamp;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// Usage or configuration.
pub const USAGE: u8 = 2;
/// A store could not be asked: `EX_TEMPFAIL` of sysexits.h.
pub const UNAVAILABLE: u8 = 75;

/// The width to which lines are wrapped.
pub const WIDTH: usize = 80;

/// Prints `verdict`, and returns its exit code.
pub fn verdict(verdict: &Verdict, took: Duration, as_json: bool) -> ExitCode {
    if as_json {
        line(&object(verdict, took).to_string());
    } else {
        line(&text(verdict));
    }
    exit_code(verdict)
}

/// The exit code of `verdict`.
pub fn exit_code(verdict: &Verdict) -> ExitCode {
    match verdict {
        Verdict::Granted(_) => ExitCode::SUCCESS,
        Verdict::Denied(_) => ExitCode::FAILURE,
        Verdict::Unavailable(_) => UNAVAILABLE.into(),
    }
}

/// The JSON object of every answer with `--json`. Unknown members are null.
pub fn object(verdict: &Verdict, took: Duration) -> Value {
    let identity = match verdict {
        Verdict::Granted(identity) => Some(&**identity),
        _ => None,
    };
    let session = identity.and_then(|identity| identity.session.as_ref());
    let mut object = json!({
        "verdict": verdict.word(),
        "reason": verdict.reason(),
        "user": identity.map(|identity| &identity.name),
        "id": identity.map(|identity| &identity.id),
        "email": identity.map(|identity| &identity.email),
        "name": identity.map(|identity| &identity.full_name),
        "groups": identity.map(|identity| &identity.groups),
        "expires": session.and_then(|session| session.expires).and_then(time),
        "ms": took.as_micros() as f64 / 1000.0,
    });
    if let Some(session) = session {
        add(&mut object, "decoded", session.decoded.to_string().into());
    }
    if let Verdict::Unavailable(cause) = verdict {
        add(&mut object, "cause", cause.to_string().into());
    }
    object
}

/// Adds a member to an object.
pub fn add(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(key.to_owned(), value);
    }
}

fn text(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Granted(identity) => format!("granted: {}", describe(identity)),
        Verdict::Denied(reason) => format!("denied: {}", reason.word()),
        Verdict::Unavailable(cause) => format!("unavailable: {cause}"),
    }
}

fn describe(identity: &Identity) -> String {
    let mut text = plain(&identity.name);
    // A session that has only the name gives no id.
    if !identity.id.is_empty() {
        text.push_str(&format!(" (id {})", plain(&identity.id)));
    }
    if !identity.groups.is_empty() {
        let groups: Vec<String> = identity.groups.iter().map(|group| plain(group)).collect();
        text.push_str(&format!(", in {}", groups.join(", ")));
    }
    if let Some(session) = &identity.session {
        let until = session.expires.and_then(time);
        let expiry = match until {
            Some(until) => format!("until {until}"),
            None => "expires: unknown (the cache decides)".to_owned(),
        };
        text.push_str(&format!("\n{expiry}\nread from {}", session.decoded));
    }
    text
}

/// RFC 3339, to the second, in UTC; `None` past the year 9999, which it cannot express.
pub fn time(time: SystemTime) -> Option<String> {
    let time = Timestamp::try_from(time).ok()?;
    Some(format!("{time:.0}"))
}

/// Prints a line to standard output. A failed print is ignored: there is nowhere to report it.
pub fn line(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// Prints a line to standard error.
pub fn complain(text: &str) {
    drop(writeln!(std::io::stderr(), "hallpass: {text}"));
}

/// The most that is read from standard input.
pub const LONGEST: u64 = 1 << 20;

/// A password, asked for without echo where standard input is a terminal; else all of standard
/// input, one newline at its end dropped.
pub fn password() -> anyhow::Result<Secret> {
    if std::io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ").context("reading the password")?;
        return Ok(Secret::new(password.into_bytes()));
    }
    standard_input()
}

/// All of standard input, one newline at its end dropped; at most [`LONGEST`], which is longer than
/// any password or token.
pub fn standard_input() -> anyhow::Result<Secret> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    std::io::stdin()
        .take(LONGEST)
        .read_to_end(&mut bytes)
        .context("reading standard input")?;
    Ok(Secret::new(bytes.strip_suffix(b"\n").unwrap_or(&bytes)))
}

/// `text` in rows of `width` characters at most; a longer word has a row of its own.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match rows.last_mut() {
            Some(row) if row.chars().count() + 1 + word.chars().count() <= width => {
                row.push(' ');
                row.push_str(word);
            }
            _ => rows.push(word.to_owned()),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_wide_as_they_may_be() {
        assert_eq!(wrap("a bb ccc dddd", 4), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrap("äöü ß", 5), ["äöü ß"]);
        assert_eq!(
            wrap("longer than it may", 4),
            ["longer", "than", "it", "may"]
        );
        assert!(wrap("", 4).is_empty());
    }
}
