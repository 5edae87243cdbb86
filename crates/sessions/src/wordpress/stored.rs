//! Reads what WordPress keeps serialized: session tokens, capabilities, roles, application passwords.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::hexadecimal::hexadecimal;
use crate::php::{Data, DataKey, Scalar};

/// What `maybe_unserialize` makes of a stored text, where that is an array.
fn array(stored: &str) -> Option<Vec<(DataKey, Data)>> {
    Data::unserialize(stored.trim().as_bytes())
        .ok()?
        .into_array()
}

/// The last second of the session that `token` names, in Unix seconds; `None` where `stored`, the
/// account's `session_tokens`, has no such session. Before 4.0.1 an end stood alone in the place of
/// an array with it.
#[must_use]
pub fn session_end(stored: &str, token: &str) -> Option<i64> {
    let verifier = hexadecimal(&Sha256::digest(token));
    let sessions = array(stored)?.into_iter().rev();
    let mut found = sessions.filter_map(|(key, session)| match key {
        DataKey::Text(text) if text == verifier.as_bytes() => Some(session),
        _ => None,
    });
    let session = found.next()?;
    match session.get("expiration").unwrap_or(&session) {
        Data::Scalar(Scalar::Integer(end)) => Some(*end),
        Data::Scalar(Scalar::Text(text)) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

/// The texts of a list, such as the logins in `site_admins`.
#[must_use]
pub fn list(stored: &str) -> Vec<String> {
    let values = array(stored).unwrap_or_default().into_iter();
    values
        .filter_map(|(_, value)| value.as_text().map(str::to_owned))
        .collect()
}

/// The keys of an array, such as the plug-ins in `active_sitewide_plugins`.
#[must_use]
pub fn keys(stored: &str) -> Vec<String> {
    let elements = array(stored).unwrap_or_default().into_iter();
    elements.filter_map(|(key, _)| key.into_text()).collect()
}

/// Whether an array, such as the network's `menu_items`, has something under `key` that is not empty.
#[must_use]
pub fn is_set(stored: &str, key: &str) -> bool {
    let elements = array(stored).unwrap_or_default().into_iter().rev();
    let mut named = elements.filter(|(name, _)| name.clone().into_text().as_deref() == Some(key));
    named.next().is_some_and(|(_, value)| value.is_true())
}

/// The hashes of an account's application passwords.
#[must_use]
pub fn application_passwords(stored: &str) -> Vec<String> {
    let items = array(stored).unwrap_or_default().into_iter();
    items
        .filter_map(|(_, item)| item.get("password")?.as_text().map(str::to_owned))
        .collect()
}

/// The roles of a site: which capabilities each has, or lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles(BTreeMap<String, Flags>);

type Flags = BTreeMap<String, bool>;

impl Roles {
    /// Reads the option `wp_user_roles`.
    #[must_use]
    pub fn read(stored: &str) -> Self {
        let role = |(key, role): (DataKey, Data)| {
            let capabilities = role.get("capabilities").cloned().and_then(Data::into_array);
            Some((key.into_text()?, flags(capabilities.unwrap_or_default())))
        };
        Self(
            array(stored)
                .unwrap_or_default()
                .into_iter()
                .filter_map(role)
                .collect(),
        )
    }

    /// The names of all roles.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        self.0.into_keys().collect()
    }
}

/// The roles of an account, and what they and the account's own capabilities allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The names of its roles, in the order in which they were given to it.
    pub roles: Vec<String>,
    allowed: Flags,
}

impl Capabilities {
    /// Reads the account's `wp_capabilities`, where the site has these `roles`
    /// (`WP_User::get_role_caps`). A later role, and the account's own capabilities at last, take
    /// away what an earlier one gave.
    #[must_use]
    pub fn read(stored: &str, roles: &Roles) -> Self {
        let mut read = Self::default();
        let own = array(stored).unwrap_or_default();
        for (key, _) in &own {
            let Some(name) = key.clone().into_text() else {
                continue;
            };
            if let Some(role) = roles.0.get(&name) {
                read.allowed.extend(role.clone());
                read.roles.push(name);
            }
        }
        read.allowed.extend(flags(own));
        read
    }

    /// Whether the account has this capability itself, without any that WordPress asks for instead.
    #[must_use]
    pub fn allow(&self, capability: &str) -> bool {
        match capability {
            // Everybody may exist, and nobody may do what is forbidden.
            "exist" => true,
            "do_not_allow" => false,
            _ => self.allowed.get(capability).is_some_and(|allowed| *allowed),
        }
    }
}

fn flags(elements: Vec<(DataKey, Data)>) -> Flags {
    let flag = |(key, value): (DataKey, Data)| Some((key.into_text()?, value.is_true()));
    elements.into_iter().filter_map(flag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SHA-256 of `token`.
    const VERIFIER: &str = "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0";

    #[test]
    fn sessions_of_both_ages_end() {
        let new = format!(
            "a:1:{{s:64:\"{VERIFIER}\";a:2:{{s:10:\"expiration\";i:7;s:2:\"ip\";s:1:\"x\";}}}}"
        );
        let text = format!("a:1:{{s:64:\"{VERIFIER}\";a:1:{{s:10:\"expiration\";s:1:\"7\";}}}}");
        let old = format!("a:1:{{s:64:\"{VERIFIER}\";i:7;}}");
        let twice = format!("a:2:{{s:64:\"{VERIFIER}\";i:9;s:64:\"{VERIFIER}\";i:7;}}");
        for stored in [&new, &text, &old, &twice, &format!(" {old}\n")] {
            assert_eq!(session_end(stored, "token"), Some(7), "{stored}");
            assert_eq!(session_end(stored, "Token"), None, "{stored}");
        }
        for stored in [
            String::new(),
            "a:0:{}".to_owned(),
            VERIFIER.to_owned(),
            old.replace(VERIFIER, &VERIFIER.to_uppercase()),
            format!("a:1:{{i:0;s:64:\"{VERIFIER}\";}}"),
            format!("a:1:{{s:64:\"{VERIFIER}\";b:1;}}"),
            format!("a:1:{{s:64:\"{VERIFIER}\";a:1:{{s:10:\"expiration\";a:0:{{}}}}}}"),
            format!("a:1:{{s:64:\"{VERIFIER}\";O:8:\"stdClass\":1:{{s:10:\"expiration\";i:7;}}}}"),
            format!("O:8:\"stdClass\":1:{{s:64:\"{VERIFIER}\";i:7;}}"),
            format!("{old}x"),
            old.replace("a:1:", "a:2:"),
        ] {
            assert_eq!(session_end(&stored, "token"), None, "{stored}");
        }
    }

    #[test]
    fn capabilities_are_those_of_the_roles_and_the_accounts_own() {
        let roles = Roles::read(
            "a:2:{s:6:\"editor\";a:2:{s:4:\"name\";s:6:\"Editor\";s:12:\"capabilities\";a:2:{\
             s:4:\"read\";b:1;s:10:\"edit_posts\";b:1;}}s:4:\"lamb\";a:2:{s:4:\"name\";s:1:\"L\";\
             s:12:\"capabilities\";a:1:{s:10:\"edit_posts\";b:0;}}}",
        );
        assert_eq!(roles.clone().names(), ["editor", "lamb"]);
        for (stored, names, can, cannot) in [
            (
                "a:1:{s:6:\"editor\";b:1;}",
                vec!["editor"],
                "edit_posts",
                "lamb",
            ),
            // Also a role that is taken away by false counts: its capabilities are looked at.
            (
                "a:1:{s:6:\"editor\";b:0;}",
                vec!["editor"],
                "edit_posts",
                "editor",
            ),
            (
                "a:2:{s:6:\"editor\";b:1;s:10:\"edit_posts\";b:0;}",
                vec!["editor"],
                "editor",
                "edit_posts",
            ),
            (
                "a:2:{s:6:\"editor\";b:1;s:4:\"lamb\";b:1;}",
                vec!["editor", "lamb"],
                "read",
                "edit_posts",
            ),
            ("a:1:{s:5:\"extra\";i:1;}", vec![], "extra", "read"),
            ("a:1:{s:5:\"nobod\";b:1;}", vec![], "nobod", "do_not_allow"),
            ("", vec![], "exist", "read"),
            ("editor", vec![], "exist", "editor"),
        ] {
            let found = Capabilities::read(stored, &roles);
            assert_eq!(found.roles, names, "{stored}");
            assert!(found.allow(can) && !found.allow(cannot), "{stored}");
        }
    }

    #[test]
    fn lists_hold_texts_alone() {
        assert_eq!(list("a:2:{i:0;s:5:\"admin\";i:1;i:7;}"), ["admin"]);
        for stored in [
            "",
            "admin",
            "s:5:\"admin\";",
            "a:1:{i:0;a:1:{i:0;s:1:\"a\";}}",
        ] {
            assert!(list(stored).is_empty(), "{stored}");
        }
        let item = "a:1:{i:0;a:2:{s:4:\"uuid\";s:1:\"u\";s:8:\"password\";s:3:\"$P$\";}}";
        assert_eq!(application_passwords(item), ["$P$"]);
        assert!(application_passwords("a:1:{i:0;s:3:\"$P$\";}").is_empty());
    }
}
