//! Names the site's tables: behind one prefix, or behind one for each table.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::quoted_table;

/// The longest prefix of table names.
const LONGEST: usize = 64;

/// The prefix of the site's tables, as `$databases` of settings.php has it: text, or an array with
/// the key `default` and one for each table that has another.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(untagged)]
pub(super) enum Prefix {
    /// Of all tables.
    All(String),
    /// Of each, by its name.
    Each(BTreeMap<String, String>),
}

impl Default for Prefix {
    fn default() -> Self {
        Self::All(String::new())
    }
}

impl Prefix {
    /// Whether each prefix is one that a statement can name: letters, digits and underscores, behind
    /// the name of another database or schema and a dot.
    pub(super) fn is_valid(&self) -> bool {
        let valid = |prefix: &String| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let mut parts = prefix.splitn(2, '.');
            let (first, second) = (parts.next().unwrap_or_default(), parts.next());
            prefix.len() <= LONGEST
                && first.bytes().all(plain)
                && second.is_none_or(|rest| !first.is_empty() && rest.bytes().all(plain))
        };
        match self {
            Self::All(prefix) => valid(prefix),
            Self::Each(prefixes) => prefixes.values().all(valid),
        }
    }

    /// Whether no table has one.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::All(prefix) => prefix.is_empty(),
            Self::Each(prefixes) => prefixes.values().all(String::is_empty),
        }
    }

    /// The full name of the table `name`, without quotes.
    pub(super) fn name(&self, name: &str) -> String {
        let prefix = match self {
            Self::All(prefix) => prefix,
            Self::Each(prefixes) => {
                let own = prefixes.get(name);
                match own.or_else(|| prefixes.get("default")) {
                    Some(prefix) => prefix,
                    None => "",
                }
            }
        };
        format!("{prefix}{name}")
    }

    /// The table `name`, as a statement names it.
    pub(super) fn table(&self, name: &str) -> String {
        quoted_table(&self.name(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(prefixes: &[(&str, &str)]) -> Prefix {
        let prefixes = prefixes.iter();
        Prefix::Each(
            prefixes
                .map(|(name, prefix)| ((*name).to_owned(), (*prefix).to_owned()))
                .collect(),
        )
    }

    /// As `Connection::setPrefix` and `prefixTables` of Drupal 7 to 9.
    #[test]
    fn each_table_may_have_its_own_prefix() {
        let one = Prefix::All("d7_".to_owned());
        assert_eq!(one.name("users"), "d7_users");
        let several = each(&[
            ("default", "main_"),
            ("users", "shared_"),
            ("sessions", "other.s_"),
        ]);
        assert_eq!(several.name("role"), "main_role");
        assert_eq!(several.name("users"), "shared_users");
        assert_eq!(several.table("sessions"), "\"other\".\"s_sessions\"");
        assert_eq!(each(&[("users", "shared_")]).name("role"), "role");
        assert_eq!(Prefix::default().table("users"), "\"users\"");
    }

    #[test]
    fn what_no_statement_can_name_is_refused() {
        for prefix in ["", "a_", "A9_", "other.", "other.b_"] {
            assert!(Prefix::All(prefix.to_owned()).is_valid(), "{prefix}");
        }
        let long = "a".repeat(65);
        for prefix in [
            ".", ".a", "a.b.c", "a b", "a\"", "a`", "é", "a;", "a-", &long,
        ] {
            assert!(!Prefix::All(prefix.to_owned()).is_valid(), "{prefix}");
            assert!(!each(&[("users", prefix)]).is_valid(), "{prefix}");
        }
    }
}
