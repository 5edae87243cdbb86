//! Who is this, and may they in? The question that every Hallpass program asks, and its answer.
//!
//! A [`Request`] goes in, a [`Verdict`] comes out. [`Authenticator`] is the way between: it reads
//! what the site stores, as the [`Configuration`] describes it. Blocking and plain: threads and
//! deadlines belong to the programs, and the time is an argument.
#![forbid(unsafe_code)]

mod authenticator;
pub mod basic;
mod change;
pub mod configuration;
pub mod cookie;
pub mod doctor;
mod memory;
mod request;
mod scans;
mod shared;
mod site;
mod throttle;
mod ticket;
mod twins;
mod verdict;
mod verified;

pub use hallpass_stores::{Deadline, Secret, Trace, TraceEvent, Tracer, Unavailable};

pub use self::authenticator::{
    Authenticator, Decision, HashJob, InlineAuthenticator, Pending, Progress, Step,
};
pub use self::change::Change;
pub use self::configuration::Configuration;
pub use self::request::{
    ClaimedName, Conditions, Credential, InvalidCondition, Request, Requirement,
};
pub use self::shared::Shared;
pub use self::site::{Account, Client, Decoding, Id, Reason};
pub use self::throttle::Turn;
pub use self::ticket::{NoTicket, Tickets};
pub use self::twins::{Twin, TwinFinder, Twins};
pub use self::verdict::{Identity, Session, Verdict};
pub use self::verified::{CacheStatistics, Fingerprint};
