//! Squid's helper protocol, as it goes out: one line an answer.
//!
//! Source: helper/Reply.cc of Squid 5.7.

use std::fmt::Write;

use hallpass_core::{Reason, Verdict};

use crate::options::Asked;

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Yes; it is the user of this name, where that was not known before.
    Yes { user: Option<&'a str> },
    /// No.
    No,
    /// Neither: Squid asks again, and lets nobody in meanwhile.
    Unknown,
}

impl<'a> Answer<'a> {
    /// What `verdict` is answered by. A question of an access list that is nonsense has no answer:
    /// with no, a list of those who may not in would let them in.
    pub fn new(asked: &Asked, verdict: &'a Verdict) -> Self {
        match (verdict, asked) {
            (Verdict::Granted(_), Asked::Group(_)) => Self::Yes { user: None },
            (Verdict::Granted(identity), _) => Self::Yes {
                user: Some(&identity.name),
            },
            (Verdict::Denied(Reason::Malformed), Asked::Group(_) | Asked::Session { .. }) => {
                Self::Unknown
            }
            (Verdict::Denied(_), _) => Self::No,
            (Verdict::Unavailable(_), _) => Self::Unknown,
        }
    }

    /// The line, with the id of the channel that the question came by, if any.
    pub fn encode(self, channel: Option<u32>) -> String {
        let mut line = channel.map_or_else(String::new, |channel| format!("{channel} "));
        match self {
            Self::Yes { user: None } => line.push_str("OK"),
            Self::Yes { user: Some(user) } => {
                line.push_str("OK user=");
                escape(user, &mut line);
            }
            Self::No => line.push_str("ERR"),
            // It may be shown to whoever asks for a page; the log says why.
            Self::Unknown => line.push_str("BH message=\"The accounts cannot be asked now.\""),
        }
        line.push('\n');
        line
    }
}

/// Escapes everything that could mean something to anybody.
fn escape(text: &str, line: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            line.push(byte.into());
        } else {
            // Writing into a string cannot fail.
            let _ = write!(line, "%{byte:02X}");
        }
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
        let basic = Asked::Basic {
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
        for (asked, yes, malformed) in [
            (basic, alice, Answer::No),
            (
                Asked::Session {
                    login: false,
                    external,
                },
                alice,
                Answer::Unknown,
            ),
            (
                Asked::Group(external),
                Answer::Yes { user: None },
                Answer::Unknown,
            ),
        ] {
            assert_eq!(Answer::new(&asked, &granted), yes);
            for reason in [
                Reason::UnknownUser,
                Reason::WrongPassword,
                Reason::Inactive,
                Reason::NotPermitted,
                Reason::NoSession,
                Reason::Throttled,
            ] {
                assert_eq!(Answer::new(&asked, &Verdict::Denied(reason)), Answer::No);
            }
            let nonsense = Verdict::Denied(Reason::Malformed);
            assert_eq!(Answer::new(&asked, &nonsense), malformed);
            let unavailable = Verdict::Unavailable(Unavailable::new("gone"));
            assert_eq!(Answer::new(&asked, &unavailable), Answer::Unknown);
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
