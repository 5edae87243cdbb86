//! Answers one question: who is this, and may they in?
//!
//! A [`Request`] goes in, a [`Verdict`] comes out. [`Authenticator`] is the way between: it reads
//! what the site stores, as the [`Configuration`] describes it. Blocking and plain: threads and
//! deadlines belong to the programs, and the time is an argument.
//!
//! ```no_run
//! use std::time::{Duration, SystemTime};
//!
//! use hallpass_core::{
//!     Authenticator, ClaimedName, Configuration, Credential, Deadline, Request, Secret, Verdict,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let configuration = Configuration::load("/etc/hallpass/hallpass.toml".as_ref())?;
//! let mut authenticator = Authenticator::new(&configuration);
//! let request = Request::new(
//!     ClaimedName::Named("alice".to_owned()),
//!     Credential::Password(Secret::new("correct horse battery staple")),
//! );
//! let deadline = Deadline::after(Duration::from_secs(4));
//! match authenticator.answer(&request, SystemTime::now(), deadline) {
//!     Verdict::Granted(identity) => println!("{} may in", identity.name),
//!     Verdict::Denied(reason) => println!("no: {}", reason.word()),
//!     Verdict::Unavailable(cause) => println!("there is no answer: {cause}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! | module | what it does |
//! |---|---|
//! | `request`, `verdict` | the question and the answer, as every program asks and hears them |
//! | `authenticator` | the way between: decode, find, throttle, verify, admit |
//! | [`configuration`] | the file that describes a site |
//! | `throttle`, `verified`, `memory`, `shared` | what the authenticators of one program share: wrong passwords, verified ones, the memory of checks |
//! | `ticket` | short-lived tickets that stand for a session |
//! | [`cookie`], [`basic`] | credentials in headers of HTTP |
//! | [`doctor`], `twins` | every assumption about a site, checked against the site itself |
#![forbid(unsafe_code)]

mod authenticator;
pub mod basic;
pub mod configuration;
pub mod cookie;
mod denial_cost;
pub mod doctor;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod memory;
mod request;
mod scans;
mod shared;
mod throttle;
mod ticket;
mod twins;
mod verdict;
mod verified;

pub use hallpass_sites::{Account, Client, Decoding, Id, Reason};
pub use hallpass_stores::{Deadline, Secret, Trace, TraceEvent, Tracer, Unavailable, connect_unix};

pub use self::authenticator::{
    Authenticator, Change, Decision, HashJob, InlineAuthenticator, Pending, Progress, Step,
};
pub use self::configuration::Configuration;
pub use self::request::{
    ClaimedName, Conditions, Credential, InvalidCondition, Request, Requirement,
};
pub use self::shared::Shared;
pub use self::throttle::Turn;
pub use self::ticket::{NoTicket, Tickets};
pub use self::twins::{Twin, TwinFinder, Twins};
pub use self::verdict::{Identity, Session, Verdict};
pub use self::verified::{CacheStatistics, Fingerprint};
