//! Reads remembered logins: a signed cookie, and in it what Devise's `rememberable` keeps.
//!
//! Sources: `SignedKeyRotatingCookieJar` (middleware/cookies.rb) of Action Pack 6.1 to 8.1, and
//! `serialize_from_cookie` and `remember_me?` (models/rememberable.rb) of Devise 4.8.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use super::node::{Node, Serializer, value};
use crate::Invalid;

/// A remembered login, as `serialize_into_cookie` writes it.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviseRecaller {
    /// The account's primary key.
    pub key: String,
    /// `rememberable_value`: the account's `remember_token` where it has that column, else the first
    /// 29 characters of `encrypted_password`.
    pub token: Zeroizing<String>,
    /// When the cookie was made.
    pub generated_at: SystemTime,
}

/// Does not print the token.
impl std::fmt::Debug for DeviseRecaller {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("DeviseRecaller")
            .field("key", &self.key)
            .field("generated_at", &self.generated_at)
            .finish_non_exhaustive()
    }
}

impl DeviseRecaller {
    /// The login in what a signed cookie holds.
    ///
    /// # Errors
    /// [`Invalid`] for what Devise would not take for one.
    pub fn read(payload: &[u8], serializer: Serializer) -> Result<Self, Invalid> {
        const WRONG: Invalid = Invalid::Kind("it is not a remembered login");
        let Node::List(parts) = value(payload, serializer)? else {
            return Err(WRONG);
        };
        let [key, Node::Text(token), Node::Text(generated_at), ..] = parts.as_slice() else {
            return Err(WRONG);
        };
        let key = match key {
            Node::List(keys) => keys.first().unwrap_or(&Node::Null),
            key => key,
        };
        Ok(Self {
            key: key.key().ok_or(WRONG)?,
            token: Zeroizing::new(token.clone()),
            generated_at: moment(generated_at).ok_or(WRONG)?,
        })
    }
}

/// `time_from_json`: seconds with a fraction, or a time with its offset.
fn moment(text: &str) -> Option<SystemTime> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = text.split_once('.');
    if parts.is_some_and(|(whole, fraction)| digits(whole) && digits(fraction)) {
        let seconds = text.parse().ok()?;
        return UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?);
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(time.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_login_has_a_key_a_token_and_a_time() {
        let read = |text: &str| DeviseRecaller::read(text.as_bytes(), Serializer::Json);
        let found = read(r#"[[7],"$2a$04$salt","1795986448.5"]"#).unwrap();
        assert_eq!((&*found.key, &**found.token), ("7", "$2a$04$salt"));
        let at = |seconds| UNIX_EPOCH + Duration::from_secs_f64(seconds);
        assert_eq!(found.generated_at, at(1_795_986_448.5));
        // Of releases before 4.
        let old = read(r#"[["7-b"],"token","2026-11-29T21:07:28.500Z"]"#).unwrap();
        assert_eq!((&*old.key, old.generated_at), ("7-b", at(1_795_986_448.5)));
        for other in [
            "",
            "null",
            "7",
            "[]",
            "{}",
            r#"{"7":"token"}"#,
            r#"[[7],"token"]"#,
            r#"[[7],null,"1795986448.5"]"#,
            r#"[[],"token","1795986448.5"]"#,
            r#"[[null],"token","1795986448.5"]"#,
            r#"[[[7]],"token","1795986448.5"]"#,
            r#"[[""],"token","1795986448.5"]"#,
            r#"[[7],"token",1795986448.5]"#,
            r#"[[7],"token","1795986448"]"#,
            r#"[[7],"token","-1795986448.5"]"#,
            r#"[[7],"token","1e9.5"]"#,
            r#"[[7],"token",".5"]"#,
            r#"[[7],"token","soon"]"#,
            r#"[[7],"token",""]"#,
            r#"[[7],"token","1795986448.5"] "#.trim_end_matches("] "),
            r#"[[7],"token","1795986448.5"]]"#,
            "\u{4}\u{8}[\u{0}",
        ] {
            assert!(read(other).is_err(), "{other}");
        }
        let far = format!(r#"[[7],"token","{}.5"]"#, "9".repeat(400));
        assert!(read(&far).is_err());
        assert!(!format!("{found:?}").contains("salt"));
    }

    /// `Marshal.dump([[7], "token", "1795986448.5"])` of Ruby 3.1.
    #[test]
    fn a_dump_is_read_where_the_application_reads_dumps() {
        let dump = b"\x04\x08[\x08[\x06i\x0cI\"\x0atoken\x06:\x06ETI\"\x111795986448.5\x06;\x00T";
        let found = DeviseRecaller::read(dump, Serializer::Either).unwrap();
        assert_eq!((&*found.key, &**found.token), ("7", "token"));
        assert!(DeviseRecaller::read(dump, Serializer::Json).is_err());
        assert!(DeviseRecaller::read(&dump[..dump.len() - 1], Serializer::Either).is_err());
    }
}
