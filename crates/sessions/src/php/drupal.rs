//! Reads what Drupal 8 to 11 keeps in PHP's formats: who is logged in to a session, and the active
//! configuration of roles and modules.
//!
//! | what | where | written by |
//! |---|---|---|
//! | a session | column `session` of `sessions` | PHP's session handler, `php` unless php.ini says otherwise |
//! | a role | `data` of the row `user.role.ID` in `config` | `serialize` |
//! | the list of modules | `data` of the row `core.extension` | `serialize` |
//!
//! Drupal 7 has the account in a column of its own, and no session is read there.
//!
//! Sources: core/modules/user/src/Authentication/Provider/Cookie.php (`getUserFromSession`),
//! core/modules/user/src/Entity/Role.php and core/lib/Drupal/Core/Config/DatabaseStorage.php of
//! 10.3, and a recorded site of 10.3.10.

use super::find;
use super::path::{Key, integer};
use super::session::Handler;
use super::tree::{self, Failure, Id, Tree, Value};
use crate::Invalid;

/// A role, as far as it grants permissions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// Whether it holds every permission.
    pub is_admin: bool,
    /// The permissions that it holds.
    pub permissions: Vec<Vec<u8>>,
}

/// The account that is logged in to `session`; `None` for a visitor.
///
/// # Errors
/// [`Invalid`] when the session cannot be read as a whole, or names an account in another form than
/// Drupal does: a whole number, or text that is one.
pub fn user(session: &[u8]) -> Result<Option<i64>, Invalid> {
    let found = find::read(session, None, |tree| {
        let Some(attributes) = child(tree, 0, b"_sf2_attributes")? else {
            return Ok(None);
        };
        let Some(uid) = child(tree, attributes, b"uid")? else {
            return Ok(None);
        };
        let uid = match tree.node(uid).map(|node| node.value) {
            Some(Value::Null | Value::Boolean(false)) => return Ok(None),
            Some(Value::Integer(number)) => Some(number.integer()),
            Some(Value::Text(text)) if tree.bytes(text).is_empty() => return Ok(None),
            Some(Value::Text(text)) => integer(tree.bytes(text)),
            _ => None,
        };
        match uid {
            Some(0) => Ok(None),
            Some(uid @ 1..) => Ok(Some(uid)),
            _ => Err(Failure::Broken("its uid is not the number of an account")),
        }
    });
    found.map(Option::flatten)
}

/// The role whose configuration `data` is.
///
/// # Errors
/// [`Invalid`] when it is not an array that PHP serialized.
pub fn role(data: &[u8]) -> Result<Role, Invalid> {
    let found = find::read(data, Some(Handler::PhpSerialize), |tree| {
        let is_admin = match child(tree, 0, b"is_admin")? {
            Some(id) => find::scalar(tree, id)?.is_true(),
            None => false,
        };
        let mut permissions = Vec::new();
        if let Some(list) = child(tree, 0, b"permissions")? {
            for (id, _) in tree.children(list) {
                let id = tree.resolve(id)?;
                if let Some(Value::Text(text)) = tree.node(id).map(|node| node.value) {
                    permissions.push(tree.bytes(text).to_vec());
                }
            }
        }
        Ok(Role {
            is_admin,
            permissions,
        })
    });
    found?.ok_or(EMPTY)
}

/// The names of the modules that `data`, the configuration `core.extension`, says are installed.
///
/// # Errors
/// [`Invalid`] when it is not an array that PHP serialized.
pub fn modules(data: &[u8]) -> Result<Vec<Vec<u8>>, Invalid> {
    let found = find::read(data, Some(Handler::PhpSerialize), |tree| {
        let Some(list) = child(tree, 0, b"module")? else {
            return Err(Failure::Broken("it lists no modules"));
        };
        let name = |(_, node): (Id, &tree::Node)| match node.key {
            tree::Key::Text(name) => Some(tree.bytes(name).to_vec()),
            _ => None,
        };
        Ok(tree.children(list).filter_map(name).collect())
    });
    found?.ok_or(EMPTY)
}

const EMPTY: Invalid = Invalid::Format("it is empty");

/// The value under `key` of the array `array`, a reference followed. `None` where `array` is
/// another value.
fn child(tree: &Tree<'_>, array: Id, key: &[u8]) -> Result<Option<Id>, Failure> {
    let Some(Value::Array) = tree.node(array).map(|node| node.value) else {
        return Ok(None);
    };
    let found = tree.element(array, &Key::new(key.to_vec()));
    found.map(|id| tree.resolve(id)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: &str = "_sf2_meta|a:4:{s:1:\"u\";i:1;s:1:\"c\";i:1;s:1:\"l\";i:2000000;s:1:\"s\";\
                        s:2:\"ab\";}";

    #[test]
    fn a_session_says_who_is_logged_in() {
        for (attributes, expected) in [
            ("a:1:{s:3:\"uid\";s:1:\"7\";}", Ok(Some(7))),
            ("a:1:{s:3:\"uid\";i:7;}", Ok(Some(7))),
            (
                "a:2:{s:1:\"x\";a:1:{s:3:\"uid\";i:9;}s:3:\"uid\";s:2:\"12\";}",
                Ok(Some(12)),
            ),
            (
                "a:2:{s:3:\"uid\";s:1:\"1\";s:3:\"uid\";s:1:\"2\";}",
                Ok(Some(2)),
            ),
            ("a:0:{}", Ok(None)),
            ("a:1:{s:3:\"uid\";i:0;}", Ok(None)),
            ("a:1:{s:3:\"uid\";s:1:\"0\";}", Ok(None)),
            ("a:1:{s:3:\"uid\";s:0:\"\";}", Ok(None)),
            ("a:1:{s:3:\"uid\";N;}", Ok(None)),
            ("a:1:{s:3:\"uid\";b:0;}", Ok(None)),
            ("a:1:{s:3:\"Uid\";i:7;}", Ok(None)),
            ("s:24:\"a:1:{s:3:\"uid\";s:1:\"7\";}\";", Ok(None)),
            ("O:8:\"stdClass\":1:{s:3:\"uid\";i:7;}", Ok(None)),
            ("a:1:{s:3:\"uid\";i:-1;}", Err(())),
            ("a:1:{s:3:\"uid\";b:1;}", Err(())),
            ("a:1:{s:3:\"uid\";d:1;}", Err(())),
            ("a:1:{s:3:\"uid\";s:2:\"01\";}", Err(())),
            ("a:1:{s:3:\"uid\";s:3:\"1 x\";}", Err(())),
            ("a:1:{s:3:\"uid\";s:5:\"1 or 1\";}", Err(())),
            ("a:1:{s:3:\"uid\";a:1:{i:0;i:1;}}", Err(())),
            ("a:1:{s:3:\"uid\";s:1:\"1\";", Err(())),
        ] {
            let session = format!("_sf2_attributes|{attributes}{META}");
            assert_eq!(
                user(session.as_bytes()).map_err(|_| ()),
                expected,
                "{attributes}"
            );
        }
        assert_eq!(user(b""), Ok(None));
        assert_eq!(user(META.as_bytes()), Ok(None));
        assert!(user(b"_sf2_attributes|").is_err());
        let serialized = b"a:1:{s:15:\"_sf2_attributes\";a:1:{s:3:\"uid\";s:1:\"3\";}}";
        assert_eq!(user(serialized), Ok(Some(3)));
    }

    #[test]
    fn a_role_says_what_it_permits() {
        let editor =
            b"a:5:{s:2:\"id\";s:6:\"editor\";s:5:\"label\";s:6:\"Editor\";s:6:\"weight\";i:2;\
            s:8:\"is_admin\";N;s:11:\"permissions\";a:2:{i:0;s:14:\"access content\";i:1;\
            s:16:\"administer nodes\";}}";
        let read = role(editor).unwrap();
        assert!(!read.is_admin);
        assert_eq!(
            read.permissions,
            [&b"access content"[..], b"administer nodes"]
        );
        for (text, expected) in [
            ("b:1;", true),
            ("i:1;", true),
            ("s:1:\"1\";", true),
            ("b:0;", false),
            ("s:1:\"0\";", false),
            ("a:0:{}", false),
        ] {
            let data = format!("a:1:{{s:8:\"is_admin\";{text}}}");
            assert_eq!(role(data.as_bytes()).unwrap().is_admin, expected, "{text}");
        }
        for data in [
            "",
            "b:0;",
            "i:1;",
            "a:1:{s:8:\"is_admin\";b:1;",
            "is_admin|b:1;",
        ] {
            assert!(role(data.as_bytes()).is_err(), "{data}");
        }
    }

    #[test]
    fn modules_are_the_keys_of_the_list() {
        let data =
            b"a:3:{s:5:\"_core\";a:0:{}s:6:\"module\";a:2:{s:4:\"node\";i:0;s:3:\"tfa\";i:5;}\
            s:5:\"theme\";a:1:{s:7:\"olivero\";i:0;}}";
        assert_eq!(modules(data).unwrap(), [&b"node"[..], b"tfa"]);
        for data in ["", "a:0:{}", "a:1:{s:5:\"theme\";a:0:{}}", "s:3:\"tfa\";"] {
            assert!(modules(data.as_bytes()).is_err(), "{data}");
        }
    }
}
