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

use crate::Limits;
use crate::Outcome;
use crate::algorithms::Parsed;
use crate::algorithms::Prehashed;
use crate::algorithms::Scheme;
use crate::algorithms::UpTo;
use crate::algorithms::check;
use crate::algorithms::crypt;
use crate::algorithms::digest::Hex;
use crate::algorithms::digest::Kind;
use crate::algorithms::digest::is_hex;
use crate::rules::php;
use crate::typed;

/// WordPress refuses longer passwords, but for MD5.
const LENGTH: usize = 4096;

/// Checks a password typed at WordPress's login.
pub(crate) fn verify(scheme: &dyn Scheme, password: &[u8], limits: &Limits) -> Outcome {
    let slashed = typed::add_slashes(password);
    let slashed = typed::trim(&slashed);
    if typed::is_empty(slashed) {
        Outcome::Mismatch
    } else {
        check(scheme, slashed, limits)
    }
}

/// In how many forms a wrong password is tried.
pub(crate) fn attempts(password: &[u8]) -> usize {
    let slashed = typed::add_slashes(password);
    let slashed = typed::trim(&slashed);
    usize::from(!typed::is_empty(slashed) && slashed.len() <= LENGTH)
}

/// The formats that WordPress tells apart, in its order.
pub(crate) fn parse(encoded: &str) -> Parsed<'_> {
    if encoded.len() <= 32 {
        let md5 = Hex {
            algorithm: "md5",
            kind: Kind::Md5,
            before: "",
            after: "",
            stored: encoded,
        };
        return is_hex(encoded, 32).then(|| Box::new(md5) as Box<dyn Scheme>);
    }
    if let Some(rest) = encoded.strip_prefix("$wp") {
        let inner = Box::new(Prehashed {
            algorithm: "wp_bcrypt",
            prehash: hmac_sha384,
            inner: rest.starts_with("$2").then(|| crypt::php(rest)).flatten()?,
        });
        return Some(Box::new(UpTo {
            length: LENGTH,
            inner,
        }));
    }
    if encoded.starts_with("$P$") {
        return php::phpass(encoded);
    }
    let inner = php::password_verify(encoded)?;
    Some(Box::new(UpTo {
        length: LENGTH,
        inner,
    }))
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
