//! Decodes the input of pam_exec: variables, and the password on standard input.
//!
//! Source: pam_exec.c of Linux-PAM 1.3.1 to 1.7.2.

/// The request of PAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// `account`: is there such an account, and may it be used?
    Account,
    /// `auth`: is this the user's password?
    Password,
}

impl Question {
    /// Parses `PAM_TYPE`; `None` for the types that are not answered: `password`, `open_session`,
    /// `close_session` and unknown ones.
    pub fn parse(kind: &[u8]) -> Option<Self> {
        match kind {
            b"account" => Some(Self::Account),
            b"auth" => Some(Self::Password),
            _ => None,
        }
    }
}

/// The password in the bytes of standard input.
///
/// Up to 1.3.1 a NUL follows the password, even an empty one; since 1.4.0 the password stands
/// alone.
pub fn password(input: &[u8]) -> &[u8] {
    input.strip_suffix(b"\0").unwrap_or(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_types_are_answered() {
        assert_eq!(Question::parse(b"auth"), Some(Question::Password));
        assert_eq!(Question::parse(b"account"), Some(Question::Account));
        for kind in [
            &b""[..],
            b"password",
            b"open_session",
            b"close_session",
            b"AUTH",
            b"auth ",
            b"auth\n",
            b"accounts",
            b"\xff",
        ] {
            assert_eq!(Question::parse(kind), None, "{}", kind.escape_ascii());
        }
    }

    #[test]
    fn one_nul_at_the_end_is_not_the_passwords() {
        for (input, expected) in [
            (&b"secret"[..], &b"secret"[..]),
            (b"secret\0", b"secret"),
            (b"", b""),
            (b"\0", b""),
            (b"secret\0\0", b"secret\0"),
            (b"\0secret", b"\0secret"),
            (b"secret\n", b"secret\n"),
            (b" secret ", b" secret "),
        ] {
            assert_eq!(password(input), expected, "{}", input.escape_ascii());
        }
        assert_eq!(password(&[b'x'; 511]), [b'x'; 511]);
    }
}
