//! Takes URLs apart, and percent-encodes their parts.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

/// The characters that do not stand for themselves everywhere in a URL; slashes do.
const OTHERS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// `text` percent-encoded, but for what stands for itself anywhere in a URL, and slashes.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, OTHERS).to_string()
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
    // With room for all of it: no part of a password is left behind where it grew.
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    bytes.extend(percent_decode_str(text));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_for_any_place_in_a_url() {
        for (text, encoded) in [
            ("/srv/shop-1/db_2.sqlite~", "/srv/shop-1/db_2.sqlite~"),
            ("a b&c=d?e#f%g", "a%20b%26c%3Dd%3Fe%23f%25g"),
            ("pä:@+", "p%C3%A4%3A%40%2B"),
        ] {
            assert_eq!(encode(text), encoded);
        }
    }

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
