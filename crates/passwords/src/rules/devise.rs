//! Devise's `Encryptor.compare` (`lib/devise/encryptor.rb`, 4.8), which computes bcrypt of the password
//! and the site's pepper by bcrypt-ruby 3.1, a copy of crypt_blowfish.

use zeroize::Zeroizing;

use crate::algorithms::bcrypt::BcryptHash;
use crate::parsed::Parsed;

/// The form of a typed password that is tried, if any: `authenticate!` refuses one that is blank
/// (`lib/devise/strategies/database_authenticatable.rb`).
pub(super) fn forms(password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(password).ok()?;
    let blank = text.chars().all(char::is_whitespace);
    (!blank).then(|| Zeroizing::new(password.to_vec()))
}

/// bcrypt of any variant.
pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    Some(Parsed::new("bcrypt", BcryptHash::parse_crypt(encoded)?))
}
