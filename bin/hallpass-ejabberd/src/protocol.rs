//! ejabberd's extauth protocol: bytes in, requests out; answers in, bytes out.
//!
//! Both ways, a message is two bytes of length, the high one first, and as many bytes. Requests
//! are `command:user:server` and, for some commands, `:password`. Source: extauth.erl and
//! ejabberd_auth_external.erl of ejabberd 23.01; unchanged from 16.01 to 26.07.

use hallpass_program::Framing;
use zeroize::Zeroizing;

/// One request, its fields as they came.
#[derive(PartialEq, Eq)]
pub enum Request<'a> {
    /// `auth`: is this the user's password?
    Authenticate {
        user: &'a [u8],
        server: &'a [u8],
        password: &'a [u8],
    },
    /// `isuser`: is there such a user?
    Exists { user: &'a [u8], server: &'a [u8] },
    /// A command that changes accounts, one that is not known, or nonsense.
    Other,
}

impl<'a> Request<'a> {
    /// Reads one message. The first two colons after the command end the user and the server,
    /// neither of which can hold one; a password may hold any number.
    pub fn parse(message: &'a [u8]) -> Self {
        let mut parts = message.splitn(2, |byte| *byte == b':');
        match (parts.next(), parts.next()) {
            (Some(b"auth"), Some(rest)) => {
                let mut fields = rest.splitn(3, |byte| *byte == b':');
                match (fields.next(), fields.next(), fields.next()) {
                    (Some(user), Some(server), Some(password)) => Self::Authenticate {
                        user,
                        server,
                        password,
                    },
                    _ => Self::Other,
                }
            }
            (Some(b"isuser"), Some(rest)) => {
                let mut fields = rest.splitn(2, |byte| *byte == b':');
                match (fields.next(), fields.next()) {
                    (Some(user), Some(server)) => Self::Exists { user, server },
                    _ => Self::Other,
                }
            }
            _ => Self::Other,
        }
    }
}

/// Never shows the password.
impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Authenticate { .. } => "Authenticate(…)",
            Self::Exists { .. } => "Exists(…)",
            Self::Other => "Other",
        })
    }
}

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Neither: ejabberd 18.06 and later reports the request as failed, and caches nothing.
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
}

/// Puts messages together from bytes that come in pieces of any size.
#[derive(Default)]
pub struct Decoder {
    buffer: Zeroizing<Vec<u8>>,
}

impl Framing for Decoder {
    type Message = Zeroizing<Vec<u8>>;

    fn push(&mut self, bytes: &[u8], found: &mut dyn FnMut(Self::Message) -> bool) -> bool {
        self.keep(bytes);
        while let Some(message) = self.next() {
            if !found(message) {
                return false;
            }
        }
        true
    }
}

impl Decoder {
    fn keep(&mut self, bytes: &[u8]) {
        let needed = self.buffer.len() + bytes.len();
        if needed > self.buffer.capacity() {
            // Growing in place would leave a copy with passwords in it behind.
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
            larger.extend_from_slice(&self.buffer);
            self.buffer = larger;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, if there is one.
    fn next(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        let (length, rest) = self.buffer.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let message = Zeroizing::new(rest.get(..length)?.to_vec());
        self.buffer.drain(..2 + length);
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
            (b"setpass:bob:h.tld:pw", None),
            (b"tryregister:bob:h.tld:pw", None),
            (b"removeuser:bob:h.tld", None),
            (b"removeuser3:bob:h.tld:pw", None),
            (b"certauth:bob:h.tld:pem", None),
            (b"\0\0\0", None),
        ] {
            let expected = expected.map_or(Request::Other, |(user, server, password)| {
                Request::Authenticate {
                    user,
                    server,
                    password,
                }
            });
            assert!(
                Request::parse(message) == expected,
                "{}",
                message.escape_ascii()
            );
        }
        let exists = Request::Exists {
            user: b"bob",
            server: b"h.tld",
        };
        assert_eq!(Request::parse(b"isuser:bob:h.tld"), exists);
        assert_eq!(Request::parse(b"isuser:bob"), Request::Other);
    }

    #[test]
    fn messages_come_whole_however_they_are_split() {
        let messages: [&[u8]; 4] = [b"isuser:bob:h.tld", b"", b"auth:a:b:\0\0", &[b'x'; 65_535]];
        let bytes: Vec<u8> = messages.iter().flat_map(|message| frame(message)).collect();
        for piece in [1, 2, 3, 7, 4096, bytes.len()] {
            let mut decoder = Decoder::default();
            let mut found = Vec::new();
            for piece in bytes.chunks(piece) {
                decoder.keep(piece);
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
        decoder.keep(&frame(b"isuser:bob:h.tld")[..17]);
        assert!(decoder.next().is_none());
    }

    #[test]
    fn passwords_are_not_shown() {
        let request = Request::parse(b"auth:bob:h.tld:hunter2");
        assert_eq!(format!("{request:?}"), "Authenticate(…)");
    }
}
