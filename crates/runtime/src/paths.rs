//! Checks the names of accounts for hosts that make paths of them, as Dovecot does with
//! `home=/srv/mail/%u`.

use hallpass_core::{Reason, Verdict};

/// The verdict for a host that makes paths of names: an account is granted only if neither its name
/// nor the one that was `typed` leads out of its own directory.
#[must_use]
pub fn for_paths(verdict: Verdict, typed: Option<&str>) -> Verdict {
    match &verdict {
        Verdict::Granted(identity)
            if !names_one_directory(&identity.name) || !typed.is_none_or(names_one_directory) =>
        {
            Verdict::Denied(Reason::Malformed)
        }
        _ => verdict,
    }
}

/// Whether `name` is one component of a path. The parts before and after an `@` are looked at each,
/// because hosts split names there (Dovecot's `%n` and `%d`).
fn names_one_directory(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(['/', '\0'])
        && name.split('@').all(|part| !matches!(part, "." | ".."))
}

#[cfg(test)]
mod tests {
    use hallpass_core::Identity;

    use super::*;

    fn granted(name: &str) -> Verdict {
        Verdict::Granted(Box::new(Identity {
            name: name.to_owned(),
            ..Identity::default()
        }))
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_nobodys_typed_or_stored() {
        for name in [
            "",
            ".",
            "..",
            "/",
            "a/b",
            "../alice",
            "/etc",
            "alice/",
            "a\0b",
            "..@example.org",
            "alice@..",
            "alice@.",
            ".@.",
        ] {
            let denied = |verdict| matches!(verdict, Verdict::Denied(Reason::Malformed));
            assert!(denied(for_paths(granted(name), Some("alice"))), "{name:?}");
            assert!(denied(for_paths(granted("alice"), Some(name))), "{name:?}");
            assert!(denied(for_paths(granted(name), None)), "{name:?}");
        }
    }

    #[test]
    fn other_names_are_let_in() {
        for name in [
            "alice",
            "...",
            ".alice",
            "a.b",
            "alice@example.org",
            "zoë smith",
            "~",
            "\\",
        ] {
            let verdict = for_paths(granted(name), Some(name));
            assert!(matches!(verdict, Verdict::Granted(_)), "{name:?}");
        }
        let denied = for_paths(Verdict::Denied(Reason::WrongPassword), Some(".."));
        assert!(matches!(denied, Verdict::Denied(Reason::WrongPassword)));
    }
}
