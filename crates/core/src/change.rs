//! Changes of accounts, for hosts that let their users make them.

use crate::Secret;

/// What is to become of an account.
#[derive(Debug)]
pub enum Change {
    /// The account gets another password.
    SetPassword {
        /// The name as typed.
        name: String,
        /// The password as typed.
        password: Secret,
    },
    /// There is to be such an account, and it may be used.
    Register {
        /// The name as typed.
        name: String,
        /// The password as typed.
        password: Secret,
    },
    /// The account is switched off.
    Deactivate {
        /// The name as typed.
        name: String,
    },
}

impl Change {
    /// The name that was given, for the log.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::SetPassword { name, .. }
            | Self::Register { name, .. }
            | Self::Deactivate { name } => name,
        }
    }
}
