//! The parts of URLs.

use zeroize::Zeroizing;

/// `text` percent-encoded, but for what stands for itself anywhere in a URL, and slashes.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The user and the password in a URL.
#[derive(Default)]
pub struct User {
    pub name: Option<String>,
    pub password: Option<Zeroizing<Vec<u8>>>,
}

/// `url` without user and password, and these, decoded.
pub fn without_user(url: &str) -> (String, User) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), User::default());
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let Some((user, host)) = authority.rsplit_once('@') else {
        return (url.to_owned(), User::default());
    };
    let (name, password) = match user.split_once(':') {
        Some((name, password)) => (name, Some(password)),
        None => (user, None),
    };
    let name = String::from_utf8(decode(name).to_vec()).ok();
    let user = User {
        name: name.filter(|name| !name.is_empty()),
        password: password.map(decode).filter(|password| !password.is_empty()),
    };
    (format!("{scheme}://{host}{path}"), user)
}

/// As Python's `unquote`: a percent sign that stands for nothing stands for itself.
fn decode(text: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let digits = after.get(..2).filter(|_| *byte == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let plain = |digits: &&str| digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        match digits
            .filter(plain)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        {
            Some(decoded) => {
                bytes.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            None => bytes.push(*byte),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_taken_out() {
        for (url, expected, name, password) in [
            ("redis://host/1", "redis://host/1", None, None),
            (
                "redis://:p%40ss@host:6/1",
                "redis://host:6/1",
                None,
                Some("p@ss"),
            ),
            (
                "rediss://a:b:c@h?db=1",
                "rediss://h?db=1",
                Some("a"),
                Some("b:c"),
            ),
            ("redis://a@h", "redis://h", Some("a"), None),
            ("redis://:100%@h", "redis://h", None, Some("100%")),
            ("redis://h/p@th", "redis://h/p@th", None, None),
            ("unix:/run/a@b", "unix:/run/a@b", None, None),
            ("unix://:x@/run/a", "unix:///run/a", None, Some("x")),
        ] {
            let (without, user) = without_user(url);
            assert_eq!(without, expected, "{url}");
            assert_eq!(user.name.as_deref(), name, "{url}");
            let found = user.password.as_ref().map(|bytes| bytes.as_slice());
            assert_eq!(found, password.map(str::as_bytes), "{url}");
        }
    }
}
