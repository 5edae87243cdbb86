//! Reads `[passwords]`: what a check may cost.

use hallpass_passwords::{Encoded, Limits, Rules};
use hallpass_settings::{Error, Number, Size, Table};
use serde::Deserialize;

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct PasswordsTable {
    /// The most iterations of PBKDF2. Other hashes count by the time that they take.
    max_iterations: Number<1, { u32::MAX - 1 }>,
    /// The most memory for one check (argon2, scrypt).
    max_memory: Size,
    /// The highest cost of bcrypt.
    max_cost: Number<4, 31>,
    /// The most memory for all memory-hard checks of one program at once. Further checks wait.
    memory: Size,
    /// What a check of an unknown name costs: `"pbkdf2_sha256$1000000"`, or a hash as costly as the
    /// site's costliest. The default is the costliest hash that the program has seen, including
    /// those of the 64 newest accounts. Required by [`[custom]`](custom.md) without `accounts`,
    /// wherever passwords are checked.
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
            let message = "is not a hash within the limits, as in \"pbkdf2_sha256$1000000\"";
            return Err(table.wrong("dummy", message));
        }
        Ok(Passwords {
            limits,
            memory: self.memory.0,
            dummy: self.dummy,
        })
    }
}
