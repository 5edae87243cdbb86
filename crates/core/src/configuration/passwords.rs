//! `[passwords]`: what a check may cost.

use hallpass_passwords::{Encoded, Limits, Rules};
use hallpass_settings::{Error, Number, Size, Table};
use serde::Deserialize;

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct PasswordsTable {
    /// Of PBKDF2; other hashes count by the time they take.
    max_iterations: Number<1, { u32::MAX - 1 }>,
    /// Of one check (argon2, scrypt).
    max_memory: Size,
    /// Of bcrypt.
    max_cost: Number<4, 31>,
    /// What all memory-hard checks of one program may use at once; what does not fit waits.
    memory: Size,
    /// What an unknown account costs, as in `"pbkdf2_sha256$1000000"`, or another hash that is as
    /// costly as the site's costliest. Without it, what the costliest hash costs that any thread
    /// of the program has seen, those of the 64 newest accounts among them.
    /// [`[custom]`](custom.md) without `accounts` needs it, wherever passwords are checked.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "see right")))]
    dummy: Option<String>,
}

impl Default for PasswordsTable {
    fn default() -> Self {
        Self {
            max_iterations: Number(20_000_000),
            max_memory: Size(512 << 20),
            max_cost: Number(16),
            memory: Size(1 << 30),
            dummy: None,
        }
    }
}

/// What a check of a password may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passwords {
    /// The most that a stored hash may ask for; one that asks for more is never run.
    pub limits: Limits,
    /// The most memory, in bytes, that the checks of one program may use at once.
    pub memory: u64,
    /// The hash, or its beginning, whose cost an unknown account takes. `None`: the costliest
    /// that the site's accounts are seen to have.
    pub dummy: Option<String>,
}

impl PasswordsTable {
    pub(super) fn resolve(self, table: &Table<'_>) -> Result<Passwords, Error> {
        let limits = Limits {
            max_iterations: self.max_iterations.0,
            max_memory: self.max_memory.0,
            max_cost: self.max_cost.0,
        };
        if let Some(dummy) = &self.dummy
            && !Encoded::parse_cost(Rules::Django, dummy).is_some_and(|it| it.cost().fits(&limits))
        {
            let message = "is no hash within the limits, as in \"pbkdf2_sha256$1000000\"";
            return Err(table.wrong("dummy", message));
        }
        Ok(Passwords {
            limits,
            memory: self.memory.0,
            dummy: self.dummy,
        })
    }
}
