//! What phpBB does to a posted password before it is hashed (3.3 `request/type_cast_helper.php`,
//! `auth/provider/db.php`).

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::typed;

/// Line ends made one, NUL and the byte order mark dropped, `htmlspecialchars` with `ENT_COMPAT`,
/// Unicode's NFC, trimmed. What is not UTF-8 becomes nothing, as in PHP.
pub(super) fn escape(password: &[u8]) -> Zeroizing<Vec<u8>> {
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
    Zeroizing::new(typed::trim(normal.as_bytes()).to_vec())
}
