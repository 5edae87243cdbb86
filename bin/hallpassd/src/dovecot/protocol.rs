//! Reads and writes the lines of Dovecot's auth-client protocol (Dovecot 2.3 and 2.4,
//! src/auth/auth-client-connection.c and src/lib-auth-client): fields between tabs, both sides'
//! versions first, then requests, which may overlap.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallpass_core::Secret;
use hallpass_runtime::{append, drop_front};
use zeroize::Zeroizing;

/// The longest line that is read. Dovecot's own limit is half of it.
const LONGEST_LINE: usize = 16 * 1024;
/// How many requests may be open at once on a connection.
const MOST_OPEN: usize = 1024;
/// Marks a failure that is not a wrong password's: by its name before Dovecot 2.3, by the name
/// since then, and in words for Postfix, which knows neither name and tells its clients the words.
const TEMPORARY: &str = "temp\tcode=temp_fail\treason=Temporary authentication failure";

/// Greets a client, and lists the mechanisms, which all need the plain password.
pub fn greeting(process: u32, connection: u64, cookie: &[u8; 16]) -> String {
    let cookie = u128::from_be_bytes(*cookie);
    format!(
        "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t{process}\n\
         CUID\t{connection}\nCOOKIE\t{cookie:032x}\nDONE\n"
    )
}

/// What a client asks for.
#[derive(Debug)]
pub enum Event {
    /// A verdict on a name and a password.
    Ask(Login),
    /// The client has cancelled that request.
    Cancel(Number),
}

/// Identifies a request: the client's own number, which it may reuse, and ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number {
    client: u32,
    own: u64,
}

/// A login.
#[derive(Debug)]
pub struct Login {
    pub number: Number,
    pub name: String,
    pub password: Secret,
    /// The client's address, where the host sends it.
    pub client: Option<IpAddr>,
    /// The service that is logged in to, such as `smtp`.
    pub service: Option<String>,
}

/// An error that ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A line is too long.
    #[error("a line is longer than {LONGEST_LINE} bytes")]
    LongLine,
    /// An invalid line, or one at the wrong place.
    #[error("a line cannot be understood")]
    Malformed,
    /// The client speaks another protocol.
    #[error("the client speaks another version")]
    Version,
}

/// Keeps the state of one connection, without input or output.
#[derive(Debug, Default)]
pub struct Conversation {
    input: Zeroizing<Vec<u8>>,
    output: String,
    greeted: bool,
    /// How many requests there have been.
    requests: u64,
    open: BTreeMap<u32, Request>,
}

#[derive(Debug)]
struct Request {
    number: Number,
    client: Option<IpAddr>,
    service: Option<String>,
    waits_for: WaitsFor,
}

#[derive(Debug)]
enum WaitsFor {
    /// PLAIN's one message.
    Message,
    /// LOGIN's name.
    Name,
    /// LOGIN's password.
    PasswordOf(String),
    /// The verdict.
    Verdict,
}

impl Conversation {
    /// Takes bytes that came in.
    pub fn receive(&mut self, bytes: &[u8]) {
        append(&mut self.input, bytes);
    }

    /// Whether the client has said which version it speaks.
    pub fn has_greeted(&self) -> bool {
        self.greeted
    }

    /// The next event in the lines received so far; `None` until more arrive.
    pub fn event(&mut self) -> Result<Option<Event>, Error> {
        while let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
            let line = Zeroizing::new(self.input.get(..end).unwrap_or_default().to_vec());
            drop_front(&mut self.input, end + 1);
            if line.len() > LONGEST_LINE {
                return Err(Error::LongLine);
            }
            if let Some(event) = self.line(&line)? {
                return Ok(Some(event));
            }
        }
        if self.input.len() > LONGEST_LINE {
            return Err(Error::LongLine);
        }
        Ok(None)
    }

    /// Grants that request: to the account called `name`.
    pub fn grant(&mut self, number: Number, name: &str) {
        self.answer(number, "OK", name, "");
    }

    /// Denies that request of `name`.
    pub fn deny(&mut self, number: Number, name: &str) {
        self.answer(number, "FAIL", name, "");
    }

    /// Answers that request of `name` with a temporary failure.
    pub fn fail(&mut self, number: Number, name: &str) {
        self.answer(number, "FAIL", name, &format!("\t{TEMPORARY}"));
    }

    fn answer(&mut self, number: Number, word: &str, name: &str, rest: &str) {
        let id = number.client;
        if self.open.get(&id).is_some_and(|open| open.number == number) {
            self.open.remove(&id);
            self.output += &format!("{word}\t{id}\tuser={}{rest}\n", escape(name));
        }
    }

    /// The bytes that are to be sent now.
    pub fn output(&mut self) -> String {
        std::mem::take(&mut self.output)
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Event>, Error> {
        let line = std::str::from_utf8(line).map_err(|_| Error::Malformed)?;
        let (command, arguments) = line.split_once('\t').unwrap_or((line, ""));
        if !self.greeted {
            let major = arguments.split('\t').next();
            return match (command, major) {
                ("VERSION", Some("1")) => {
                    self.greeted = true;
                    Ok(None)
                }
                _ => Err(Error::Version),
            };
        }
        match command {
            // Only the client itself needs its process.
            "CPID" => Ok(None),
            "AUTH" => self.begin(arguments),
            "CONT" => {
                let (id, message) = arguments.split_once('\t').ok_or(Error::Malformed)?;
                self.go_on(integer(id)?, message)
            }
            "CANCEL" => {
                let id = integer(arguments)?;
                let open = self.open.remove(&id);
                Ok(open.map(|open| Event::Cancel(open.number)))
            }
            _ => Err(Error::Malformed),
        }
    }

    /// `AUTH id mechanism parameters…`, of which `resp=` is the last.
    fn begin(&mut self, arguments: &str) -> Result<Option<Event>, Error> {
        let mut fields = arguments.split('\t');
        let id = integer(fields.next().unwrap_or_default())?;
        let mechanism = fields.next().ok_or(Error::Malformed)?;
        if self.open.contains_key(&id) {
            return Err(Error::Malformed);
        }
        self.requests += 1;
        let number = Number {
            client: id,
            own: self.requests,
        };
        let mut request = Request {
            number,
            client: None,
            service: None,
            waits_for: match mechanism {
                "PLAIN" => WaitsFor::Message,
                "LOGIN" => WaitsFor::Name,
                _ => return Ok(self.refuse(id)),
            },
        };
        let mut response = None;
        for field in fields {
            match field.split_once('=') {
                Some(("rip", address)) => request.client = address.parse().ok(),
                Some(("service", service)) => request.service = Some(service.to_owned()),
                Some(("resp", message)) => response = Some(message),
                _ => {}
            }
        }
        if self.open.len() >= MOST_OPEN {
            self.output += &format!("FAIL\t{id}\t{TEMPORARY}\n");
            return Ok(None);
        }
        self.open.insert(id, request);
        match response {
            Some(message) => self.go_on(id, message),
            None => {
                let prompt = match mechanism {
                    "LOGIN" => STANDARD.encode("Username:"),
                    _ => String::new(),
                };
                self.output += &format!("CONT\t{id}\t{prompt}\n");
                Ok(None)
            }
        }
    }

    /// The next message of the mechanism.
    fn go_on(&mut self, id: u32, message: &str) -> Result<Option<Event>, Error> {
        let Some(request) = self.open.get_mut(&id) else {
            // It may have been refused meanwhile.
            return Ok(None);
        };
        let Ok(message) = STANDARD.decode(message).map(Zeroizing::new) else {
            return Ok(self.refuse(id));
        };
        let (name, password) = match std::mem::replace(&mut request.waits_for, WaitsFor::Verdict) {
            WaitsFor::Verdict => return Err(Error::Malformed),
            WaitsFor::Message => match plain(&message) {
                Some((name, password)) => (name.to_owned(), Secret::new(password)),
                None => return Ok(self.refuse(id)),
            },
            WaitsFor::Name => match std::str::from_utf8(&message) {
                Ok(name) => {
                    request.waits_for = WaitsFor::PasswordOf(name.to_owned());
                    let prompt = STANDARD.encode("Password:");
                    self.output += &format!("CONT\t{id}\t{prompt}\n");
                    return Ok(None);
                }
                Err(_) => return Ok(self.refuse(id)),
            },
            WaitsFor::PasswordOf(name) => (name, Secret::new(&**message)),
        };
        Ok(Some(Event::Ask(Login {
            number: request.number,
            name,
            password,
            client: request.client,
            service: request.service.clone(),
        })))
    }

    /// Refuses what cannot be a login.
    fn refuse(&mut self, id: u32) -> Option<Event> {
        self.open.remove(&id);
        self.output += &format!("FAIL\t{id}\n");
        None
    }
}

/// The name and the password of PLAIN's message (RFC 4616); `None` for an invalid message, or one
/// that asks to act for another account.
fn plain(message: &[u8]) -> Option<(&str, &[u8])> {
    let mut parts = message.split(|byte| *byte == 0);
    let (acts_for, name, password) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !(acts_for.is_empty() || acts_for == name) {
        return None;
    }
    Some((std::str::from_utf8(name).ok()?, password))
}

fn integer(text: &str) -> Result<u32, Error> {
    text.parse().map_err(|_| Error::Malformed)
}

/// `str_tabescape` (src/lib/strescape.c).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\0' => escaped.push_str("\u{1}0"),
            '\u{1}' => escaped.push_str("\u{1}1"),
            '\t' => escaped.push_str("\u{1}t"),
            '\r' => escaped.push_str("\u{1}r"),
            '\n' => escaped.push_str("\u{1}n"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = "VERSION\t1\t2\nCPID\t42\n";

    fn say(conversation: &mut Conversation, lines: &str) -> Result<Vec<String>, Error> {
        conversation.receive(lines.as_bytes());
        let mut events = Vec::new();
        while let Some(event) = conversation.event()? {
            events.push(match event {
                Event::Ask(login) => {
                    let password = login.password.expose().escape_ascii();
                    let client = login.client.map(|client| client.to_string());
                    let client = client.unwrap_or_default();
                    let service = login.service.unwrap_or_default();
                    let number = login.number.client;
                    format!("{number} {}:{password} {client} {service}", login.name)
                }
                Event::Cancel(number) => format!("cancel {}", number.client),
            });
        }
        Ok(events)
    }

    /// The number of the request that came as the `own`th, under the client's number.
    fn number(client: u32, own: u64) -> Number {
        Number { client, own }
    }

    fn begun() -> Conversation {
        let mut conversation = Conversation::default();
        assert_eq!(say(&mut conversation, HELLO), Ok(Vec::new()));
        conversation
    }

    #[test]
    fn plain_is_understood_however_its_bytes_come() {
        let line = "AUTH\t1\tPLAIN\tservice=smtp\tnologin\trip=192.0.2.7\tsecured\t\
                    resp=AGFsaWNlAHNlOmNyZXQ=\n";
        let mut conversation = begun();
        let asked = "1 alice:se:cret 192.0.2.7 smtp";
        assert_eq!(say(&mut conversation, line).unwrap(), [asked]);
        let mut conversation = begun();
        let pieces = line.split_inclusive(|_| true);
        let events: Vec<_> = pieces
            .flat_map(|piece| say(&mut conversation, piece).unwrap())
            .collect();
        assert_eq!(events, [asked]);
        conversation.grant(number(1, 1), "Alice\t2");
        assert_eq!(conversation.output(), "OK\t1\tuser=Alice\u{1}t2\n");
        // A verdict that nobody waits for goes nowhere.
        conversation.grant(number(1, 1), "Alice");
        assert_eq!(conversation.output(), "");
    }

    #[test]
    fn login_asks_for_one_thing_after_the_other() {
        let mut conversation = begun();
        assert!(
            say(&mut conversation, "AUTH\t5\tLOGIN\tservice=x\n")
                .unwrap()
                .is_empty()
        );
        assert_eq!(conversation.output(), "CONT\t5\tVXNlcm5hbWU6\n");
        assert!(
            say(&mut conversation, "CONT\t5\tYWxpY2U=\n")
                .unwrap()
                .is_empty()
        );
        assert_eq!(conversation.output(), "CONT\t5\tUGFzc3dvcmQ6\n");
        let asked = say(&mut conversation, "CONT\t5\tc2VjcmV0\n").unwrap();
        assert_eq!(asked, ["5 alice:secret  x"]);
        conversation.deny(number(5, 1), "alice");
        assert_eq!(conversation.output(), "FAIL\t5\tuser=alice\n");
        // The name may come at once.
        assert!(
            say(&mut conversation, "AUTH\t6\tLOGIN\tresp=YWxpY2U=\n")
                .unwrap()
                .is_empty()
        );
        assert_eq!(conversation.output(), "CONT\t6\tUGFzc3dvcmQ6\n");
    }

    #[test]
    fn plain_without_its_message_asks_for_it() {
        let mut conversation = begun();
        assert!(
            say(&mut conversation, "AUTH\t5\tPLAIN\n")
                .unwrap()
                .is_empty()
        );
        assert_eq!(conversation.output(), "CONT\t5\t\n");
        let asked = say(&mut conversation, "CONT\t5\tAGFsaWNlAHNlY3JldA==\n").unwrap();
        assert_eq!(asked, ["5 alice:secret  "]);
        conversation.fail(number(5, 1), "alice");
        let failed = format!("FAIL\t5\tuser=alice\t{TEMPORARY}\n");
        assert_eq!(conversation.output(), failed);
    }

    #[test]
    fn requests_overlap() {
        let mut conversation = begun();
        let lines = "AUTH\t1\tPLAIN\tresp=AGEAYg==\nAUTH\t2\tPLAIN\tresp=AGMAZA==\nCANCEL\t1\n";
        let events = say(&mut conversation, lines).unwrap();
        assert_eq!(events, ["1 a:b  ", "2 c:d  ", "cancel 1"]);
        conversation.deny(number(2, 2), "c");
        conversation.deny(number(1, 1), "a");
        assert_eq!(conversation.output(), "FAIL\t2\tuser=c\n");
        // A verdict on what was cancelled is none on what has its number now.
        let again = say(&mut conversation, "AUTH\t1\tPLAIN\tresp=AGUAZg==\n").unwrap();
        assert_eq!(again, ["1 e:f  "]);
        conversation.grant(number(1, 1), "a");
        assert_eq!(conversation.output(), "");
        conversation.deny(number(1, 3), "e");
        assert_eq!(conversation.output(), "FAIL\t1\tuser=e\n");
    }

    #[test]
    fn what_is_no_login_is_refused() {
        let encoded = |message: &[u8]| STANDARD.encode(message);
        for response in [
            encoded(b"alice"),
            encoded(b"alice\0secret"),
            encoded(b"\0alice\0sec\0ret"),
            encoded(b"root\0alice\0secret"),
            encoded(b"\0\xff\0secret"),
            String::new(),
            "=".to_owned(),
            "AGFsaWNlAHNlY3JldA".to_owned(),
            "no base64".to_owned(),
        ] {
            let mut conversation = begun();
            let line = format!("AUTH\t9\tPLAIN\tresp={response}\n");
            assert!(say(&mut conversation, &line).unwrap().is_empty(), "{line}");
            assert_eq!(conversation.output(), "FAIL\t9\n");
        }
        let mut conversation = begun();
        assert!(
            say(&mut conversation, "AUTH\t9\tCRAM-MD5\n")
                .unwrap()
                .is_empty()
        );
        assert_eq!(conversation.output(), "FAIL\t9\n");
        let acts_for_themselves = encoded(b"alice\0alice\0secret");
        let line = format!("AUTH\t9\tPLAIN\tresp={acts_for_themselves}\n");
        assert_eq!(say(&mut conversation, &line).unwrap(), ["9 alice:secret  "]);
    }

    #[test]
    fn nonsense_ends_the_connection() {
        for (lines, error) in [
            ("AUTH\t1\tPLAIN\tresp=AGEAYg==\n".to_owned(), Error::Version),
            ("VERSION\t2\t0\n".to_owned(), Error::Version),
            ("GET / HTTP/1.1\r\n".to_owned(), Error::Version),
            (format!("{HELLO}HELP\n"), Error::Malformed),
            (format!("{HELLO}AUTH\tx\tPLAIN\n"), Error::Malformed),
            (format!("{HELLO}AUTH\t-1\tPLAIN\n"), Error::Malformed),
            (format!("{HELLO}AUTH\t1\n"), Error::Malformed),
            (
                format!("{HELLO}AUTH\t1\tPLAIN\nAUTH\t1\tPLAIN\n"),
                Error::Malformed,
            ),
            (format!("{HELLO}CONT\t1\n"), Error::Malformed),
            (format!("{HELLO}{}", "x".repeat(20_000)), Error::LongLine),
            (format!("{HELLO}{}\n", "x".repeat(20_000)), Error::LongLine),
        ] {
            let said = say(&mut Conversation::default(), &lines);
            assert_eq!(said.unwrap_err(), error, "{lines:?}");
        }
    }

    #[test]
    fn open_requests_are_bounded() {
        let mut conversation = begun();
        for id in 0..=MOST_OPEN {
            say(&mut conversation, &format!("AUTH\t{id}\tPLAIN\n")).unwrap();
        }
        let refused = format!("FAIL\t{MOST_OPEN}\t{TEMPORARY}\n");
        assert!(conversation.output().ends_with(&refused));
        assert_eq!(conversation.open.len(), MOST_OPEN);
    }

    #[test]
    fn the_greeting_is_whole() {
        let greeting = greeting(12, 3, &[0xab; 16]);
        let cookie = format!("COOKIE\t{}", "ab".repeat(16));
        assert!(greeting.starts_with("VERSION\t1\t"));
        assert!(greeting.lines().any(|line| line == cookie));
        assert!(greeting.ends_with("\nDONE\n"));
    }
}
