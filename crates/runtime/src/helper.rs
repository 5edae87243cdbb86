//! Keeps a long-running helper in service while its configuration is wrong.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use hallpass_core::configuration;
use hallpass_core::{Configuration, Unavailable};

use crate::command_line::asks_for_help;
use crate::{CommandLine, Log, SiteClient};

/// A helper's log, and the client of its site. A configuration that cannot be read is read again at
/// the next request, and one whose last request was unavailable once the file has changed.
#[derive(Debug)]
pub struct Helper {
    program: &'static str,
    /// The command line, or why it cannot be used.
    command_line: Result<CommandLine, Unavailable>,
    /// Adapts a configuration to the program's needs.
    adapt: fn(&mut Configuration),
    /// The log.
    pub log: Log,
    open: Option<Open>,
}

/// A configuration that has been read.
#[derive(Debug)]
struct Open {
    client: SiteClient,
    /// The file's modification time and size when it was read.
    file: Option<(SystemTime, u64)>,
}

impl Helper {
    /// Reads the configuration for `program`, and logs what is wrong with it.
    ///
    /// A command line that cannot be used ends the program only if it asks for help, or was typed
    /// at a terminal: hosts give up a helper that ends again and again. Otherwise all verdicts are
    /// unavailable.
    #[must_use]
    pub fn new(
        program: &'static str,
        command_line: Result<CommandLine, clap::Error>,
        adapt: fn(&mut Configuration),
    ) -> Self {
        let mut helper = Self {
            program,
            command_line: command_line.map_err(unusable),
            adapt,
            log: Log::new(program, configuration::Log::default()),
            open: None,
        };
        if let Err(unavailable) = helper.site() {
            helper.log.error(&unavailable.to_string());
        }
        helper
    }

    /// The client that asks about the site.
    ///
    /// # Errors
    /// [`Unavailable`] while the configuration cannot be read.
    pub fn site(&mut self) -> Result<&mut SiteClient, Unavailable> {
        let common = self.command_line.as_ref().map_err(Unavailable::clone)?;
        let file = stamp(&common.path());
        let open = match self.open.take() {
            Some(open) if !open.client.failing || open.file == file => open,
            _ => {
                let mut configuration = common
                    .configuration()
                    .map_err(|error| Unavailable::new(error.to_string()))?;
                self.log = Log::new(self.program, configuration.log);
                for warning in &configuration.warnings {
                    self.log.warning(warning);
                }
                (self.adapt)(&mut configuration);
                let client = SiteClient::new(Arc::new(configuration), self.program);
                Open { client, file }
            }
        };
        Ok(&mut self.open.insert(open).client)
    }

    /// The configuration in use; `None` while it cannot be read.
    #[must_use]
    pub fn configuration(&self) -> Option<&Configuration> {
        self.open.as_ref().map(|open| &*open.client.configuration)
    }
}

fn unusable(error: clap::Error) -> Unavailable {
    if asks_for_help(&error) || std::io::stdin().is_terminal() {
        error.exit();
    }
    // The first line names the wrong word; usage follows.
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let message = first.trim_start_matches("error: ");
    Unavailable::new(format!("the command line: {message}"))
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
