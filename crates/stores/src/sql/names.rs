//! Quotes the names of tables and columns, and compares names of accounts without their case.

/// `name` with its case folded: full folding, so that `ß` equals `SS`.
#[must_use]
pub fn fold_case(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

/// `name` as a quoted identifier, for a table or column that a configuration names. `None` when
/// no database could have an identifier like it: it is empty, longer than 128 bytes, or holds a
/// control character. A dot is a part of the name, not a separator.
#[must_use]
pub fn identifier(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
        return None;
    }
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for character in name.chars() {
        if character == '"' {
            quoted.push('"');
        }
        quoted.push(character);
    }
    quoted.push('"');
    Some(quoted)
}

/// The name that an [`identifier`] quotes.
#[must_use]
pub fn unquoted(identifier: &str) -> String {
    let inner = identifier.strip_prefix('"').unwrap_or(identifier);
    inner
        .strip_suffix('"')
        .unwrap_or(inner)
        .replace("\"\"", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_quoted() {
        assert_eq!(identifier("auth_user").as_deref(), Some("\"auth_user\""));
        assert_eq!(identifier("a\"; DROP").as_deref(), Some("\"a\"\"; DROP\""));
        for name in ["auth_user", "a\"b", "\"", "\"\""] {
            assert_eq!(unquoted(&identifier(name).unwrap()), name);
        }
        assert_eq!(identifier(""), None);
        assert_eq!(identifier("a\0b"), None);
        assert_eq!(identifier(&"a".repeat(129)), None);
    }

    #[test]
    fn folding_is_full() {
        assert_eq!(fold_case("STRASSE"), fold_case("straße"));
        assert_eq!(fold_case("ZOË"), fold_case("zoë"));
        assert_ne!(fold_case("zoe"), fold_case("zoë"));
    }
}
