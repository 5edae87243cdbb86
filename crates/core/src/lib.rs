//! Answers one question: who is this, and may they in?
//!
//! A [`Request`] goes in, a [`Verdict`] comes out. The [`Authenticator`] reads what the site stores,
//! as the [`Configuration`] describes it. Calls block: threads belong to the programs, and the time
//! is an argument.
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
//!     Verdict::Granted(identity) => println!("granted: {}", identity.name),
//!     Verdict::Denied(reason) => println!("denied: {}", reason.word()),
//!     Verdict::Unavailable(cause) => println!("unavailable: {cause}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! | module | what it does |
//! |---|---|
//! | `request`, `verdict` | what every program asks, and the answer |
//! | `authenticator` | from request to verdict: decode, find, throttle, verify, admit |
//! | [`configuration`] | the file that describes a site |
//! | `shared`, `throttle`, `verified`, `memory`, `scans`, `denial_cost` | state that the authenticators of one program share: counts of wrong passwords, verified passwords, limits, costs |
//! | `watch` | whether what was let in earlier still holds, and why not |
//! | `ticket` | short-lived tickets that stand for a session |
//! | [`jwt`] | tokens that the site signs |
//! | [`cookie`], [`basic`] | credentials in headers of HTTP |
//! | [`dn`] | distinguished names of LDAP |
//! | [`doctor`], `twins` | every assumption about a site, checked against the site itself |
// The example of the README is a test, too.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]

mod authenticator;
pub mod basic;
pub mod configuration;
pub mod cookie;
mod denial_cost;
pub mod dn;
pub mod doctor;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod jwt;
mod memory;
mod request;
mod scans;
mod shared;
mod throttle;
mod ticket;
mod twins;
mod verdict;
mod verified;
mod watch;

pub use hallpass_sites::{Account, Client, Decoding, Id, Reason};
pub use hallpass_stores::sql::State as DatabaseState;
pub use hallpass_stores::{Deadline, Secret, Trace, TraceEvent, Tracer, Unavailable, connect_unix};

pub use self::authenticator::{
    Authenticator, Change, Decision, HashJob, InlineAuthenticator, Pending, People, Person,
    Progress, Recorded, Sought, Step, session_digest,
};
pub use self::configuration::Configuration;
pub use self::request::{
    ClaimedName, Conditions, Credential, InvalidCondition, Request, Requirement,
};
pub use self::shared::Shared;
pub use self::throttle::{Report, SharingNews, Turn};
pub use self::ticket::{NoTicket, Tickets};
pub use self::twins::{Twin, TwinFinder, Twins};
pub use self::verdict::{Identity, Session, Verdict};
pub use self::verified::{CacheStatistics, Fingerprint};
pub use self::watch::{Clock, Ended, PasswordStamp, Watched};
