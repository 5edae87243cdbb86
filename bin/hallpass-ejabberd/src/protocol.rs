//! Decodes ejabberd's extauth frames and requests, and encodes its answers.
//!
//! In both directions, a frame is a length of two bytes, big-endian, and as many bytes. Requests
//! are `command:user:server` and, for some commands, `:password`. Source: extauth.erl and
//! ejabberd_auth_external.erl of ejabberd 23.01; unchanged from 16.01 to 26.07.

use hallpass_runtime::{Framing, append, drop_front};
use zeroize::Zeroizing;

/// One request, its fields as they arrived.
#[derive(PartialEq, Eq)]
pub struct Request<'a> {
    pub command: Command,
    pub user: &'a [u8],
    pub server: &'a [u8],
    /// Empty for commands without a password.
    pub password: &'a [u8],
}

/// The command of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `auth`: is this the user's password?
    Authenticate,
    /// `isuser`: is there such a user?
    Exists,
    /// `setpass`: set this password.
    SetPassword,
    /// `tryregister`: create such a user, with this password.
    Register,
    /// `removeuser`: remove the user.
    Remove,
    /// `removeuser3`: remove the user, if this is the password.
    RemoveWithPassword,
}

impl Command {
    fn parse(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"auth" => Self::Authenticate,
            b"isuser" => Self::Exists,
            b"setpass" => Self::SetPassword,
            b"tryregister" => Self::Register,
            b"removeuser" => Self::Remove,
            b"removeuser3" => Self::RemoveWithPassword,
            _ => return None,
        })
    }

    fn has_password(self) -> bool {
        !matches!(self, Self::Exists | Self::Remove)
    }
}

impl<'a> Request<'a> {
    /// Parses one message; `None` for an unknown command or missing fields. The first two colons after
    /// the command end the user and the server, which cannot hold any; a password may.
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let mut parts = message.splitn(2, |byte| *byte == b':');
        let (command, rest) = (Command::parse(parts.next()?)?, parts.next()?);
        let count = if command.has_password() { 3 } else { 2 };
        let mut fields = rest.splitn(count, |byte| *byte == b':');
        let (user, server) = (fields.next()?, fields.next()?);
        let password = if command.has_password() {
            fields.next()?
        } else {
            b""
        };
        Some(Self {
            command,
            user,
            server,
            password,
        })
    }
}

/// Never shows the password.
impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?}(…)", self.command)
    }
}

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Unavailable: ejabberd from 18.06 on reports the request as failed, and caches nothing.
    Failure,
}

impl Answer {
    /// The answer's bytes.
    pub fn encode(self) -> [u8; 4] {
        match self {
            Self::Yes => [0, 2, 0, 1],
            Self::No => [0, 2, 0, 0],
            Self::Failure => [0, 2, 0, 2],
        }
    }

    /// The answer as a line of mod_auth_external's generic protocol, in which anything but 0 and 1 is
    /// a failure.
    pub fn encode_line(self) -> &'static [u8] {
        match self {
            Self::Yes => b"1\n",
            Self::No => b"0\n",
            Self::Failure => b"unavailable\n",
        }
    }
}

/// Assembles messages from bytes that come in pieces of any size.
#[derive(Default)]
pub struct Decoder {
    buffer: Zeroizing<Vec<u8>>,
}

impl Framing for Decoder {
    type Message = Zeroizing<Vec<u8>>;

    fn push(&mut self, bytes: &[u8], found: &mut dyn FnMut(Self::Message) -> bool) -> bool {
        append(&mut self.buffer, bytes);
        while let Some(message) = self.next() {
            if !found(message) {
                return false;
            }
        }
        true
    }
}

impl Decoder {
    /// The next whole message, if there is one.
    fn next(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        let (length, rest) = self.buffer.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let message = Zeroizing::new(rest.get(..length)?.to_vec());
        drop_front(&mut self.buffer, 2 + length);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(message: &[u8]) -> Vec<u8> {
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        [&length[..], message].concat()
    }

    #[test]
    fn requests_are_read() {
        for (message, expected) in [
            (
                &b"auth:bob:h.tld:pw"[..],
                Some((&b"bob"[..], &b"h.tld"[..], &b"pw"[..])),
            ),
            (
                b"auth:bob:h.tld:se:cret",
                Some((b"bob", b"h.tld", b"se:cret")),
            ),
            (b"auth:bob:h.tld::", Some((b"bob", b"h.tld", b":"))),
            (b"auth:bob:h.tld:", Some((b"bob", b"h.tld", b""))),
            (
                b"auth:bob:h.tld:p\xc3\xa9\xff",
                Some((b"bob", b"h.tld", b"p\xc3\xa9\xff")),
            ),
            (b"auth:::", Some((b"", b"", b""))),
            (b"auth:bob:h.tld", None),
            (b"auth:bob", None),
            (b"auth", None),
            (b"AUTH:bob:h.tld:pw", None),
            (b" auth:bob:h.tld:pw", None),
            (b"", None),
            (b":", None),
            (b"setpass:bob:h.tld", None),
            (b"tryregister:bob:h.tld", None),
            (b"removeuser:bob", None),
            (b"removeuser3:bob:h.tld", None),
            (b"certauth:bob:h.tld:pem", None),
            (b"\0\0\0", None),
        ] {
            let expected = expected.map(|(user, server, password)| Request {
                command: Command::Authenticate,
                user,
                server,
                password,
            });
            assert!(
                Request::parse(message) == expected,
                "{}",
                message.escape_ascii()
            );
        }
    }

    #[test]
    fn commands_are_told_apart() {
        for (message, command, password) in [
            (&b"isuser:bob:h.tld"[..], Command::Exists, &b""[..]),
            (
                b"setpass:bob:h.tld:new:pw1",
                Command::SetPassword,
                b"new:pw1",
            ),
            (b"tryregister:bob:h.tld:pw", Command::Register, b"pw"),
            (b"removeuser:bob:h.tld", Command::Remove, b""),
            (
                b"removeuser3:bob:h.tld:pw",
                Command::RemoveWithPassword,
                b"pw",
            ),
        ] {
            let expected = Request {
                command,
                user: b"bob",
                server: b"h.tld",
                password,
            };
            assert!(Request::parse(message) == Some(expected));
        }
    }

    #[test]
    fn messages_come_whole_however_they_are_split() {
        let messages: [&[u8]; 4] = [b"isuser:bob:h.tld", b"", b"auth:a:b:\0\0", &[b'x'; 65_535]];
        let bytes: Vec<u8> = messages.iter().flat_map(|message| frame(message)).collect();
        for piece in [1, 2, 3, 7, 4096, bytes.len()] {
            let mut decoder = Decoder::default();
            let mut found = Vec::new();
            for piece in bytes.chunks(piece) {
                append(&mut decoder.buffer, piece);
                while let Some(message) = decoder.next() {
                    found.push(message.to_vec());
                }
            }
            assert!(found == messages, "{piece}");
            assert!(decoder.next().is_none());
        }
    }

    #[test]
    fn a_message_that_is_not_whole_is_none() {
        let mut decoder = Decoder::default();
        append(&mut decoder.buffer, &frame(b"isuser:bob:h.tld")[..17]);
        assert!(decoder.next().is_none());
    }

    #[test]
    fn passwords_are_not_shown() {
        let request = Request::parse(b"auth:bob:h.tld:hunter2");
        assert_eq!(format!("{request:?}"), "Some(Authenticate(…))");
    }
}
