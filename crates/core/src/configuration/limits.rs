//! Reads `[limits]`: how long an answer may take, how many wrong passwords are allowed, and how
//! long a password may be.

use std::time::Duration;

use hallpass_settings::{Error, Memory, Number, Table, UrlOr, Wait};
use hallpass_sites::CacheTable;
use hallpass_stores::cache;
use serde::Deserialize;

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct LimitsTable {
    /// The longest that one answer may take. After that, the answer is `unavailable`.
    deadline: Wait,
    /// How many wrong passwords are allowed within `failure_window`, for a name, for an account,
    /// and from an address. Further passwords are refused unseen until the window ends.
    /// Long-running programs only; `0` switches it off. Sessions are not affected.
    failures: Number<0, { u32::MAX - 1 }>,
    /// How long wrong passwords count.
    failure_window: Memory,
    /// A Redis or Valkey in which several machines keep one count of wrong passwords: a URL as in
    /// `"redis://host:6379/0"`, or a table with one. While it is away, each machine counts by itself.
    /// See [many machines](many-machines.md).
    shared: Option<UrlOr<CacheTable>>,
    /// The longest password that is accepted, in bytes.
    max_password: Number<1, { (1 << 20) - 1 }>,
}

impl Default for LimitsTable {
    fn default() -> Self {
        Self {
            deadline: Wait::seconds(4),
            failures: Number(10),
            failure_window: Memory::seconds(60),
            shared: None,
            max_password: Number(4096),
        }
    }
}

/// How long an answer may take, how many wrong passwords are taken, and how long they may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest that one answer may take.
    pub deadline: Duration,
    /// How many wrong passwords are taken within `failure_window`, for a name and from an
    /// address; 0 for any number.
    pub failures: u32,
    /// How long wrong passwords count.
    pub failure_window: Duration,
    /// The longest password that is looked at, in bytes.
    pub max_password: usize,
}

impl LimitsTable {
    /// The limits, and the Redis that has the counts of several machines.
    pub(super) fn resolve(
        self,
        table: &Table<'_>,
    ) -> Result<(Limits, Option<cache::Settings>), Error> {
        let deadline = self.deadline.get();
        if deadline.is_zero() {
            return Err(table.wrong("deadline", "must be longer than 0s"));
        }
        let section = table.section("shared")?;
        let shared = hallpass_sites::redis(&section, self.shared)?;
        for (key, why) in [
            ("servers", "the first that takes writes has all counts"),
            ("query_timeout", "a share of `deadline` is waited for"),
        ] {
            if section.has(key) {
                return Err(section.wrong(key, &format!("has no effect: {why}")));
            }
        }
        let failures = self.failures.0;
        if shared.is_some() && failures == 0 {
            let message = "has no effect: `failures = 0` counts none";
            return Err(table.wrong("shared", message));
        }
        let limits = Limits {
            deadline,
            failures,
            failure_window: self.failure_window.get(),
            max_password: self.max_password.count(),
        };
        Ok((limits, shared))
    }
}
