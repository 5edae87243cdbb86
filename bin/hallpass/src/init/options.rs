//! Declares the command line of `hallpass init`: a subcommand for each framework.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches, Subcommand};
use hallpass_sites::{FRAMEWORKS, Framework, chosen, commands};

/// A framework, and what was said about the site.
pub struct InitCommand {
    pub framework: &'static dyn Framework,
    pub arguments: ArgMatches,
    pub output: InitOutput,
}

#[derive(Debug, Args)]
pub struct InitOutput {
    /// The file to write [default: --config, else /etc/hallpass/hallpass.toml for root, and
    /// hallpass.toml in the current directory for others]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long)]
    pub force: bool,
    /// Add a table for hallpassd, which nginx, Caddy and other web servers ask
    #[arg(long)]
    pub daemon: bool,
    /// Write nothing, and show what has changed on the site since the file was written
    ///
    /// Exit codes: 0 nothing has changed; 1 something has; 2 they cannot be compared.
    #[arg(long, conflicts_with_all = ["force", "daemon"])]
    pub diff: bool,
}

impl Subcommand for InitCommand {
    fn augment_subcommands(command: Command) -> Command {
        command
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommands(commands(FRAMEWORKS).map(InitOutput::augment_args))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        FRAMEWORKS.iter().any(|framework| framework.name() == name)
    }
}

impl FromArgMatches for InitCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let missing = || Error::new(ErrorKind::MissingSubcommand);
        let (framework, arguments) = chosen(FRAMEWORKS, matches).ok_or_else(missing)?;
        Ok(Self {
            framework,
            arguments: arguments.clone(),
            output: InitOutput::from_arg_matches(arguments)?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl std::fmt::Debug for InitCommand {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.framework.name())
    }
}
