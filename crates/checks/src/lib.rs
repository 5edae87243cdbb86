//! Checks many passwords at a time.
//!
//! A password check is a computation that takes long on purpose. [`Checks`] owns a few threads, each
//! of which computes many PBKDF2 derivations at once in the lanes of the processor's vectors, and
//! decides which check goes first. It depends on `hallpass-core`, whose [`HashJob`] says what to
//! compute and whose [`Decision`] makes a verdict of the outcome, and knows nothing of the protocol
//! that a password came by.
//!
//! | module | subject |
//! |---|---|
//! | `queue` | [`Checks`]: the waiting checks and their waiters; refuses checks that would come too late |
//! | `turns` | [`Turns`]: the fair queue by client, for anything that waits |
//! | `lanes` | the threads, which refill a lane as soon as it is free |
//! | `pace` | how fast this machine computes, and so how long a check will take |
//!
//! The threads need no asynchronous runtime: a verdict goes to an [`Answer`], which may be a
//! closure.
//!
//! # Example
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::{Arc, mpsc};
//! use std::time::{Duration, SystemTime};
//!
//! use hallpass_checks::Checks;
//! use hallpass_core::{
//!     Authenticator, ClaimedName, Configuration, Credential, Deadline, Progress, Request, Secret,
//!     Shared,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let configuration = Configuration::load(Path::new("/etc/hallpass/hallpass.toml"))?;
//! let shared = Arc::new(Shared::remembering(&configuration));
//! let mut authenticator = Authenticator::new(&configuration).sharing(shared);
//! let checks = Checks::start(4, 1024)?;
//!
//! let name = ClaimedName::Named("alice".to_owned());
//! let request = Request::new(name, Credential::Password(Secret::new("correct horse")));
//! let deadline = Deadline::after(Duration::from_secs(4));
//! let (sender, verdict) = mpsc::channel();
//! match authenticator.begin(&request, SystemTime::now(), deadline) {
//!     Progress::Answered(verdict) => sender.send(verdict)?,
//!     Progress::Pending(check) => {
//!         let answer = move |verdict| drop(sender.send(verdict));
//!         checks.put(*check, deadline, Box::new(answer));
//!     }
//! }
//! println!("{}", verdict.recv()?.word());
//! # Ok(())
//! # }
//! ```
//!
//! [`HashJob`]: hallpass_core::HashJob
//! [`Decision`]: hallpass_core::Decision
#![forbid(unsafe_code)]

mod lanes;
mod pace;
mod queue;
mod turns;

pub use self::queue::{Answer, Checks};
pub use self::turns::Turns;
