//! Writes an identity as HTTP headers and as JSON.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use hallpass_core::Identity;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use jiff::Timestamp;
use percent_encoding::AsciiSet;
use serde_json::{Value, json};

use crate::percent::{self, IN_LISTS, IN_TEXT, RESERVED};

/// Puts the identity headers into `headers`: always all of them, so that a server which copies them
/// overwrites whatever the client sent under their names.
pub fn put_headers(headers: &mut HeaderMap, identity: Option<&Identity>) {
    let nobody = Identity::default();
    let identity = identity.unwrap_or(&nobody);
    let mut groups = String::new();
    for group in &identity.groups {
        if !groups.is_empty() {
            groups.push(',');
        }
        groups.push_str(&encode(group, &IN_LISTS));
    }
    let (user, encoding) = if stands_in_a_header(&identity.name) {
        (Cow::Borrowed(identity.name.as_str()), "")
    } else {
        (
            percent::encode(identity.name.as_bytes(), &RESERVED),
            "percent",
        )
    };
    let session = identity.session.as_ref();
    let digest = session.map_or("", |session| &session.digest);
    let expires = session.and_then(|session| session.expires).map(time);
    headers.reserve(HEADERS);
    for (name, value) in [
        ("remote-user", &*user),
        ("remote-user-encoding", encoding),
        ("remote-email", &*encode(&identity.email, &IN_TEXT)),
        ("remote-name", &*encode(&identity.full_name, &IN_TEXT)),
        ("remote-groups", &groups),
        ("remote-session", digest),
        ("remote-session-expires", &expires.unwrap_or_default()),
    ] {
        // An encoded value can always stand in a header.
        let value = HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""));
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// How many headers an answer has at most, so that their table is allocated once.
const HEADERS: usize = 14;
/// Whether `name` can stand in a header as it is: visible ASCII, and spaces within. A name that
/// holds an escape cannot, because a host that reads `Remote-User` alone would take it for the
/// account whose name is encoded so.
fn stands_in_a_header(name: &str) -> bool {
    name.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && name.trim_matches(' ') == name
        && !percent::has_escape(name)
}

/// `text` with `set` percent-encoded. The spaces at its ends are encoded too, because the recipient
/// of a header trims them.
fn encode<'a>(text: &'a str, set: &'static AsciiSet) -> Cow<'a, str> {
    let inner = text.trim_matches(' ');
    let encoded = percent::encode(inner.as_bytes(), set);
    if inner.len() == text.len() {
        return encoded;
    }
    let trimmed = text.trim_start_matches(' ');
    let before = text.len() - trimmed.len();
    let after = trimmed.len() - inner.len();
    let spaces = |count| "%20".repeat(count);
    Cow::Owned(spaces(before) + &encoded + &spaces(after))
}

/// The JSON object of an identity.
pub fn json(identity: &Identity) -> Value {
    let session = identity.session.as_ref();
    json!({
        "user": identity.name,
        "id": identity.id,
        "email": identity.email,
        "name": identity.full_name,
        "groups": identity.groups,
        "session": session.map(|session| &session.digest),
        "expires": session.and_then(|session| session.expires).map(time),
    })
}

/// RFC 3339, to the second, in UTC; empty past the year 9999, which it cannot express.
pub fn time(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).ok();
    let seconds = since.and_then(|since| i64::try_from(since.as_secs()).ok());
    let timestamp = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    timestamp.map_or_else(String::new, |timestamp| timestamp.to_string())
}

#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use hallpass_core::{Decoding, Session};

    use super::*;

    fn headers(identity: Option<&Identity>) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        put_headers(&mut headers, identity);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect()
    }

    fn header(identity: &Identity, name: &str) -> String {
        headers(Some(identity))
            .into_iter()
            .find(|(key, _)| key == name)
            .unwrap()
            .1
    }

    #[test]
    fn every_header_is_always_there() {
        let nobody = headers(None);
        assert_eq!(nobody.len(), 7);
        assert!(nobody.iter().all(|(_, value)| value.is_empty()));
        assert_eq!(headers(Some(&Identity::default())), nobody);
    }

    #[test]
    fn names_that_cannot_stand_in_a_header_are_encoded() {
        for (name, value, encoding) in [
            ("alice", "alice", ""),
            ("a b%c,d", "a b%c,d", ""),
            ("zoë", "zo%C3%AB", "percent"),
            (" alice", "%20alice", "percent"),
            ("a\r\nSet-Cookie: x", "a%0D%0ASet-Cookie%3A%20x", "percent"),
            ("100% zoë", "100%25%20zo%C3%AB", "percent"),
            ("100%", "100%", ""),
            ("%4 %zz", "%4 %zz", ""),
            ("zo%C3%AB", "zo%25C3%25AB", "percent"),
            ("zo%c3%ab", "zo%25c3%25ab", "percent"),
            ("100%25", "100%2525", "percent"),
        ] {
            let identity = Identity {
                name: name.to_owned(),
                ..Identity::default()
            };
            assert_eq!(header(&identity, "remote-user"), value);
            assert_eq!(header(&identity, "remote-user-encoding"), encoding);
        }
    }

    #[test]
    fn no_two_accounts_have_one_value() {
        let names = [
            "zoë",
            "zo%C3%AB",
            "zo%c3%ab",
            "zo%25C3%25AB",
            " alice",
            "alice",
            "alice ",
            "%20alice",
            "%2520alice",
            "100%",
            "100%25",
            "a,b",
            "a%2Cb",
            "\u{a0}alice",
            "%C2%A0alice",
            "alice\u{2003}",
            "\talice",
            "alice\n",
            "alice  ",
        ];
        let kinds = [
            "remote-user",
            "remote-email",
            "remote-name",
            "remote-groups",
        ];
        assert_told_apart(&names, &kinds, header);
    }

    /// Only spaces are trimmed: other white space is encoded byte by byte (RFC 3986 section 2.1).
    #[test]
    fn white_space_at_the_ends_is_encoded() {
        for (name, expected) in [
            (" a b ", "%20a b%20"),
            ("\u{a0}a", "%C2%A0a"),
            ("a\u{2003}", "a%E2%80%83"),
            ("\ta\n", "%09a%0A"),
            ("  ", "%20%20"),
        ] {
            let identity = Identity {
                full_name: name.to_owned(),
                groups: vec![name.to_owned()],
                ..Identity::default()
            };
            assert_eq!(header(&identity, "remote-name"), expected, "{name:?}");
            assert_eq!(header(&identity, "remote-groups"), expected, "{name:?}");
        }
    }

    /// Asserts that `value` differs between any two of `names`, for each of `kinds`. A recipient
    /// trims the value of a header.
    pub fn assert_told_apart(
        names: &[&str],
        kinds: &[&str],
        value: impl Fn(&Identity, &str) -> String,
    ) {
        let named = |name: &str| Identity {
            name: name.to_owned(),
            email: name.to_owned(),
            full_name: name.to_owned(),
            groups: vec![name.to_owned()],
            ..Identity::default()
        };
        for (position, name) in names.iter().enumerate() {
            for other in &names[..position] {
                for kind in kinds {
                    let [one, two] = [name, other].map(|name| value(&named(name), kind));
                    assert_ne!(one.trim(), two.trim(), "{kind}: {name:?} {other:?}");
                }
            }
        }
    }

    #[test]
    fn groups_can_be_told_apart() {
        let groups = vec!["a,b".to_owned(), "two words".to_owned(), "größe".to_owned()];
        let identity = Identity {
            groups,
            ..Identity::default()
        };
        assert_eq!(
            header(&identity, "remote-groups"),
            "a%2Cb,two words,gr%C3%B6%C3%9Fe"
        );
    }

    #[test]
    fn sessions_are_named_and_dated() {
        let session = Session {
            digest: "d1ge57".to_owned(),
            expires: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000)),
            decoded: Decoding::default(),
        };
        let identity = Identity {
            session: Some(session),
            ..Identity::default()
        };
        assert_eq!(header(&identity, "remote-session"), "d1ge57");
        assert_eq!(
            header(&identity, "remote-session-expires"),
            "2033-05-18T03:33:20Z"
        );
        assert_eq!(json(&identity)["expires"], "2033-05-18T03:33:20Z");
        assert_eq!(json(&Identity::default())["expires"], Value::Null);
        let never = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert_eq!(time(never), "");
    }
}
