//! Names as SASL hosts write them.

/// The site's own name of whom a host calls `name`: without its realm, where that is one of
/// `realms`, which add nothing to a name. The host goes on with `name`, so that must not mean another
/// account.
pub fn without_realm<'a>(name: &'a str, realms: &[String]) -> &'a str {
    match name.rsplit_once('@') {
        Some((local, realm)) if realms.iter().any(|known| known.eq_ignore_ascii_case(realm)) => {
            local
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_realms_are_taken_off() {
        let realms = ["example.org".to_owned()];
        for (name, local) in [
            ("alice", "alice"),
            ("alice@example.org", "alice"),
            ("alice@EXAMPLE.org", "alice"),
            ("alice@example.org@example.org", "alice@example.org"),
            ("alice@example.com", "alice@example.com"),
            ("alice@mail.example.org", "alice@mail.example.org"),
            ("alice@", "alice@"),
            ("@example.org", ""),
        ] {
            assert_eq!(without_realm(name, &realms), local, "{name}");
        }
        assert_eq!(without_realm("alice@example.org", &[]), "alice@example.org");
    }
}
