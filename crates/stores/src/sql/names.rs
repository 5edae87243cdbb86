//! Quotes the names of tables and columns, and compares names of accounts without their case.

/// `name` with its case folded: full folding, so that `ß` equals `SS`.
#[must_use]
pub fn fold_case(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

/// `name` as a quoted identifier, for a table or column that a configuration names. `None` when
/// no database could have an identifier like it: it is empty, longer than 128 bytes, or holds a
/// control character. A dot is a part of the name, not a separator: see [`TableName`] for tables.
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

/// The name of a table, which may be in a schema that the name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// The schema; `None` where the database finds it by its own rules.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
}

impl TableName {
    /// Reads `table` or `schema.table`. A part in double quotes is taken as it is, with its dots, and
    /// a quote in it is doubled. `None` for what no table could be called.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (first, rest) = part(text)?;
        let (schema, table) = match rest {
            None => (None, first),
            Some(rest) => match part(rest)? {
                (table, None) => (Some(first), table),
                (_, Some(_)) => return None,
            },
        };
        let valid = |name: &String| identifier(name).is_some();
        (valid(&table) && schema.iter().all(valid)).then_some(Self { schema, table })
    }

    /// The table whose name is this one's and `suffix`, in the same schema.
    #[must_use]
    pub fn with_suffix(&self, suffix: &str) -> Self {
        Self {
            schema: self.schema.clone(),
            table: format!("{}{suffix}", self.table),
        }
    }

    /// As a statement names it.
    #[must_use]
    pub fn quoted(&self) -> String {
        let parts = self.schema.iter().chain([&self.table]);
        let parts: Vec<String> = parts.filter_map(|part| identifier(part)).collect();
        parts.join(".")
    }
}

/// As a configuration writes it, and as it is [parsed](TableName::parse).
impl std::fmt::Display for TableName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, part) in self.schema.iter().chain([&self.table]).enumerate() {
            let dot = if index == 0 { "" } else { "." };
            match part.contains(['.', '"']) {
                true => write!(formatter, "{dot}{}", identifier(part).unwrap_or_default())?,
                false => write!(formatter, "{dot}{part}")?,
            }
        }
        Ok(())
    }
}

/// The first part of a path, and what follows the dot after it.
fn part(text: &str) -> Option<(String, Option<&str>)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return Some(match text.split_once('.') {
            Some((part, rest)) => (part.to_owned(), Some(rest)),
            None => (text.to_owned(), None),
        });
    };
    let (mut part, mut rest) = (String::new(), quoted);
    loop {
        let (before, after) = rest.split_once('"')?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                part.push('"');
                rest = after;
            }
            None if after.is_empty() => return Some((part, None)),
            None => return Some((part, Some(after.strip_prefix('.')?))),
        }
    }
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
    fn tables_may_be_in_schemas() {
        for (text, quoted, shown) in [
            ("auth_user", "\"auth_user\"", "auth_user"),
            ("crm.people", "\"crm\".\"people\"", "crm.people"),
            ("\"Site\".\"people\"", "\"Site\".\"people\"", "Site.people"),
            ("\"crm.people\"", "\"crm.people\"", "\"crm.people\""),
            ("crm.\"a.b\"", "\"crm\".\"a.b\"", "crm.\"a.b\""),
            ("\"a\"\"b\"", "\"a\"\"b\"", "\"a\"\"b\""),
            ("a\"b", "\"a\"\"b\"", "\"a\"\"b\""),
        ] {
            let name = TableName::parse(text).unwrap();
            assert_eq!(name.quoted(), quoted, "{text}");
            assert_eq!(name.to_string(), shown, "{text}");
            assert_eq!(TableName::parse(shown), Some(name), "{text}");
        }
        let groups = TableName::parse("\"S\".\"people\"")
            .unwrap()
            .with_suffix("_groups");
        assert_eq!(groups.quoted(), "\"S\".\"people_groups\"");
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a.b.c",
            "\"a",
            "\"a\"b",
            "\"a\".\"b",
            "\"\"",
            "\"\".a",
            "a..b",
            "a\0b",
            "\"a\".\"b\".\"c\"",
        ] {
            assert_eq!(TableName::parse(text), None, "{text}");
        }
        assert_eq!(TableName::parse(&"a".repeat(129)), None);
    }

    #[test]
    fn folding_is_full() {
        assert_eq!(fold_case("STRASSE"), fold_case("straße"));
        assert_eq!(fold_case("ZOË"), fold_case("zoë"));
        assert_ne!(fold_case("zoe"), fold_case("zoë"));
    }
}
