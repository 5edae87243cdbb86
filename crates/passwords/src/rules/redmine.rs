//! Redmine's `User#check_password?` (`app/models/user.rb`, 5.0): the SHA-1 of the salt, which is in a
//! column of its own, and the password's SHA-1.

use zeroize::Zeroizing;

use crate::algorithms::digest::is_hex;
use crate::algorithms::salted_sha1::SaltedSha1;
use crate::parsed::Parsed;

/// The form of a typed password that is tried, if any: `try_to_login!` refuses an empty one.
pub(super) fn forms(password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    (!password.is_empty()).then(|| Zeroizing::new(password.to_vec()))
}

/// 40 hexadecimal digits.
pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    is_hex(encoded, 40).then(|| Parsed::new("sha1", SaltedSha1::new(encoded)))
}
