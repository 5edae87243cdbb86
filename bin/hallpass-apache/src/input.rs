//! Decodes the input of mod_authnz_external: a name, and a password or the groups of a Require line.
//!
//! By the pipe method, two lines on standard input. The module writes what the client sent between
//! the line ends, line ends included, so anything but exactly two lines is refused. Otherwise the
//! name `mallory\nstaff` would bring its own groups. Source: mod_authnz_external.c, 3.3.2.

use zeroize::Zeroizing;

/// The longest input, in bytes: more than Apache accepts of a request's headers.
pub const LONGEST: usize = 64 * 1024;

/// The two parts of the input.
pub struct Input {
    /// The user's name.
    pub name: String,
    /// The password, or the groups.
    pub rest: Zeroizing<Vec<u8>>,
}

/// The module does not write such input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Parses the pipe method's input: `name`, line end, `rest`, line end, and nothing more.
pub fn lines(bytes: &[u8]) -> Result<Input, Malformed> {
    let body = bytes.strip_suffix(b"\n").ok_or(Malformed)?;
    let mut lines = body.split(|byte| *byte == b'\n');
    match (lines.next(), lines.next(), lines.next()) {
        (Some(name), Some(rest), None) => input(name, rest),
        _ => Err(Malformed),
    }
}

/// Checks the environment method's two variables.
pub fn variables(name: Option<&[u8]>, rest: Option<&[u8]>) -> Result<Input, Malformed> {
    match (name, rest) {
        (Some(name), Some(rest)) if name.len() + rest.len() <= LONGEST => input(name, rest),
        _ => Err(Malformed),
    }
}

fn input(name: &[u8], rest: &[u8]) -> Result<Input, Malformed> {
    if name.is_empty() || name.iter().any(u8::is_ascii_control) || rest.contains(&0) {
        return Err(Malformed);
    }
    let rest = Zeroizing::new(text(rest).into_bytes());
    Ok(Input {
        name: text(name),
        rest,
    })
}

/// Decodes UTF-8, which browsers send, and else Latin-1, which old clients send.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_are_read() {
        for (bytes, name, rest) in [
            (&b"alice\nsecret\n"[..], "alice", &b"secret"[..]),
            (b"alice\n\n", "alice", b""),
            (b"al ice\n pa:ss w \n", "al ice", b" pa:ss w "),
            (b"zo\xc3\xab\np\xc3\xa4ss\n", "zoë", "päss".as_bytes()),
            (b"zo\xeb\np\xe4ss\n", "zoë", "päss".as_bytes()),
            (b"alice\npa\rss\n", "alice", b"pa\rss"),
        ] {
            let input = lines(bytes).unwrap_or_else(|_| panic!("{}", bytes.escape_ascii()));
            assert_eq!((input.name.as_str(), &**input.rest), (name, rest));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bytes in [
            &b""[..],
            b"\n",
            b"\n\n",
            b"alice",
            b"alice\n",
            b"alice\nsecret",
            b"\nsecret\n",
            b"al\nice\nsecret\n",
            b"alice\nsecret\n\n",
            b"alice\nsecret\nmore",
            b"alice\r\nsecret\r\n",
            b"al\0ice\nsecret\n",
            b"alice\nsec\0ret\n",
            b"al\x1bice\nsecret\n",
            b"al\x7fice\nsecret\n",
        ] {
            assert!(lines(bytes).is_err(), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn variables_are_read() {
        assert!(variables(Some(b"alice"), Some(b"secret")).is_ok());
        assert!(variables(Some(b"alice"), Some(b"")).is_ok());
        for (name, rest) in [
            (None, Some(&b"secret"[..])),
            (Some(&b"alice"[..]), None),
            (Some(b""), Some(b"secret")),
            (Some(b"al\nice"), Some(b"secret")),
        ] {
            assert!(variables(name, rest).is_err());
        }
        assert!(variables(Some(b"alice"), Some(&[b'x'; LONGEST])).is_err());
    }
}
