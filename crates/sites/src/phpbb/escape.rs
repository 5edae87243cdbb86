//! What phpBB does to all that it is sent.

use unicode_normalization::UnicodeNormalization;

/// `htmlspecialchars` with `ENT_COMPAT`, Unicode's NFC, trimmed (`set_var` in
/// phpbb/request/type_cast_helper.php of 3.3). Names are stored like that.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.nfc() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            _ => escaped.push(character),
        }
    }
    trim(&escaped).to_owned()
}

/// As PHP's `trim`.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\0', '\u{b}'])
}
