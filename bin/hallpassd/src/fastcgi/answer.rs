//! Writes an authorizer's answer: CGI headers (FastCGI 1.0, section 6.3).

use hallpass_core::{Identity, Reason, Verdict};

use super::request::Request;
use crate::identity::time;
use crate::login::back_to;
use crate::percent::{self, RESERVED};

/// The answer to `request`. A denial redirects to `login_url`, or asks for a password with
/// `challenge`, where the site has them.
pub fn answer(
    verdict: &Verdict,
    request: &Request<'_>,
    login_url: Option<&str>,
    challenge: Option<&str>,
) -> Vec<u8> {
    match verdict {
        Verdict::Granted(identity) => granted(identity),
        Verdict::Denied(Reason::NotPermitted) => refused("403 Forbidden", &[]),
        Verdict::Denied(_) => match login_url {
            Some(template) if !request.is_a_program() => {
                let url = back_to(template, &request.wanted());
                refused("302 Found", &[("Location", &url)])
            }
            _ => match challenge {
                Some(challenge) => refused("401 Unauthorized", &[("WWW-Authenticate", challenge)]),
                None => refused("401 Unauthorized", &[]),
            },
        },
        // A server understands of an authorizer only that it failed.
        Verdict::Unavailable(_) => refused("500 Internal Server Error", &[]),
    }
}

fn granted(identity: &Identity) -> Vec<u8> {
    let groups: Vec<_> = identity
        .groups
        .iter()
        .map(|group| encode(group, ","))
        .collect();
    let (name, encoding) = if stands_as_it_is(&identity.name) {
        (identity.name.clone(), "")
    } else {
        let name = percent::encode(identity.name.as_bytes(), &RESERVED);
        (name.into_owned(), "percent")
    };
    let session = identity.session.as_ref();
    let expires = session.and_then(|session| session.expires).map(time);
    let mut answer = "Status: 200 OK\r\n".to_owned();
    for (variable, value) in [
        ("REMOTE_USER_NAME", name.as_str()),
        ("REMOTE_USER_ENCODING", encoding),
        ("REMOTE_EMAIL", &encode(&identity.email, "")),
        ("REMOTE_NAME", &encode(&identity.full_name, "")),
        ("REMOTE_GROUPS", &groups.join(",")),
        (
            "REMOTE_SESSION",
            session.map_or("", |session| &session.digest),
        ),
        ("REMOTE_SESSION_EXPIRES", &expires.unwrap_or_default()),
    ] {
        answer += "Variable-";
        answer += variable;
        answer += ": ";
        answer += value;
        answer += "\r\n";
    }
    answer += "\r\n";
    answer.into_bytes()
}

fn refused(status: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut answer = format!("Status: {status}\r\nCache-Control: no-store\r\n");
    for (name, value) in headers {
        answer += name;
        answer += ": ";
        answer += value;
        answer += "\r\n";
    }
    answer += "Content-Type: text/plain\r\n\r\n";
    answer += status;
    answer += "\n";
    answer.into_bytes()
}

/// Whether a server reads `name` from a header unchanged. A name that holds an escape must not
/// stand, because it would be read as the account whose name is encoded so.
fn stands_as_it_is(name: &str) -> bool {
    name.trim() == name && !name.contains(char::is_control) && !percent::has_escape(name)
}

/// `text` with `%`, `also`, control characters and white space at its ends, which a server would
/// trim, percent-encoded. Other characters stay: an environment is not confined to ASCII.
fn encode(text: &str, also: &str) -> String {
    let start = text.len() - text.trim_start().len();
    let end = text.trim_end().len();
    let mut encoded = String::with_capacity(text.len());
    for (position, character) in text.char_indices() {
        let trimmed = position < start || position >= end;
        if trimmed || character == '%' || character.is_control() || also.contains(character) {
            let mut bytes = [0; 4];
            encoded += &percent::encode(character.encode_utf8(&mut bytes).as_bytes(), &RESERVED);
        } else {
            encoded.push(character);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::assert_told_apart;

    fn variable(identity: &Identity, name: &str) -> String {
        let answer = String::from_utf8(granted(identity)).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "");
        let mut lines = head.split("\r\n");
        assert_eq!(lines.next(), Some("Status: 200 OK"));
        let start = format!("Variable-{name}: ");
        let found: Vec<_> = lines.filter_map(|line| line.strip_prefix(&start)).collect();
        assert_eq!(found.len(), 1, "{name}: {answer}");
        found[0].to_owned()
    }

    #[test]
    fn every_variable_is_always_there() {
        for name in [
            "REMOTE_USER_NAME",
            "REMOTE_USER_ENCODING",
            "REMOTE_EMAIL",
            "REMOTE_NAME",
            "REMOTE_GROUPS",
            "REMOTE_SESSION",
            "REMOTE_SESSION_EXPIRES",
        ] {
            assert_eq!(variable(&Identity::default(), name), "");
        }
    }

    #[test]
    fn names_cannot_end_a_header_or_become_others() {
        for (name, value, encoding) in [
            ("alice", "alice", ""),
            ("zoë 100%", "zoë 100%", ""),
            (" alice", "%20alice", "percent"),
            ("alice\u{a0}", "alice%C2%A0", "percent"),
            ("a\r\nSet-Cookie: x", "a%0D%0ASet-Cookie%3A%20x", "percent"),
            ("100%", "100%", ""),
            ("%20alice", "%2520alice", "percent"),
            ("alice%c2%a0", "alice%25c2%25a0", "percent"),
        ] {
            let identity = Identity {
                name: name.to_owned(),
                ..Identity::default()
            };
            assert_eq!(variable(&identity, "REMOTE_USER_NAME"), value);
            assert_eq!(variable(&identity, "REMOTE_USER_ENCODING"), encoding);
        }
    }

    #[test]
    fn no_two_accounts_have_one_value() {
        let names = [
            " zoë",
            "%20zoë",
            "%20zo%C3%AB",
            "zoë",
            "zo%C3%AB",
            "zoë ",
            "%2520zoë",
            "100%",
            "100%25",
            "a\n",
            "a%0A",
            "a%0a",
        ];
        let kinds = [
            "REMOTE_USER_NAME",
            "REMOTE_EMAIL",
            "REMOTE_NAME",
            "REMOTE_GROUPS",
        ];
        assert_told_apart(&names, &kinds, variable);
    }

    #[test]
    fn other_texts_can_be_told_apart() {
        let identity = Identity {
            full_name: " Zoë\n100% ".to_owned(),
            groups: vec![
                "a,b".to_owned(),
                "späte Gäste".to_owned(),
                "c\r\n".to_owned(),
            ],
            ..Identity::default()
        };
        assert_eq!(variable(&identity, "REMOTE_NAME"), "%20Zoë%0A100%25%20");
        assert_eq!(
            variable(&identity, "REMOTE_GROUPS"),
            "a%2Cb,späte Gäste,c%0D%0A"
        );
    }
}
