//! WordPress's `wp_check_password` (6.9 `wp-includes/pluggable.php`), for a password typed at
//! `wp-login.php`.
//!
//! WordPress slashes all that is posted, and trims the password after that, so a hash made at the
//! web site is of the slashed text. One made by `wp user create` or an importer is of the plain
//! text: where the two differ, its owner is refused here as there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use hmac::KeyInit as _;
use hmac::Mac as _;
use sha2::Sha384;
use zeroize::Zeroizing;

use super::crypt;
use super::php;
use crate::algorithms::digest::Hex;
use crate::algorithms::digest::Kind;
use crate::algorithms::digest::is_hex;
use crate::parsed::{Input, Parsed};
use crate::php_strings;

/// WordPress refuses longer passwords, but for MD5.
pub(super) const LENGTH: usize = 4096;

/// The form of a typed password that is tried, if any.
pub(super) fn forms(password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let slashed = php_strings::add_slashes(password);
    let slashed = php_strings::trim(&slashed);
    (!php_strings::is_empty(slashed)).then(|| Zeroizing::new(slashed.to_vec()))
}

/// The formats that WordPress tells apart, in its order.
pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    if encoded.len() <= 32 {
        return is_hex(encoded, 32).then(|| Parsed::new("md5", Hex::plain(Kind::Md5, encoded)));
    }
    let hash = match encoded.strip_prefix("$wp") {
        Some(bcrypt) if bcrypt.starts_with("$2") => crypt::php(bcrypt)?
            .named("wp_bcrypt")
            .given(Input::Digest(hmac_sha384)),
        Some(_) => return None,
        None if encoded.starts_with("$P$") => return php::phpass(encoded),
        None => php::password_verify(encoded)?,
    };
    Some(hash.given(Input::UpTo(LENGTH)))
}

/// Base64 of HMAC-SHA-384 under the key `wp-sha384`: 64 characters, so that bcrypt's 72 bytes hold
/// all of a long password.
fn hmac_sha384(password: &[u8]) -> Zeroizing<Vec<u8>> {
    let Ok(mac) = Hmac::<Sha384>::new_from_slice(b"wp-sha384") else {
        return Zeroizing::default();
    };
    let mut digest = mac.chain_update(password).finalize().into_bytes();
    let encoded = Zeroizing::new(STANDARD.encode(digest).into_bytes());
    zeroize::Zeroize::zeroize(digest.as_mut_slice());
    encoded
}
