//! `[passwords]`: what a check may cost.

use hallpass_passwords::{Encoded, Limits, Rules};

use super::Error;
use super::section::Section;

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

impl Passwords {
    pub(super) fn read(mut section: Section<'_>) -> Result<Self, Error> {
        let iterations = section.integer("max_iterations", 1..u64::from(u32::MAX))?;
        let cost = section.integer("max_cost", 4..32)?;
        let memory = section.bytes("max_memory")?;
        let limits = Limits {
            max_iterations: iterations
                .and_then(|n| n.try_into().ok())
                .unwrap_or(20_000_000),
            max_memory: memory.unwrap_or(512 << 20),
            max_cost: cost.and_then(|n| n.try_into().ok()).unwrap_or(16),
        };
        let together = section.bytes("memory")?.unwrap_or(1 << 30);
        let dummy = section.string("dummy")?;
        if let Some(dummy) = &dummy
            && !Encoded::parse_cost(Rules::Django, dummy).is_some_and(|it| it.cost().fits(&limits))
        {
            let message = "is no hash within the limits, as in \"pbkdf2_sha256$1000000\"";
            return Err(section.wrong("dummy", message));
        }
        section.finish()?;
        Ok(Self {
            limits,
            memory: together,
            dummy,
        })
    }
}
