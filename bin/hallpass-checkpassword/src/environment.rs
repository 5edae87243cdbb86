//! What the program that is run finds in its environment.
//!
//! Source: <https://cr.yp.to/checkpwd/interface.html> and, for the rest, Dovecot's
//! checkpassword-reply.c, 2.3.19: `EXTRA` lists the variables that it hands on as fields.

use hallpass_core::Identity;

use crate::answer::Asked;

/// The field of Dovecot's user database that names the groups of its access control lists.
const GROUPS: &str = "userdb_acl_groups";

/// The variables that change: set, or, where there is no value, taken out.
///
/// A site knows no home directory and no shell, and those of whoever asks are not the user's.
pub fn changes(asked: Asked, identity: &Identity) -> Vec<(&'static str, Option<String>)> {
    let groups = groups(identity);
    let mut changes = vec![
        ("USER", Some(identity.name.clone())),
        ("HOME", None),
        ("SHELL", None),
        ("EXTRA", groups.as_ref().map(|_| GROUPS.to_owned())),
        (GROUPS, groups),
    ];
    if asked == Asked::Lookup {
        // Says that a lookup was understood to be one.
        changes.push(("AUTHORIZED", Some("2".to_owned())));
    }
    changes
}

/// The groups as Dovecot splits them, at commas: one that has a comma in its name is not among
/// them, lest it pass for two others.
fn groups(identity: &Identity) -> Option<String> {
    let plain = |name: &&String| !name.contains(|char: char| char == ',' || char.is_control());
    let names: Vec<_> = identity.groups.iter().filter(plain).cloned().collect();
    (!names.is_empty()).then(|| names.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(groups: &[&str]) -> Identity {
        Identity {
            name: "zoë".to_owned(),
            groups: groups.iter().map(ToString::to_string).collect(),
            ..Identity::default()
        }
    }

    fn value(changes: &[(&str, Option<String>)], name: &str) -> Option<Option<String>> {
        let found = changes.iter().find(|(changed, _)| *changed == name);
        found.map(|(_, value)| value.clone())
    }

    #[test]
    fn the_name_is_the_sites_and_nothing_is_whose_asks() {
        let changes = changes(Asked::Password, &identity(&[]));
        assert_eq!(value(&changes, "USER"), Some(Some("zoë".to_owned())));
        for name in ["HOME", "SHELL", "EXTRA", GROUPS] {
            assert_eq!(value(&changes, name), Some(None), "{name}");
        }
        assert_eq!(value(&changes, "AUTHORIZED"), None);
    }

    #[test]
    fn a_lookup_says_that_it_was_one() {
        let changes = changes(Asked::Lookup, &identity(&[]));
        assert_eq!(value(&changes, "AUTHORIZED"), Some(Some("2".to_owned())));
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
            let changes = changes(Asked::Password, &identity(groups));
            let expected = expected.map(str::to_owned);
            let extra = expected.as_ref().map(|_| GROUPS.to_owned());
            assert_eq!(value(&changes, GROUPS), Some(expected));
            assert_eq!(value(&changes, "EXTRA"), Some(extra));
        }
    }
}
