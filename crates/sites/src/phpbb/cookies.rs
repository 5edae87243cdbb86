//! Combines the cookies of a board into the one token that stands for them.

use crate::cookie::{self, Cookie, Reader};
use hallpass_stores::Secret;

/// The length of a session id: an MD5 in hexadecimal.
const SESSION_ID: usize = 32;
/// The longest key of a persistent login.
const LONGEST_KEY: usize = 64;

/// What a token stands for: `SID`, or `SID:USER:KEY` where the browser has a persistent login as
/// well.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) session_id: &'a str,
    pub(super) persistent: Option<Persistent<'a>>,
}

/// A persistent login.
#[derive(PartialEq, Eq)]
pub(super) struct Persistent<'a> {
    pub(super) user: i64,
    pub(super) key: &'a str,
}

/// Never shows the key.
impl std::fmt::Debug for Persistent<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Persistent({}, …)", self.user)
    }
}

/// The token in the cookies `NAME_sid`, `NAME_u` and `NAME_k`. Without a session id the others
/// count for nothing (`session_begin` in phpbb/session.php of 3.3).
pub(super) fn token(cookie_name: &str, header: &[u8]) -> Option<Secret> {
    let value = |suffix: &str| {
        let name = format!("{cookie_name}_{suffix}");
        let reader = Reader::Php;
        let value = cookie::value(
            [header],
            Cookie {
                name: &name,
                reader,
            },
        )?;
        String::from_utf8(value)
            .ok()
            .filter(|value| !value.is_empty())
    };
    let session_id = value("sid")?;
    let text = match (value("u"), value("k")) {
        (Some(user), Some(key)) => format!("{session_id}:{user}:{key}"),
        _ => session_id.clone(),
    };
    let whole = Token::parse(text.as_bytes()).is_some();
    Some(Secret::new(if whole { text } else { session_id }))
}

impl<'a> Token<'a> {
    /// `None` for what no cookies of phpBB's could have been.
    pub(super) fn parse(token: &'a [u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(token).ok()?.split(':');
        let session_id = parts.next()?;
        let hexadecimal = session_id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if session_id.len() != SESSION_ID || !hexadecimal {
            return None;
        }
        let persistent = match (parts.next(), parts.next(), parts.next()) {
            (None, _, _) => None,
            (Some(user), Some(key), None) => {
                let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric());
                if key.is_empty() || key.len() > LONGEST_KEY || !plain {
                    return None;
                }
                let user = user.parse().ok().filter(|user| *user > 0)?;
                Some(Persistent { user, key })
            }
            _ => return None,
        };
        Some(Self {
            session_id,
            persistent,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "c4d605fdc47da2e95572818c37c41c93";

    fn of(header: &str) -> Option<String> {
        let token = token("phpbb3_57hpu", header.as_bytes())?;
        Some(String::from_utf8(token.expose().to_vec()).unwrap())
    }

    #[test]
    fn the_cookies_become_one_token() {
        let with_key = format!(
            "a=b; phpbb3_57hpu_u=58; phpbb3_57hpu_k=zsw3gq8030r5qxtc; phpbb3_57hpu_sid={SID}"
        );
        let expected = format!("{SID}:58:zsw3gq8030r5qxtc");
        assert_eq!(of(&with_key), Some(expected.clone()));
        let parsed = Token::parse(expected.as_bytes()).unwrap();
        assert_eq!(parsed.session_id, SID);
        let (user, key) = (58, "zsw3gq8030r5qxtc");
        assert_eq!(parsed.persistent, Some(Persistent { user, key }));
        for without in [
            format!("phpbb3_57hpu_sid={SID}"),
            format!("phpbb3_57hpu_sid={SID}; phpbb3_57hpu_u=58; phpbb3_57hpu_k="),
            format!("phpbb3_57hpu_sid={SID}; phpbb3_57hpu_u=58; phpbb3_57hpu_k=a:b"),
            format!("phpbb3_57hpu_sid={SID}; phpbb3_57hpu_u=x; phpbb3_57hpu_k=ab"),
        ] {
            assert_eq!(of(&without).as_deref(), Some(SID), "{without}");
        }
    }

    #[test]
    fn without_a_session_id_there_is_none() {
        for header in [
            "",
            "phpbb3_57hpu_u=58; phpbb3_57hpu_k=zsw3gq8030r5qxtc",
            "phpbb3_57hpu_sid=",
            "phpbb3_other_sid=c4d605fdc47da2e95572818c37c41c93",
        ] {
            assert_eq!(of(header), None, "{header}");
        }
        for token in [
            "",
            "abc",
            "c4d605fdc47da2e95572818c37c41c9",
            "c4d605fdc47da2e95572818c37c41c9'",
            "c4d605fdc47da2e95572818c37c41c93:58",
            "c4d605fdc47da2e95572818c37c41c93:0:abc",
            "c4d605fdc47da2e95572818c37c41c93:58:",
            "c4d605fdc47da2e95572818c37c41c93:58:a'b",
            "c4d605fdc47da2e95572818c37c41c93:58:a:b",
        ] {
            assert_eq!(Token::parse(token.as_bytes()), None, "{token}");
        }
    }
}
