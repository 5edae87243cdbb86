//! Compares the fingerprint of a session with the client, as Flask-Login's strong protection does.
//!
//! By `_session_protection_failed` in login_manager.py, and `_create_identifier` and
//! `_get_remote_addr` in utils.py, of Flask-Login 0.6.3.

use hallpass_sessions::{Invalid, Member, MemberPath};
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

use crate::Client;

/// What a session keeps to be compared with its client.
pub(super) struct Fingerprint {
    /// `_id`
    id: Option<String>,
    /// `_permanent`: such a session is only marked as not fresh.
    is_permanent: bool,
}

impl Fingerprint {
    /// That of `session`, which `read` reads.
    pub(super) fn read(
        session: &[u8],
        read: fn(&[u8], &MemberPath) -> Result<Member, Invalid>,
    ) -> Self {
        let member = |name: &str| {
            let path = name.parse().ok()?;
            read(session, &path).ok()
        };
        Self {
            id: match member("_id") {
                Some(Member::Text(id)) => Some(id),
                _ => None,
            },
            is_permanent: member("_permanent") == Some(Member::True),
        }
    }

    /// Whether Flask-Login would leave the session to `client`. A client whose browser or address the
    /// host does not know is another.
    pub(super) fn is_of(&self, client: &Client) -> bool {
        if self.is_permanent {
            return true;
        }
        let (Some(id), Some(expected)) = (&self.id, identifier(client)) else {
            return false;
        };
        bool::from(id.as_bytes().ct_eq(expected.as_bytes()))
    }
}

/// The hexadecimal digest that Flask-Login makes of the client.
fn identifier(client: &Client) -> Option<String> {
    let forwarded = client.forwarded_for.as_deref().unwrap_or_default();
    let address = match forwarded {
        "" => client.address?.to_string(),
        all => all.split(',').next()?.trim().to_owned(),
    };
    let browser = match client.browser.as_deref()? {
        "" => "None".to_owned(),
        browser => bytes_literal(browser)?,
    };
    let text = format!("{}|{browser}", bytes_literal(&address)?);
    let digest = Sha512::digest(text);
    Some(
        digest
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")),
    )
}

/// How Python shows `text` as bytes: `b'…'`. `None` for what is not printable ASCII, which Werkzeug
/// reads as Latin-1.
fn bytes_literal(text: &str) -> Option<String> {
    if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return None;
    }
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut literal = format!("b{quote}");
    for letter in text.chars() {
        if letter == '\\' || letter == quote {
            literal.push('\\');
        }
        literal.push(letter);
    }
    literal.push(quote);
    Some(literal)
}

#[cfg(test)]
mod tests {
    use hallpass_sessions::flask::read_stored;

    use super::*;

    /// As Flask-Login 0.6 made these (`tests/vectors/flask_clients.py`).
    fn clients() -> Vec<(Client, String)> {
        type Recorded = (String, Option<String>, Option<String>, String);
        let rows: Vec<Recorded> =
            serde_json::from_str(include_str!("../../tests/data/flask_login.json")).unwrap();
        let client = |(address, forwarded, browser, identifier): Recorded| {
            let client = Client {
                address: address.parse().ok(),
                browser: Some(browser.unwrap_or_default()),
                forwarded_for: Some(forwarded.unwrap_or_default()),
            };
            (client, identifier)
        };
        rows.into_iter().map(client).collect()
    }

    fn is_of(session: &str, client: &Client) -> bool {
        Fingerprint::read(session.as_bytes(), read_stored).is_of(client)
    }

    #[test]
    fn a_session_is_of_the_client_that_it_began_with_and_of_no_other() {
        let clients = clients();
        assert!(clients.len() > 10);
        for (number, (_, identifier)) in clients.iter().enumerate() {
            let session = format!("{{\"_id\":\"{identifier}\"}}");
            for (other, (client, same)) in clients.iter().enumerate() {
                let expected = identifier == same;
                assert_eq!(is_of(&session, client), expected, "{number} {other}");
            }
        }
    }

    #[test]
    fn a_client_of_whom_nothing_is_known_is_another() {
        let (client, identifier) = clients().swap_remove(0);
        let session = format!("{{\"_id\":\"{identifier}\"}}");
        assert!(is_of(&session, &client));
        for unknown in [
            Client::default(),
            Client::at(client.address),
            Client {
                browser: None,
                ..client.clone()
            },
            Client {
                address: None,
                ..client.clone()
            },
            Client {
                browser: Some("Mözilla".to_owned()),
                ..client.clone()
            },
        ] {
            assert!(!is_of(&session, &unknown), "{unknown:?}");
        }
        for session in [
            "{}",
            "{\"_id\":null}",
            "{\"_id\":[]}",
            "{\"_permanent\":false}",
            "{\"_permanent\":1}",
        ] {
            assert!(!is_of(session, &client), "{session}");
        }
        // A permanent one is only marked.
        assert!(is_of("{\"_permanent\":true}", &Client::default()));
    }
}
