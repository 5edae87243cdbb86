//! Parses encoded password hashes as web frameworks store them, checks passwords against them, and
//! makes new ones.
//!
//! A stored hash is only as good as its reader: what one framework accepts, another refuses, and
//! each does something of its own to what was typed. So every hash is parsed by the [`Rules`] of a
//! framework, and a check gives the verdict that the framework itself gives; where the framework
//! would fail with an exception, the outcome is [`Outcome::Unsupported`].
//!
//! ```
//! use hallpass_passwords::{Context, Encoded, Limits, Outcome, Rules};
//!
//! let limits = Limits::default();
//! let stored = "md5$salt$67a1e09bb1f83f5007dc119c14d663aa";
//! let outcome = match Encoded::parse(Rules::Django, stored) {
//!     Ok(encoded) => encoded.verify(b"password", &Context::default(), &limits),
//!     Err(error) => Outcome::from(error),
//! };
//! assert_eq!(outcome, Outcome::Match);
//! ```
//!
//! # Map
//!
//! - [`Encoded`]: a stored hash, parsed once: [`algorithm`](Encoded::algorithm),
//!   [`cost`](Encoded::cost), whether it [`fits`](Encoded::fits) the [`Limits`], and
//!   [`verify`](Encoded::verify).
//! - [`Derivation`]: a check taken apart, to be done along with others by a
//!   [`hallpass_pbkdf2::Engine`].
//! - [`Encoded::spend`]: makes a denial take as long as the site's costliest check.
//! - [`make`](make()): writes a new hash by an [`Algorithm`].
//!
//! Inside, `rules` has a file for each framework (which formats it tells apart, what it does to a
//! typed password), `parsed` holds what they read, and `algorithms` has a file for each algorithm.
//! Each names the source of its format.
//!
//! # Promises
//!
//! Pure functions: no input or output, no configuration, no clock, no threads. Both the stored
//! hash and the password may be hostile: nothing panics, and nothing costs more than [`Limits`]
//! allow.
// The example of the README is a test, too.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]

mod algorithms;
mod denial;
mod encoded;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod hash;
mod make;
mod parsed;
mod php_strings;
mod rules;

pub use denial::Spending;
pub use encoded::{Derivation, Encoded, MAX_ENCODED, ParseError};
pub use hallpass_pbkdf2::Request;
pub use hash::{Context, Cost, Limits, Outcome};
pub use make::{Algorithm, MakeError, make};
pub use rules::{ApplicationPassword, Rules, UnknownRules};
