//! Defines the options that every program has, and the conditions that some have.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use hallpass_core::configuration::{DEFAULT_PATH, Error};
use hallpass_core::{Conditions, Configuration, InvalidCondition, Requirement};

/// The environment variable that names the configuration's file, unless `--config` does.
pub const CONFIG_VARIABLE: &str = "HALLPASS_CONFIG";

/// The options that every program has.
#[derive(Clone, Debug, clap::Args)]
pub struct CommandLine {
    /// The site's configuration [default: /etc/hallpass/hallpass.toml]
    #[arg(
        long,
        value_name = "FILE",
        env = CONFIG_VARIABLE,
        global = true,
        hide_env_values = true
    )]
    pub config: Option<PathBuf>,
    /// Check the configuration and the files that it names, report errors, and exit
    #[arg(long, global = true)]
    pub check_config: bool,
}

impl CommandLine {
    /// The configuration's file: by `--config`, else [`CONFIG_VARIABLE`], else [`DEFAULT_PATH`].
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let default = || DEFAULT_PATH.into();
        self.config.clone().unwrap_or_else(default)
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// [`Error`] that names file, line and key.
    pub fn configuration(&self) -> Result<Configuration, Error> {
        Configuration::load(&self.path())
    }

    /// Runs `--check-config`: prints the configuration's warnings and its error, if any. The exit
    /// code is 0, or `wrong` with an error.
    #[must_use]
    pub fn check(&self, wrong: u8) -> ExitCode {
        match self.configuration() {
            Ok(configuration) => {
                for warning in &configuration.warnings {
                    eprintln!("warning: {warning}");
                }
                eprintln!(
                    "{}: the configuration is good",
                    configuration.path.display()
                );
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error}");
                wrong.into()
            }
        }
    }
}

/// Prints clap's answer to a command line that does not start the program: help, the version, or an
/// error. The exit code of an error is `usage`.
#[must_use]
pub fn print_usage(error: &clap::Error, usage: u8) -> ExitCode {
    // Ignore a failed print: there is nowhere left to report it.
    drop(error.print());
    if asks_for_help(error) {
        ExitCode::SUCCESS
    } else {
        usage.into()
    }
}

/// Whether the command line asks for `--help` or `--version`.
pub(crate) fn asks_for_help(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    )
}

/// Conditions on an account beyond a valid credential, for hosts that have no other place for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct ConditionArguments {
    /// The account must be in this group; given several times, in any of them. perm:app.codename,
    /// is:staff and is:superuser may stand in for a group's name
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

/// Parses the name of a permission on a command line.
///
/// # Errors
/// [`InvalidCondition`] when it is not the name of a permission.
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
