//! Encodes the answer: the environment of PROG, or an exit code where PROG is not run.
//!
//! Sources: <https://cr.yp.to/checkpwd/interface.html>; for lookups, Dovecot's db-checkpassword.c,
//! 2.3.19; for the environment, its checkpassword-reply.c, where `EXTRA` lists the variables that
//! it passes on as fields.

use hallpass_core::{Identity, Verdict};

/// The password is not acceptable.
const DENIED: u8 = 1;
/// The host misused the interface.
pub const MISUSED: u8 = 2;
/// A lookup found no such user.
const UNKNOWN: u8 = 3;
/// A store could not be read in time, or the configuration is wrong.
pub const UNAVAILABLE: u8 = 111;

/// The request of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Is there such a user?
    Lookup,
    /// Is this the user's password?
    Password,
}

/// The exit code for `verdict`; 0 when PROG is to be run.
pub fn exit_code(question: Question, verdict: &Verdict) -> u8 {
    match (verdict, question) {
        (Verdict::Granted(_), _) => 0,
        (Verdict::Denied(_), Question::Password) => DENIED,
        (Verdict::Denied(_), Question::Lookup) => UNKNOWN,
        (Verdict::Unavailable(_), _) => UNAVAILABLE,
    }
}

/// The field of Dovecot's user database that names the groups of its access control lists.
const GROUPS: &str = "userdb_acl_groups";

/// The environment variables to set for PROG, or, without a value, to remove.
///
/// A site knows no home directory and no shell, and those of the host are not the user's.
pub fn environment(question: Question, identity: &Identity) -> Vec<(&'static str, Option<String>)> {
    let groups = groups(identity);
    let mut variables = vec![
        ("USER", Some(identity.name.clone())),
        ("HOME", None),
        ("SHELL", None),
        ("EXTRA", groups.as_ref().map(|_| GROUPS.to_owned())),
        (GROUPS, groups),
    ];
    if question == Question::Lookup {
        // Confirms that this was a lookup.
        variables.push(("AUTHORIZED", Some("2".to_owned())));
    }
    variables
}

/// The groups, joined by commas, at which Dovecot splits them. A group with a comma in its name is
/// left out, because it would read as two others.
fn groups(identity: &Identity) -> Option<String> {
    let plain = |name: &&String| !name.contains(|char: char| char == ',' || char.is_control());
    let names: Vec<_> = identity.groups.iter().filter(plain).cloned().collect();
    (!names.is_empty()).then(|| names.join(","))
}

#[cfg(test)]
mod tests {
    use hallpass_core::{Reason, Unavailable};

    use super::*;

    #[test]
    fn only_a_grant_is_zero() {
        for (question, denied) in [(Question::Password, 1), (Question::Lookup, 3)] {
            let granted = Verdict::Granted(Box::default());
            assert_eq!(exit_code(question, &granted), 0);
            for reason in [
                Reason::UnknownUser,
                Reason::WrongPassword,
                Reason::Inactive,
                Reason::NotPermitted,
                Reason::Malformed,
            ] {
                assert_eq!(exit_code(question, &Verdict::Denied(reason)), denied);
            }
            let unavailable = Verdict::Unavailable(Unavailable::new(""));
            assert_eq!(exit_code(question, &unavailable), 111);
        }
    }

    fn identity(groups: &[&str]) -> Identity {
        Identity {
            name: "zoë".to_owned(),
            groups: groups.iter().map(ToString::to_string).collect(),
            ..Identity::default()
        }
    }

    fn value(variables: &[(&str, Option<String>)], name: &str) -> Option<Option<String>> {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| value.clone())
    }

    #[test]
    fn the_name_is_the_sites_and_nothing_is_the_hosts() {
        let variables = environment(Question::Password, &identity(&[]));
        assert_eq!(value(&variables, "USER"), Some(Some("zoë".to_owned())));
        for name in ["HOME", "SHELL", "EXTRA", GROUPS] {
            assert_eq!(value(&variables, name), Some(None), "{name}");
        }
        assert_eq!(value(&variables, "AUTHORIZED"), None);
    }

    #[test]
    fn a_lookup_says_that_it_was_one() {
        let variables = environment(Question::Lookup, &identity(&[]));
        assert_eq!(value(&variables, "AUTHORIZED"), Some(Some("2".to_owned())));
    }

    #[test]
    fn groups_are_handed_on_unless_they_could_pass_for_others() {
        for (groups, expected) in [
            (&["editors"][..], Some("editors")),
            (
                &["chess", "two words", "größe"],
                Some("chess,two words,größe"),
            ),
            (&["a,b", "chess", "x\ty", "x\ny"], Some("chess")),
            (&["a,b"], None),
        ] {
            let variables = environment(Question::Password, &identity(groups));
            let expected = expected.map(str::to_owned);
            let extra = expected.as_ref().map(|_| GROUPS.to_owned());
            assert_eq!(value(&variables, GROUPS), Some(expected));
            assert_eq!(value(&variables, "EXTRA"), Some(extra));
        }
    }
}
