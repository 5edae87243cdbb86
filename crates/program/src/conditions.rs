//! Conditions on the command line, for hosts that have no other way to say them.

use hallpass_core::{Conditions, Requirement};

/// What an account must be, on top of a valid credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct ConditionArguments {
    /// The account must be in this group; given several times, in any of them. perm:app.codename,
    /// is:staff and is:superuser may stand where a group's name does
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// The account must hold this permission; given several times, all of them
    #[arg(long = "permission", value_name = "APP.CODENAME")]
    pub permissions: Vec<String>,
}

impl From<ConditionArguments> for Conditions {
    fn from(arguments: ConditionArguments) -> Self {
        let permissions = arguments.permissions.into_iter();
        Self {
            any: arguments.groups.into_iter().map(requirement).collect(),
            all: permissions.map(Requirement::Permission).collect(),
        }
    }
}

/// What `word` asks for: a group of this name, unless it is `perm:app.codename`, `is:staff` or
/// `is:superuser`.
#[must_use]
pub fn requirement(word: String) -> Requirement {
    match word.split_once(':') {
        Some(("perm", permission)) => Requirement::Permission(permission.to_owned()),
        Some(("is", "staff")) => Requirement::Staff,
        Some(("is", "superuser")) => Requirement::Superuser,
        _ => Requirement::Group(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_any_and_permissions_all() {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        let arguments = ConditionArguments {
            groups: words(&[
                "a b",
                "is:staff",
                "is:superuser",
                "perm:x.y",
                "is:else",
                "perm",
            ]),
            permissions: words(&["news.add_story", "news.edit:story"]),
        };
        let conditions = Conditions::from(arguments);
        assert_eq!(
            conditions.any,
            [
                Requirement::Group("a b".into()),
                Requirement::Staff,
                Requirement::Superuser,
                Requirement::Permission("x.y".into()),
                Requirement::Group("is:else".into()),
                Requirement::Group("perm".into()),
            ]
        );
        assert_eq!(
            conditions.all,
            ["news.add_story", "news.edit:story"]
                .map(|permission| Requirement::Permission(permission.into()))
        );
    }
}
