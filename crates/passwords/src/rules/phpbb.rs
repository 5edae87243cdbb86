//! Parses what phpBB's password manager stores (3.3 `phpbb/passwords/manager.php` and its drivers),
//! and does to a typed password what its login page does.

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::crypt;
use super::php;
use crate::algorithms::bcrypt::BcryptHash;
use crate::algorithms::digest::Hex;
use crate::algorithms::digest::Kind;
use crate::algorithms::digest::is_hex;
use crate::algorithms::phpass;
use crate::algorithms::phpass::PhpassHash;
use crate::algorithms::phpbb_combined::Combined;
use crate::algorithms::phpbb_converted::Converted;
use crate::parsed::{Input, Parsed};
use crate::php_strings;

/// phpBB refuses longer passwords.
const LENGTH: usize = 4096;

/// The form of a typed password that is tried, if any.
pub(super) fn forms(password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let escaped = escape(password);
    (!php_strings::is_empty(&escaped) && escaped.len() <= LENGTH).then_some(escaped)
}

/// The drivers, told apart by the prefix.
pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    match kind(encoded) {
        Some("argon2i" | "argon2id") => php::password_verify(encoded),
        // The driver of `$2a$` refuses passwords that end in a byte beyond ASCII.
        Some("2a") => Some(bcrypt(encoded)?.given(Input::AsciiEnd)),
        Some("2y") => bcrypt(encoded),
        Some("CP") => {
            let converted = Converted::parse(encoded.get(4..)?)?;
            Some(Parsed::new("convert_password", converted))
        }
        Some("H" | "P") => portable(encoded),
        Some(kind) if kind.contains('\\') => {
            let combined = Combined::parse(encoded)?;
            Some(Parsed::new(combined.algorithm(), combined))
        }
        _ => portable(encoded).or_else(|| md5(encoded)),
    }
}

/// The text between the first two dollar signs (`detect_algorithm`).
fn kind(encoded: &str) -> Option<&str> {
    let (kind, _) = encoded.strip_prefix('$')?.split_once('$')?;
    let plain = kind
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'\\');
    plain.then_some(kind)
}

/// A hash of 34 characters, whatever the first three: the driver does not look at them.
fn portable(encoded: &str) -> Option<Parsed> {
    let algorithm = if encoded.starts_with("$P$") {
        "phpass"
    } else {
        "salted_md5"
    };
    let hash = PhpassHash::parse(encoded, phpass::Kind::Md5)?;
    Some(Parsed::new(algorithm, hash))
}

/// The installer's and phpBB 2's unsalted MD5.
fn md5(encoded: &str) -> Option<Parsed> {
    is_hex(encoded, 32).then(|| Parsed::new("md5", Hex::plain(Kind::Md5, encoded)))
}

/// bcrypt, but not crypt_blowfish's own variant of it.
fn bcrypt(encoded: &str) -> Option<Parsed> {
    BcryptHash::parse(encoded)?;
    crypt::php(encoded)
}

/// Changes a posted password as phpBB does (3.3 `request/type_cast_helper.php`,
/// `auth/provider/db.php`): line ends made one, NUL and the byte order mark dropped,
/// `htmlspecialchars` with `ENT_COMPAT`, Unicode's NFC, trimmed. What is not UTF-8 becomes nothing,
/// as in PHP.
fn escape(password: &[u8]) -> Zeroizing<Vec<u8>> {
    let Ok(password) = std::str::from_utf8(password) else {
        return Zeroizing::default();
    };
    let mut escaped = Zeroizing::new(String::with_capacity(2 * password.len()));
    let mut characters = password.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\0' | '\u{feff}' => {}
            '\r' => {
                characters.next_if_eq(&'\n');
                escaped.push('\n');
            }
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            _ => escaped.push(character),
        }
    }
    let normal = Zeroizing::new(escaped.nfc().collect::<String>());
    Zeroizing::new(php_strings::trim(normal.as_bytes()).to_vec())
}
