//! Keeps a long-running helper in service while its configuration is wrong, and reads it again when
//! it changes.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use hallpass_core::configuration;
use hallpass_core::{Configuration, Unavailable};

use crate::command_line::asks_for_help;
use crate::{CommandLine, Log, SiteClient};

/// How old a change must be to count: a file that is being written may lack its last lines, and with
/// them a condition.
const SETTLED: Duration = Duration::from_secs(1);

/// A helper's log, and the client of its site. A configuration that cannot be read is read again at
/// the next request, and one that can be read once its files have changed.
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
    /// Its files as they were when they were last read.
    read: Vec<Stamp>,
}

/// A file's modification time and size; `None` where there is no such file.
type Stamp = Option<(SystemTime, u64)>;

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

    /// The client that asks about the site. A configuration that has become wrong is logged, and the
    /// one before it stays in force.
    ///
    /// # Errors
    /// [`Unavailable`] while no configuration has been read.
    pub fn site(&mut self) -> Result<&mut SiteClient, Unavailable> {
        let common = self.command_line.as_ref().map_err(Unavailable::clone)?;
        // A change that may be the mend is worth waiting for.
        if let Some(rest) = self.open.as_ref().and_then(Open::settles_in) {
            thread::sleep(rest);
        }
        let now = SystemTime::now();
        let open = match self.open.take() {
            Some(open) if !open.is_outdated(now) => open,
            before => match (common.configuration(), before) {
                (Ok(mut configuration), before) => {
                    self.log = Log::new(self.program, configuration.log);
                    for warning in &configuration.warnings {
                        self.log.warning(warning);
                    }
                    (self.adapt)(&mut configuration);
                    Open::new(configuration, self.program, now, before)
                }
                (Err(error), None) => return Err(Unavailable::new(error.to_string())),
                (Err(error), Some(before)) => {
                    let message = format!("{error}; the old configuration stays in force");
                    self.log.error(&message);
                    before.seen(now)
                }
            },
        };
        Ok(&mut self.open.insert(open).client)
    }

    /// The configuration in use; `None` while it cannot be read.
    #[must_use]
    pub fn configuration(&self) -> Option<&Configuration> {
        self.open.as_ref().map(|open| &*open.client.configuration)
    }
}

impl Open {
    /// What was read at the time `now`, in place of what was open `before`.
    fn new(
        configuration: Configuration,
        program: &'static str,
        now: SystemTime,
        before: Option<Self>,
    ) -> Self {
        let client = SiteClient::new(Arc::new(configuration), program);
        let client = match &before {
            Some(before) => client.succeeding(&before.client),
            None => client,
        };
        let read = Vec::new();
        Self { client, read }.seen(now)
    }

    /// The same, whose files were read at the time `now`. One that was changed just before may have
    /// been read in part, or before its last change: it counts as changed once it has settled.
    fn seen(self, now: SystemTime) -> Self {
        let settled = |stamp: &(SystemTime, u64)| !is_unsettled(stamp, now);
        let read = self.stamps().map(|it| it.filter(settled)).collect();
        Self { read, ..self }
    }

    /// Whether a file has changed, and the change counts at the time `now`.
    fn is_outdated(&self, now: SystemTime) -> bool {
        let unsettled = |stamp: Stamp| stamp.is_some_and(|stamp| is_unsettled(&stamp, now));
        let mut changed = self.changed().peekable();
        changed.peek().is_some() && !changed.any(unsettled)
    }

    /// How long it takes until a change counts, where the site could not be asked before it.
    fn settles_in(&self) -> Option<Duration> {
        if !self.client.failing {
            return None;
        }
        let youngest = self
            .changed()
            .flatten()
            .map(|(modified, _)| modified)
            .max()?;
        let age = youngest.elapsed().unwrap_or_default();
        SETTLED.checked_sub(age).filter(|rest| !rest.is_zero())
    }

    /// The files that are not as they were read.
    fn changed(&self) -> impl Iterator<Item = Stamp> {
        let pairs = self.stamps().zip(&self.read);
        pairs.filter_map(|(stamp, read)| (stamp != *read).then_some(stamp))
    }

    fn stamps(&self) -> impl Iterator<Item = Stamp> {
        self.client.configuration.files.iter().map(|it| stamp(it))
    }
}

/// Whether a file was changed so shortly before `now` that more may be written into it.
fn is_unsettled((modified, _): &(SystemTime, u64), now: SystemTime) -> bool {
    now.duration_since(*modified)
        .map_or_else(|ahead| ahead.duration() < SETTLED, |age| age < SETTLED)
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

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
