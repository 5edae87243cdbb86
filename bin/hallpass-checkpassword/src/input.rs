//! Decodes the bytes of descriptor 3: a name, a password and a timestamp, each followed by a NUL.
//!
//! Source: <https://cr.yp.to/checkpwd/interface.html>, and checkpassword.c 0.90, which requires no
//! timestamp and ignores what follows.

use zeroize::Zeroizing;

/// The longest input, in bytes.
pub const LONGEST: usize = 512;

/// A name and a password.
pub struct Input {
    /// The user's name.
    pub name: String,
    /// The password; empty in Dovecot's lookups.
    pub password: Zeroizing<Vec<u8>>,
}

/// What is wrong with the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The name is not UTF-8.
    Name,
    /// It does not hold a name and a password, each with a NUL after it.
    Shape,
    /// It is longer than the interface allows.
    TooLong,
}

impl Malformed {
    /// The message for the log.
    pub fn message(self) -> &'static str {
        match self {
            Self::Name => "the name on descriptor 3 is not UTF-8",
            Self::Shape => {
                "the input on descriptor 3 is not a name and a password with a NUL \
                            after each"
            }
            Self::TooLong => "the input on descriptor 3 is longer than 512 bytes",
        }
    }
}

/// Parses all bytes of the descriptor, which must be at most [`LONGEST`].
pub fn parse(bytes: &[u8]) -> Result<Input, Malformed> {
    if bytes.len() > LONGEST {
        return Err(Malformed::TooLong);
    }
    let mut fields = bytes.splitn(3, |byte| *byte == 0);
    match (fields.next(), fields.next(), fields.next()) {
        // A NUL after the second makes a third, which may be empty.
        (Some(name), Some(password), Some(_)) => Ok(Input {
            name: String::from_utf8(name.to_vec()).map_err(|_| Malformed::Name)?,
            password: Zeroizing::new(password.to_vec()),
        }),
        _ => Err(Malformed::Shape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_password_are_read() {
        for (bytes, name, password) in [
            (&b"alice\0secret\0\0"[..], "alice", &b"secret"[..]),
            (b"alice\0secret\0Y123456\0", "alice", b"secret"),
            (b"alice\0secret\0\0more\0and more", "alice", b"secret"),
            (b"alice\0secret\0", "alice", b"secret"),
            (b"alice\0secret\0no end", "alice", b"secret"),
            (b"alice\0\0\0", "alice", b""),
            (b"\0secret\0\0", "", b"secret"),
            (b"\0\0", "", b""),
            (b"al ice\0 pa:ss\nw \0\0", "al ice", b" pa:ss\nw "),
            (
                b"zo\xc3\xab\0p\xc3\xa4\xff\0\0",
                "zo\u{eb}",
                b"p\xc3\xa4\xff",
            ),
        ] {
            let input = parse(bytes).unwrap_or_else(|_| panic!("{}", bytes.escape_ascii()));
            assert_eq!((input.name.as_str(), &**input.password), (name, password));
        }
    }

    #[test]
    fn anything_else_is_wrong() {
        for bytes in [
            &b""[..],
            b"\0",
            b"alice",
            b"alice\0",
            b"alice\0secret",
            b"\n\n",
        ] {
            assert_eq!(
                parse(bytes).err(),
                Some(Malformed::Shape),
                "{}",
                bytes.escape_ascii()
            );
        }
        assert_eq!(parse(b"zo\xeb\0secret\0\0").err(), Some(Malformed::Name));
    }

    #[test]
    fn it_ends_at_512_bytes() {
        let of = |length: usize| [b"alice\0", &*vec![b'x'; length - 8], b"\0\0"].concat();
        assert!(parse(&of(512)).is_ok());
        assert_eq!(parse(&of(513)).err(), Some(Malformed::TooLong));
        assert_eq!(parse(&[0; 513]).err(), Some(Malformed::TooLong));
    }
}
