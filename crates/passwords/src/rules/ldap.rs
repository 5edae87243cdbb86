//! Parses the `userPassword` values of LDAP servers: `{SCHEME}` and what the scheme stores.
//!
//! OpenLDAP 2.5 (`libraries/liblutil/passwd.c`, and the modules `pw-sha2`, `pw-pbkdf2` and
//! `pw-argon2`) ignores the case of the scheme; Plone's AuthEncoding and passlib write the same. A
//! value without a scheme is the password itself there: it is refused here, and so is `{CLEARTEXT}`.

use super::crypt;
use super::passlib;
use crate::algorithms::argon2::Argon2Hash;
use crate::algorithms::digest::{Hex, Kind};
use crate::algorithms::encodings::{base64, unpadded};
use crate::parsed::Parsed;

pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    let (scheme, rest) = encoded.strip_prefix('{')?.split_once('}')?;
    let scheme = scheme.to_ascii_uppercase();
    let digest = |name, kind| {
        let digest = base64(rest).filter(|digest| digest.len() == Kind::length(kind))?;
        Some(Parsed::new(name, Hex::of_bytes(kind, &[], &digest)))
    };
    let salted = |name, kind| {
        let stored = base64(rest)?;
        let (digest, salt) = stored.split_at_checked(Kind::length(kind))?;
        (!salt.is_empty()).then(|| Parsed::new(name, Hex::of_bytes(kind, salt, digest)))
    };
    match scheme.as_str() {
        "MD5" => digest("ldap_md5", Kind::Md5),
        "SMD5" => salted("ldap_salted_md5", Kind::Md5),
        "SHA" => digest("ldap_sha1", Kind::Sha1),
        "SSHA" => salted("ldap_salted_sha1", Kind::Sha1),
        "SHA256" => digest("ldap_sha256", Kind::Sha256),
        "SSHA256" => salted("ldap_salted_sha256", Kind::Sha256),
        "SHA384" => digest("ldap_sha384", Kind::Sha384),
        "SSHA384" => salted("ldap_salted_sha384", Kind::Sha384),
        "SHA512" => digest("ldap_sha512", Kind::Sha512),
        "SSHA512" => salted("ldap_salted_sha512", Kind::Sha512),
        "CRYPT" => crypt::libxcrypt(rest),
        "PBKDF2" | "PBKDF2-SHA1" => passlib::pbkdf2(Kind::Sha1, rest, adapted),
        "PBKDF2-SHA256" => passlib::pbkdf2(Kind::Sha256, rest, adapted),
        "PBKDF2-SHA512" => passlib::pbkdf2(Kind::Sha512, rest, adapted),
        "ARGON2" => Some(Parsed::new("argon2", Argon2Hash::parse(rest)?)),
        _ => None,
    }
}

/// `.` for `+`; padding may be left out, or a part of it.
fn adapted(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=');
    let padding = text.len() - bare.len();
    let fits = padding <= (4 - bare.len() % 4) % 4;
    fits.then(|| unpadded(&bare.replace('.', "+"))).flatten()
}
