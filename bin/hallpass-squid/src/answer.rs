//! Encodes the answers of Squid's helper protocol, one a line.
//!
//! Source: helper/Reply.cc of Squid 5.7.

use hallpass_core::{Reason, Verdict};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::options::Kind;

/// The characters of a name that are escaped: all that have a meaning to Squid or to the programs
/// that read its logs.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Yes, and the name of the user where Squid does not know it.
    Yes { user: Option<&'a str> },
    /// No.
    No,
    /// Unavailable: Squid retries, and admits no user meanwhile.
    Unknown,
}

impl<'a> Answer<'a> {
    /// The answer for `verdict`. A malformed request of an access list is unavailable, because an
    /// access list that denies its members would admit them after a no.
    pub fn new(kind: &Kind, verdict: &'a Verdict) -> Self {
        match (verdict, kind) {
            (Verdict::Granted(_), Kind::Group(_)) => Self::Yes { user: None },
            (Verdict::Granted(identity), _) => Self::Yes {
                user: Some(&identity.name),
            },
            (Verdict::Denied(Reason::Malformed), Kind::Group(_) | Kind::Session { .. }) => {
                Self::Unknown
            }
            (Verdict::Denied(_), _) => Self::No,
            (Verdict::Unavailable(_), _) => Self::Unknown,
        }
    }

    /// The line, with the id of the channel of the question, if any.
    pub fn encode(self, channel: Option<u32>) -> String {
        let mut line = channel.map_or_else(String::new, |channel| format!("{channel} "));
        match self {
            Self::Yes { user: None } => line.push_str("OK"),
            Self::Yes { user: Some(user) } => {
                line.push_str("OK user=");
                line.extend(utf8_percent_encode(user, ESCAPED));
            }
            Self::No => line.push_str("ERR"),
            // Squid may show the message to the client; the log says why.
            Self::Unknown => line.push_str("BH message=\"The accounts cannot be asked now.\""),
        }
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use hallpass_core::{Identity, Unavailable};
    use hallpass_runtime::ConditionArguments;

    use super::*;
    use crate::options::External;

    #[test]
    fn only_a_grant_is_yes_and_only_a_denial_is_no() {
        let external = External {
            concurrency: false,
            client: false,
        };
        let basic = Kind::Basic {
            client: false,
            conditions: ConditionArguments::default(),
        };
        let granted = Verdict::Granted(Box::new(Identity {
            name: "alice".to_owned(),
            ..Identity::default()
        }));
        let alice = Answer::Yes {
            user: Some("alice"),
        };
        for (kind, yes, malformed) in [
            (basic, alice, Answer::No),
            (
                Kind::Session {
                    login: false,
                    external,
                },
                alice,
                Answer::Unknown,
            ),
            (
                Kind::Group(external),
                Answer::Yes { user: None },
                Answer::Unknown,
            ),
        ] {
            assert_eq!(Answer::new(&kind, &granted), yes);
            for reason in [
                Reason::UnknownUser,
                Reason::WrongPassword,
                Reason::Inactive,
                Reason::NotPermitted,
                Reason::NoSession,
                Reason::Throttled,
            ] {
                assert_eq!(Answer::new(&kind, &Verdict::Denied(reason)), Answer::No);
            }
            let nonsense = Verdict::Denied(Reason::Malformed);
            assert_eq!(Answer::new(&kind, &nonsense), malformed);
            let unavailable = Verdict::Unavailable(Unavailable::new("gone"));
            assert_eq!(Answer::new(&kind, &unavailable), Answer::Unknown);
        }
    }

    #[test]
    fn answers_are_lines() {
        for (answer, channel, line) in [
            (Answer::Yes { user: None }, None, "OK\n"),
            (Answer::Yes { user: None }, Some(0), "0 OK\n"),
            (
                Answer::Yes {
                    user: Some("alice"),
                },
                None,
                "OK user=alice\n",
            ),
            (Answer::No, None, "ERR\n"),
            (Answer::No, Some(17), "17 ERR\n"),
            (
                Answer::Unknown,
                Some(u32::MAX),
                "4294967295 BH message=\"The accounts cannot be asked now.\"\n",
            ),
        ] {
            assert_eq!(answer.encode(channel), line);
        }
    }

    #[test]
    fn a_name_stays_a_name() {
        for (user, escaped) in [
            ("zoë smith", "zo%C3%AB%20smith"),
            ("a\nOK user=root", "a%0AOK%20user%3Droot"),
            ("\"a\\\"", "%22a%5C%22"),
            ("100%", "100%25"),
            ("joe@example.org", "joe%40example.org"),
            ("A-z_0.9", "A-z_0.9"),
        ] {
            let line = Answer::Yes { user: Some(user) }.encode(None);
            assert_eq!(line, format!("OK user={escaped}\n"));
        }
    }
}
