//! What pam_exec hands over: variables, and the password on standard input.
//!
//! Source: pam_exec.c of Linux-PAM 1.3.1 to 1.7.2.

/// What PAM asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `account`: is there such an account, and may it be used?
    Account,
    /// `auth`: is this the user's password?
    Password,
}

impl Asked {
    /// Reads `PAM_TYPE`; `None` for what is not answered: `password`, `open_session`,
    /// `close_session` and anything else.
    pub fn parse(kind: &[u8]) -> Option<Self> {
        match kind {
            b"account" => Some(Self::Account),
            b"auth" => Some(Self::Password),
            _ => None,
        }
    }
}

/// The password out of what stood on standard input.
///
/// Up to 1.3.1 a NUL followed it, and stood alone for an empty one; since 1.4.0 there are the
/// password's own bytes and nothing else.
pub fn password(input: &[u8]) -> &[u8] {
    input.strip_suffix(b"\0").unwrap_or(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_types_are_answered() {
        assert_eq!(Asked::parse(b"auth"), Some(Asked::Password));
        assert_eq!(Asked::parse(b"account"), Some(Asked::Account));
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
            assert_eq!(Asked::parse(kind), None, "{}", kind.escape_ascii());
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
