//! Writes text as phpBB stores it: escaped, and a name in its clean form, by which it is found.

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

/// The form by which the name `escaped` is found: folded for case and compatibility, letters that
/// look alike made one, controls and what cannot be seen left out (`utf8_clean_string` in
/// includes/utf/utf_tools.php of 3.3).
///
/// Of the letters that look alike, phpBB's table has thousands, and this has those of ASCII and
/// few others. Another is left as it is, and then the form is none that any account has: a name
/// is not found by it, and never another's.
pub(super) fn clean(escaped: &str) -> String {
    // Once more, since compatibility may bring capitals back.
    let once: String = fold(escaped).nfkc().collect();
    let twice = fold(&once);
    let mut clean = String::with_capacity(twice.len());
    for character in twice.nfkc().filter(|character| !is_invisible(*character)) {
        match lookalike(character) {
            Some(plain) => clean.push_str(plain),
            None if character == ' ' && clean.ends_with(' ') => {}
            None => clean.push(character),
        }
    }
    trim(&clean).to_owned()
}

/// Full case folding: `ß` becomes `ss`, and a final sigma the other.
fn fold(text: &str) -> String {
    text.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// As phpBB itself makes them of these: recorded.
fn lookalike(character: char) -> Option<&'static str> {
    Some(match character {
        '!' => "\u{1c3}",
        '"' => "\u{2b9}\u{2b9}",
        '\'' => "\u{2b9}",
        '?' => "\u{294}",
        '|' => "\u{4e28}",
        // Greek omicron and upsilon, Cyrillic a.
        '\u{3bf}' => "o",
        '\u{3c5}' => "u",
        '\u{430}' => "a",
        _ => return None,
    })
}

/// Controls, and what Unicode calls ignorable.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and what phpBB 3.3.10 made of them.
    const RECORDED: &str = include_str!("../../tests/data/phpbb_username_clean.json");

    #[test]
    fn names_are_cleaned_as_phpbb_cleans_them() {
        let vectors: Vec<serde_json::Value> = serde_json::from_str(RECORDED).unwrap();
        assert_eq!(vectors.len(), 22);
        for vector in vectors {
            let (name, expected) = (&vector["username"], &vector["username_clean"]);
            let name = name.as_str().unwrap();
            assert_eq!(clean(name), expected.as_str().unwrap(), "{name}");
        }
    }

    #[test]
    fn five_characters_of_ascii_are_more_than_folded() {
        for (name, expected) in [
            ("A  b ", "a b"),
            ("o'Brien!", "o\u{2b9}brien\u{1c3}"),
            ("a\u{200b}b", "ab"),
            ("\u{131}", "i"),
            ("ﬁ", "fi"),
        ] {
            assert_eq!(clean(name), expected, "{name}");
        }
    }
}
