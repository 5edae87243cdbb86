//! Reads a TOML file into serde structs. An error names file, line and key, and the known key that
//! is nearest to an unknown one; it never quotes a value, which could be a secret.
//!
//! ```
//! use std::path::Path;
//!
//! use hallpass_settings::{Document, Wait};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Limits {
//!     deadline: Wait,
//! }
//!
//! impl Default for Limits {
//!     fn default() -> Self {
//!         Self { deadline: Wait::seconds(4) }
//!     }
//! }
//!
//! let read = |text: &str| -> Result<Limits, hallpass_settings::Error> {
//!     let document = Document::parse(Path::new("site.toml"), text)?;
//!     document.top().section("limits")?.read()
//! };
//! assert_eq!(read("[limits]\ndeadline = \"5s\"")?.deadline, Wait::seconds(5));
//! assert_eq!(read("")?.deadline, Wait::seconds(4));
//! let error = read("[limits]\ndedline = \"5s\"").err().unwrap();
//! assert_eq!(
//!     error.to_string(),
//!     "site.toml:2: limits.dedline: no such key; did you mean `deadline`?",
//! );
//! # Ok::<(), hallpass_settings::Error>(())
//! ```
//!
//! What a struct cannot say by its types, such as that one key needs another, is checked after it
//! is read, by the [`Table`] that it was read from: [`Table::wrong`] is the error at a key.
// The example of the README is a test, too.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]

#[cfg(feature = "schema")]
mod describe;
mod document;
mod error;
mod listener;
mod percent;
mod reader;
#[cfg(feature = "schema")]
mod schema;
mod secret;
mod values;
mod words;

#[cfg(feature = "schema")]
pub use self::describe::{KeyDefault, KeyDescription, Secrecy, TableDescription};
pub use self::document::{Document, Table};
pub use self::error::Error;
pub use self::listener::Listener;
pub use self::percent::decode as percent_decode;
pub use self::reader::{Fallback, Given, fields};
#[cfg(feature = "schema")]
pub use self::schema::SECRET;
pub use self::secret::{SecretPlace, SecretSource};
pub use self::values::{Life, LooseText, Memory, Number, Size, Span, UrlOr, Wait};
