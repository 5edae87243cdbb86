//! The site that is asked, whatever is wrong with its configuration just now.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hallpass_core::configuration;
use hallpass_core::{Configuration, Deadline, Question, Unavailable, Verdict};
use hallpass_program::{CommandLine, Log, Worker};

const PROGRAM: &str = "hallpass-squid";

/// Where the configuration comes from.
pub enum Source {
    File(CommandLine),
    /// The command line itself was wrong, in these words.
    Unusable(String),
}

/// The site, and the log. A configuration that cannot be read is tried again at each question, and
/// one with which nothing could be asked is read again once it is changed.
pub struct Site {
    source: Source,
    pub log: Log,
    open: Option<Open>,
}

/// A configuration that could be read.
pub struct Open {
    pub configuration: Arc<Configuration>,
    worker: Worker,
    /// The file as it was then: when it was changed, and its size.
    file: Option<(SystemTime, u64)>,
    /// Whether the last question could not be answered.
    failing: bool,
}

impl Site {
    /// Reads the configuration, and logs what is wrong with it.
    pub fn new(source: Source) -> Self {
        let mut site = Self {
            source,
            log: Log::new(PROGRAM, configuration::Log::default()),
            open: None,
        };
        if let Err(unavailable) = site.open() {
            site.log.error(&unavailable.to_string());
        }
        site
    }

    /// The site with its configuration.
    ///
    /// # Errors
    /// [`Unavailable`] when that cannot be read.
    pub fn open(&mut self) -> Result<&mut Open, Unavailable> {
        let common = match &self.source {
            Source::File(common) => common,
            Source::Unusable(message) => {
                return Err(Unavailable::new(format!("the command line: {message}")));
            }
        };
        let file = stamp(&common.path());
        let open = match self.open.take() {
            Some(open) if !open.failing || open.file == file => open,
            _ => {
                let configuration = common
                    .configuration()
                    .map_err(|error| Unavailable::new(error.to_string()))?;
                self.log = Log::new(PROGRAM, configuration.log);
                for warning in &configuration.warnings {
                    self.log.warning(warning);
                }
                let configuration = Arc::new(configuration);
                Open {
                    worker: Worker::new(Arc::clone(&configuration)),
                    configuration,
                    file,
                    failing: false,
                }
            }
        };
        Ok(self.open.insert(open))
    }
}

impl Open {
    /// The verdict on `question`, which came in at `arrived`: it has waited its turn since then,
    /// and the wait counts.
    pub fn ask(&mut self, question: Question, arrived: Instant) -> Verdict {
        let left = self
            .configuration
            .limits
            .deadline
            .saturating_sub(arrived.elapsed());
        let verdict = if left == Duration::ZERO {
            let message = "its turn did not come within `deadline`: too many questions at once";
            Unavailable::new(message).into()
        } else {
            self.worker.ask(question, Deadline::after(left))
        };
        self.failing = matches!(verdict, Verdict::Unavailable(_));
        verdict
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
