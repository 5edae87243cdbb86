//! Decodes names escaped by XEP-0106 (JID Escaping).

/// Decodes `name`: `j.\20doe` is `j. doe`. By the XEP, `\20` at either end is not an escape, and a
/// decoded character is not decoded again.
#[must_use]
pub fn unescape(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        let at_an_end = plain.is_empty() || escape.len() == 3;
        match escape.get(..3).and_then(escaped) {
            Some(' ') if at_an_end => plain.push_str("\\20"),
            Some(character) => plain.push(character),
            None => {
                plain.push('\\');
                rest = escape.get(1..).unwrap_or_default();
                continue;
            }
        }
        rest = escape.get(3..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

fn escaped(escape: &str) -> Option<char> {
    Some(match escape {
        "\\20" => ' ',
        "\\22" => '"',
        "\\26" => '&',
        "\\27" => '\'',
        "\\2f" => '/',
        "\\3a" => ':',
        "\\3c" => '<',
        "\\3e" => '>',
        "\\40" => '@',
        "\\5c" => '\\',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of XEP-0106 section 4, and what is not an escape.
    #[test]
    fn names_are_unescaped() {
        for (escaped, plain) in [
            ("space\\20cadet", "space cadet"),
            ("call\\20me\\20\\22ishmael\\22", "call me \"ishmael\""),
            ("at\\26t\\20guy", "at&t guy"),
            ("d\\27artagnan", "d'artagnan"),
            ("\\2f.fanboy", "/.fanboy"),
            ("\\3a\\3afoo\\3a\\3a", "::foo::"),
            ("\\3cfoo\\3e", "<foo>"),
            ("user\\40host", "user@host"),
            ("c\\3a\\5c5commas", "c:\\5commas"),
            ("c\\3a\\5cnet", "c:\\net"),
            ("c\\5c20d", "c\\20d"),
            ("\\20a", "\\20a"),
            ("a\\20", "a\\20"),
            ("a\\2", "a\\2"),
            ("a\\", "a\\"),
            ("\\", "\\"),
            ("a\\21b", "a\\21b"),
            ("a\\5Cb", "a\\5Cb"),
            ("\\ä\\40", "\\ä@"),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(unescape(escaped), plain, "{escaped}");
        }
    }
}
