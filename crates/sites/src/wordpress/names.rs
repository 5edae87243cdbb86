//! Changes a typed name as WordPress does before it looks it up (`sanitize_user`, `remove_accents`,
//! `is_email` in `wp-includes/formatting.php` of 6.1).

use unicode_normalization::UnicodeNormalization as _;

/// What letters become in every language.
const LETTERS: [(&str, &str); 47] = [
    ("£", ""),
    ("ªàáâãäåāăąǎɑạảấầẩẫậắằẳẵặ", "a"),
    ("ºòóôõöøōŏőơǒọỏốồổỗộớờởỡợ", "o"),
    ("ÀÁÂÃÄÅĀĂĄǍẠẢẤẦẨẪẬẮẰẲẴẶ", "A"),
    ("Æ", "AE"),
    ("ÇĆĈĊČ", "C"),
    ("ÈÉÊËĒĔĖĘĚẸẺẼẾỀỂỄỆ€", "E"),
    ("ÌÍÎÏĨĪĬĮİǏỈỊ", "I"),
    ("ÐĎĐ", "D"),
    ("ÑŃŅŇŊ", "N"),
    ("ÒÓÔÕÖØŌŎŐƠǑỌỎỐỒỔỖỘỚỜỞỠỢ", "O"),
    ("ÙÚÛÜŨŪŬŮŰŲƯǓǕǗǙǛỤỦỨỪỬỮỰ", "U"),
    ("ÝŶŸỲỴỶỸ", "Y"),
    ("Þ", "TH"),
    ("ßśŝşšſș", "s"),
    ("æ", "ae"),
    ("çćĉċč", "c"),
    ("èéêëēĕėęěẹẻẽếềểễệ", "e"),
    ("ìíîïĩīĭįıǐỉị", "i"),
    ("ðďđ", "d"),
    ("ñńņňŉŋ", "n"),
    ("ùúûüũūŭůűųưǔǖǘǚǜụủứừửữự", "u"),
    ("ýÿŷỳỵỷỹ", "y"),
    ("þ", "th"),
    ("ĜĞĠĢ", "G"),
    ("ĝğġģ", "g"),
    ("ĤĦ", "H"),
    ("ĥħ", "h"),
    ("Ĳ", "IJ"),
    ("ĳ", "ij"),
    ("Ĵ", "J"),
    ("ĵ", "j"),
    ("Ķ", "K"),
    ("ķĸ", "k"),
    ("ĹĻĽĿŁ", "L"),
    ("ĺļľŀł", "l"),
    ("Œ", "OE"),
    ("œ", "oe"),
    ("ŔŖŘ", "R"),
    ("ŕŗř", "r"),
    ("ŚŜŞŠȘ", "S"),
    ("ŢŤŦȚ", "T"),
    ("ţťŧț", "t"),
    ("Ŵ", "W"),
    ("ŵ", "w"),
    ("ŹŻŽ", "Z"),
    ("źżž", "z"),
];
/// What else they become in some languages, by the beginning of the language or its whole name.
const GERMAN: [(char, &str); 7] = [
    ('Ä', "Ae"),
    ('ä', "ae"),
    ('Ö', "Oe"),
    ('ö', "oe"),
    ('Ü', "Ue"),
    ('ü', "ue"),
    ('ß', "ss"),
];
const DANISH: [(char, &str); 6] = [
    ('Æ', "Ae"),
    ('æ', "ae"),
    ('Ø', "Oe"),
    ('ø', "oe"),
    ('Å', "Aa"),
    ('å', "aa"),
];
const SERBIAN: [(char, &str); 2] = [('Đ', "DJ"), ('đ', "dj")];

/// The name that WordPress looks up where a cookie says `name`, on a site whose language is `locale`.
pub(super) fn sanitize(name: &str, locale: &str) -> String {
    let text = strip_tags(name);
    let text = remove_accents(trim(&text), locale);
    let text = drop_entities(&drop_octets(&text));
    let mut sanitized = String::with_capacity(text.len());
    let mut in_space = false;
    for letter in trim(&text).chars() {
        let space = matches!(letter, ' ' | '\t'..='\r');
        if space && !in_space {
            sanitized.push(' ');
        } else if !space {
            sanitized.push(letter);
        }
        in_space = space;
    }
    sanitized
}

/// What PHP's `trim` leaves.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\0', '\x0b'])
}

/// Whether accents decide, and with them the site's language.
pub(super) fn depends_on_locale(name: &str) -> bool {
    !name.is_ascii()
}

fn remove_accents(text: &str, locale: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let special: &[(char, &str)] = match locale {
        "da_DK" => &DANISH,
        "sr_RS" | "bs_BA" => &SERBIAN,
        _ if locale.starts_with("de") => &GERMAN,
        _ => &[],
    };
    let composed: String = text.nfc().collect();
    let composed = match locale {
        "ca" => composed.replace("l·l", "ll"),
        _ => composed,
    };
    let mut plain = String::with_capacity(composed.len());
    for letter in composed.chars() {
        let of_language = special.iter().find(|(from, _)| *from == letter);
        let anywhere = || LETTERS.iter().find(|(from, _)| from.contains(letter));
        match of_language {
            Some((_, to)) => plain.push_str(to),
            None if letter.is_ascii() => plain.push(letter),
            None => match anywhere() {
                Some((_, to)) => plain.push_str(to),
                None => plain.push(letter),
            },
        }
    }
    plain
}

/// Drops `%` and two hexadecimal digits.
fn drop_octets(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        kept.push_str(before);
        let mut digits = after.bytes();
        let hexadecimal = |digit: Option<u8>| digit.is_some_and(|digit| digit.is_ascii_hexdigit());
        if hexadecimal(digits.next()) && hexadecimal(digits.next()) {
            rest = after.get(2..).unwrap_or_default();
        } else {
            kept.push('%');
            rest = after;
        }
    }
    kept.push_str(rest);
    kept
}

/// Drops `&`, one character or more of the same line, and `;`.
fn drop_entities(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        kept.push_str(before);
        let line = after.split('\n').next().unwrap_or_default();
        let first = line.chars().next().map_or(0, char::len_utf8);
        let end = line.get(first..).and_then(|line| line.find(';'));
        if let (Some(end), true) = (end, first > 0) {
            rest = after.get(first + end + 1..).unwrap_or_default();
        } else {
            kept.push('&');
            rest = after;
        }
    }
    kept.push_str(rest);
    kept
}

/// Drops scripts and styles with what is in them.
fn drop_blocks(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        kept.push_str(before);
        let lower = after.to_ascii_lowercase();
        let end = ["script", "style"].into_iter().find_map(|word| {
            let inner = lower.strip_prefix(word)?.find('>')? + word.len() + 1;
            let closing = format!("</{word}>");
            Some(inner + lower.get(inner..)?.find(&closing)? + closing.len())
        });
        match end.and_then(|end| after.get(end..)) {
            Some(after) => rest = after,
            None => {
                kept.push('<');
                rest = after;
            }
        }
    }
    kept.push_str(rest);
    kept
}

/// What PHP's `strip_tags` leaves (`php_strip_tags_ex` in ext/standard/string.c of 8.2).
fn strip_tags(text: &str) -> String {
    if !text.contains('<') {
        return text.replace('\0', "");
    }
    let text = drop_blocks(text);
    let mut kept = String::with_capacity(text.len());
    let mut letters = text.chars().filter(|letter| *letter != '\0').peekable();
    let (mut depth, mut quote) = (0_usize, None);
    while let Some(letter) = letters.next() {
        if depth == 0 {
            let opens = letter == '<' && !letters.peek().is_some_and(char::is_ascii_whitespace);
            match opens {
                true => (depth, quote) = (1, None),
                false => kept.push(letter),
            }
            continue;
        }
        match (letter, quote) {
            ('"' | '\'', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            ('<', None) if !letters.peek().is_some_and(char::is_ascii_whitespace) => depth += 1,
            ('>', None) => depth -= 1,
            _ => {}
        }
    }
    kept
}

/// Whether WordPress looks `name` up as an e-mail address.
pub(super) fn is_email(name: &str) -> bool {
    let Some((local, domain)) = name.split_once('@') else {
        return false;
    };
    let of_local =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~.-".contains(&byte);
    let parts: Vec<&str> = domain.split('.').collect();
    let of_domain = |part: &&str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() >= 6
        && !local.is_empty()
        && local.bytes().all(of_local)
        && parts.len() >= 2
        && parts.iter().all(of_domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `sanitize_user` of WordPress 6.1 answers.
    #[test]
    fn names_become_what_wordpress_makes_of_them() {
        for (typed, locale, expected) in [
            ("alice", "en_US", "alice"),
            (" alice ", "en_US", "alice"),
            ("ALICE", "en_US", "ALICE"),
            ("o neil.x@y-z_", "en_US", "o neil.x@y-z_"),
            ("a  b\u{9}\u{a}c", "en_US", "a b c"),
            ("Zoë", "en_US", "Zoe"),
            ("zoe\u{308}", "en_US", "zoe"),
            ("Müller", "en_US", "Muller"),
            ("Müller", "de_DE", "Mueller"),
            ("Müller", "de_CH_informal", "Mueller"),
            ("weiß", "fr_FR", "weis"),
            ("weiß", "de_DE", "weiss"),
            ("Ærø", "da_DK", "Aeroe"),
            ("Ærø", "en_US", "AEro"),
            ("Đorđe", "sr_RS", "DJordje"),
            ("Đorđe", "hr", "Dorde"),
            ("col·lecció", "ca", "colleccio"),
            ("col·lecció", "en_US", "col·leccio"),
            ("Жук", "ru_RU", "Жук"),
            ("日本", "ja", "日本"),
            ("<b>bob</b>", "en_US", "bob"),
            ("<b", "en_US", ""),
            ("a < b", "en_US", "a < b"),
            ("a<b", "en_US", "a"),
            ("a<b title='>'>c", "en_US", "ac"),
            ("a<<b>c>d", "en_US", "ad"),
            ("a>b", "en_US", "a>b"),
            ("<script>x</script>bob", "en_US", "bob"),
            ("bo<style a>x</STYLE>b", "en_US", "bob"),
            ("b%6fb", "en_US", "bb"),
            ("b%%6f6fb", "en_US", "b%6fb"),
            ("100%", "en_US", "100%"),
            ("a&amp;b", "en_US", "ab"),
            ("a&;b", "en_US", "a&;b"),
            ("a&b", "en_US", "a&b"),
            ("a&;;b", "en_US", "ab"),
            ("&#39;x", "en_US", "x"),
            ("a&b\u{a};c", "en_US", "a&b ;c"),
            ("a b", "en_US", "a b"),
            ("﻿bob", "en_US", "﻿bob"),
            ("", "en_US", ""),
            ("   ", "en_US", ""),
            ("o'neil", "en_US", "o'neil"),
            ("<!-- x -->bob", "en_US", "bob"),
            ("£5", "en_US", "5"),
            ("ﬁ", "en_US", "ﬁ"),
            ("ſ", "en_US", "s"),
            ("x\u{b}y", "en_US", "x y"),
        ] {
            assert_eq!(sanitize(typed, locale), expected, "{typed:?} {locale}");
        }
    }

    /// As `is_email` of WordPress 6.1 answers.
    #[test]
    fn addresses_are_those_that_wordpress_takes_for_some() {
        for (text, expected) in [
            ("frank@example.org", true),
            ("FRANK@EXAMPLE.ORG", true),
            ("a@b.c", false),
            ("a@b.co", true),
            ("a@b", false),
            ("@b.co.uk", false),
            ("aa@b..co", false),
            ("aa@.b.co", false),
            ("aa@b.co.", false),
            ("aa@-b.co", false),
            ("aa@b-.co", false),
            ("a a@b.co", false),
            ("zoë@b.co", false),
            ("aa@bü.co", false),
            ("aa@b@c.co", false),
            ("a'b@c.de", true),
            ("a|b@c.de", true),
            ("aaaaaa", false),
            ("", false),
            ("a@b.c\u{a}", false),
            ("a.b+c@d-e.fg", true),
            ("aa@b.c_", false),
        ] {
            assert_eq!(is_email(text), expected, "{text:?}");
        }
    }
}
