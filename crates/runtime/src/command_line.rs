//! The options that every program has.

use std::path::PathBuf;

use hallpass_core::Configuration;
use hallpass_core::configuration::Error;

/// The options that every program has.
#[derive(Clone, Debug, clap::Args)]
pub struct CommandLine {
    /// The site's configuration [default: /etc/hallpass/hallpass.toml]
    #[arg(
        long,
        value_name = "FILE",
        env = "HALLPASS_CONFIG",
        global = true,
        hide_env_values = true
    )]
    pub config: Option<PathBuf>,
    /// Read the configuration and what it names, say what is wrong with it, and end
    #[arg(long, global = true)]
    pub check_config: bool,
}

impl CommandLine {
    /// The configuration's file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Configuration::find(self.config.as_deref())
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// What is wrong with it, naming file, line and key.
    pub fn configuration(&self) -> Result<Configuration, Error> {
        Configuration::load(&self.path())
    }

    /// Does what `--check-config` says: prints what is wrong with the configuration, or that
    /// nothing is, and gives the program's exit code for it.
    #[must_use]
    pub fn check(&self, wrong: u8) -> std::process::ExitCode {
        match self.configuration() {
            Ok(configuration) => {
                for warning in &configuration.warnings {
                    eprintln!("warning: {warning}");
                }
                eprintln!(
                    "{}: the configuration is good",
                    configuration.path.display()
                );
                std::process::ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error}");
                wrong.into()
            }
        }
    }
}
