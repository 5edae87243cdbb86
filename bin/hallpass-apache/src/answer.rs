//! Exit codes, after pwauth's, which Apache writes into its error log.

use hallpass_core::{Reason, Verdict};

/// The input was not what mod_authnz_external writes.
pub const MALFORMED: u8 = 51;
/// The configuration or the command line is wrong, or something failed inside.
pub const CONFIGURATION: u8 = 52;
/// A store could not be asked in time.
pub const UNAVAILABLE: u8 = 53;

/// The exit code for `verdict`.
pub fn exit_code(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Granted(_) => 0,
        Verdict::Denied(reason) => match reason {
            Reason::UnknownUser => 1,
            Reason::Inactive | Reason::Banned | Reason::NewPassword | Reason::NotPermitted => 3,
            Reason::Throttled => 7,
            Reason::Malformed => MALFORMED,
            _ => 2,
        },
        Verdict::Unavailable(_) => UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use hallpass_core::Unavailable;

    use super::*;

    #[test]
    fn only_a_grant_is_zero() {
        assert_eq!(exit_code(&Verdict::Granted(Box::default())), 0);
        for (reason, code) in [
            (Reason::UnknownUser, 1),
            (Reason::WrongPassword, 2),
            (Reason::UnusablePassword, 2),
            (Reason::UnsupportedHash, 2),
            (Reason::Inactive, 3),
            (Reason::Banned, 3),
            (Reason::NewPassword, 3),
            (Reason::PasswordAlone, 2),
            (Reason::PasswordElsewhere, 2),
            (Reason::NotPermitted, 3),
            (Reason::Throttled, 7),
            (Reason::Malformed, 51),
        ] {
            assert_eq!(exit_code(&Verdict::Denied(reason)), code);
        }
        assert_eq!(exit_code(&Verdict::Unavailable(Unavailable::new(""))), 53);
    }
}
