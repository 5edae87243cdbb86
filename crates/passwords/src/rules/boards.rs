//! Parses the hashes of forum software, some of which need another column of the row.

use super::php;
use crate::algorithms::bcrypt::BcryptHash;
use crate::algorithms::beside::Beside;
use crate::algorithms::digest::{Hex, Kind, is_hex};
use crate::parsed::{Input, Parsed};

/// A digest in hexadecimal whose salt has a column of its own: MyBB, vBulletin, IP.Board, XenForo 1.0
/// and sites of their own.
pub(super) fn salted(encoded: &str) -> Option<Parsed> {
    let (name, kind) = match encoded.len() {
        32 => ("salted_md5", Kind::Md5),
        40 => ("salted_sha1", Kind::Sha1),
        64 => ("salted_sha256", Kind::Sha256),
        _ => return None,
    };
    let sound = is_hex(encoded, encoded.len());
    sound.then(|| Parsed::new(name, Beside::Salted(kind, encoded.to_owned())))
}

/// SMF hashes the login name with the password: SHA-1 (1.1 and 2.0 `Sources/LogInOut.php`), bcrypt from
/// 2.1 on (`hash_verify_password`).
pub(super) fn smf(encoded: &str) -> Option<Parsed> {
    if is_hex(encoded, 40) {
        let digest = Beside::NamedDigest(encoded.to_owned());
        return Some(Parsed::new("smf_sha1", digest));
    }
    let bcrypt = Beside::Named(BcryptHash::parse_crypt(encoded)?);
    Some(Parsed::new("smf_bcrypt", bcrypt).given(Input::ToNul))
}

/// XenForo's column `data` of `xf_user_authenticate`, PHP's serialization of an array: `hash`, and
/// before 1.2 `salt` and `hashFunc` (`XenForo_Authentication_Core`, `…_Core12`; `XF:Core12`). PHP does
/// not look at what follows the array.
pub(super) fn xenforo(encoded: &str) -> Option<Parsed> {
    let (count, mut rest) = encoded.strip_prefix("a:")?.split_once(":{")?;
    let mut take = || {
        let (text, after) = string(rest)?;
        rest = after;
        Some(text)
    };
    match count {
        "1" => {
            let (key, hash) = (take()?, take()?);
            let parsed = if hash.starts_with("$P$") || hash.starts_with("$H$") {
                php::phpass(hash)
            } else {
                php::password_verify(hash)
            };
            parsed.filter(|_| key == "hash" && rest.starts_with('}'))
        }
        "3" => {
            let [(first, hash), (second, salt), (third, function)] =
                [(take()?, take()?), (take()?, take()?), (take()?, take()?)];
            let (kind, name) = match function {
                "sha256" => (Kind::Sha256, "xenforo_sha256"),
                "sha1" => (Kind::Sha1, "xenforo_sha1"),
                _ => return None,
            };
            let sound = [first, second, third] == ["hash", "salt", "hashFunc"]
                && is_hex(hash, 2 * kind.length())
                && rest.starts_with('}');
            let digest: fn(&[u8]) -> _ = match kind {
                Kind::Sha1 => |password| Kind::Sha1.hex(&[password]),
                _ => |password| Kind::Sha256.hex(&[password]),
            };
            let outer = Parsed::new(name, Hex::salted(kind, "", salt, hash));
            sound.then(|| outer.given(Input::Digest(digest)))
        }
        _ => None,
    }
}

/// A string of PHP's serialization at the beginning of `text`, and what follows it.
fn string(text: &str) -> Option<(&str, &str)> {
    let (length, rest) = text.strip_prefix("s:")?.split_once(":\"")?;
    let (string, rest) = rest.split_at_checked(length.parse().ok()?)?;
    Some((string, rest.strip_prefix("\";")?))
}
