//! Exit codes, where no program is run. Source: <https://cr.yp.to/checkpwd/interface.html> and, for
//! lookups, Dovecot's db-checkpassword.c, 2.3.19.

use hallpass_core::Verdict;

/// The password is not acceptable.
const DENIED: u8 = 1;
/// The program was not used as the interface says.
pub const MISUSED: u8 = 2;
/// In a lookup: there is no such user.
const UNKNOWN: u8 = 3;
/// A store could not be asked in time, or something is wrong with the configuration.
pub const UNAVAILABLE: u8 = 111;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Whether there is such a user.
    Lookup,
    /// Whether it is the user's password.
    Password,
}

/// The exit code for `verdict`; 0 when the program is to be run.
pub fn exit_code(asked: Asked, verdict: &Verdict) -> u8 {
    match (verdict, asked) {
        (Verdict::Granted(_), _) => 0,
        (Verdict::Denied(_), Asked::Password) => DENIED,
        (Verdict::Denied(_), Asked::Lookup) => UNKNOWN,
        (Verdict::Unavailable(_), _) => UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use hallpass_core::{Reason, Unavailable};

    use super::*;

    #[test]
    fn only_a_grant_is_zero() {
        for (asked, denied) in [(Asked::Password, 1), (Asked::Lookup, 3)] {
            let granted = Verdict::Granted(Box::default());
            assert_eq!(exit_code(asked, &granted), 0);
            for reason in [
                Reason::UnknownUser,
                Reason::WrongPassword,
                Reason::Inactive,
                Reason::NotPermitted,
                Reason::Malformed,
            ] {
                assert_eq!(exit_code(asked, &Verdict::Denied(reason)), denied);
            }
            let unavailable = Verdict::Unavailable(Unavailable::new(""));
            assert_eq!(exit_code(asked, &unavailable), 111);
        }
    }
}
