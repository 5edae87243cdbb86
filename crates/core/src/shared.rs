//! What the authenticators of one program share.

use crate::configuration::Configuration;
use crate::memory::Memory;
use crate::throttle::Throttle;

/// What the authenticators of one program that runs long share: how many wrong passwords there
/// were, and how much memory checks take.
#[derive(Debug)]
pub struct Shared {
    pub(crate) throttle: Throttle,
    pub(crate) memory: Memory,
}

impl Shared {
    /// What `configuration` says is shared.
    #[must_use]
    pub fn new(configuration: &Configuration) -> Self {
        Self {
            throttle: Throttle::new(&configuration.limits),
            memory: Memory::new(configuration.passwords.memory),
        }
    }
}
