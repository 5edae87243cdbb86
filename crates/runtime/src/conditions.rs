//! Conditions on the command line, for hosts that have no other way to say them.

use hallpass_core::{Conditions, InvalidCondition, Requirement};

/// What an account must be, on top of a valid credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct ConditionArguments {
    /// The account must be in this group; given several times, in any of them. perm:app.codename,
    /// is:staff and is:superuser may stand where a group's name does
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<Requirement>,
    /// The account must hold this permission; given several times, all of them
    #[arg(long = "permission", value_name = "APP.CODENAME", value_parser = permission)]
    pub permissions: Vec<Requirement>,
}

impl From<ConditionArguments> for Conditions {
    fn from(arguments: ConditionArguments) -> Self {
        Self {
            any: arguments.groups,
            all: arguments.permissions,
        }
    }
}

/// Reads the name of a permission on a command line.
///
/// # Errors
/// [`InvalidCondition`] when it cannot be one.
pub fn permission(name: &str) -> Result<Requirement, InvalidCondition> {
    Requirement::permission(name)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        conditions: ConditionArguments,
    }

    fn parsed(words: &[&str]) -> Result<Conditions, clap::Error> {
        let options = Options::try_parse_from([&["program"], words].concat())?;
        Ok(options.conditions.into())
    }

    #[test]
    fn groups_are_any_and_permissions_all() {
        let conditions = parsed(&[
            "--group=a b",
            "--group=is:staff",
            "--group=perm:x.y",
            "--permission=news.add_story",
            "--permission=news.edit:story",
        ]);
        let permission = |name: &str| Requirement::Permission(name.into());
        let expected = Conditions {
            any: vec![
                Requirement::Group("a b".into()),
                Requirement::Staff,
                permission("x.y"),
            ],
            all: vec![permission("news.add_story"), permission("news.edit:story")],
        };
        assert_eq!(conditions.unwrap(), expected);
    }

    #[test]
    fn a_word_that_is_not_understood_stops_the_program() {
        for word in ["--group=is:staf", "--group=perm:", "--permission=shop."] {
            assert!(parsed(&[word]).is_err(), "{word}");
        }
    }
}
