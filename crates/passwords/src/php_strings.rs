//! Does to a typed password what PHP's string functions do.

use zeroize::Zeroizing;

/// PHP's `trim`: these six bytes at both ends.
pub(crate) fn trim(password: &[u8]) -> &[u8] {
    let trimmed = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0 | 0x0b);
    let Some(first) = password.iter().position(|byte| !trimmed(byte)) else {
        return &[];
    };
    let last = password
        .iter()
        .rposition(|byte| !trimmed(byte))
        .unwrap_or(first);
    password.get(first..=last).unwrap_or_default()
}

/// PHP's `addslashes`: a backslash before quotes and backslashes, NUL as `\0`.
pub(crate) fn add_slashes(password: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut slashed = Zeroizing::new(Vec::with_capacity(2 * password.len()));
    for byte in password {
        match byte {
            0 => slashed.extend(b"\\0"),
            b'\'' | b'"' | b'\\' => slashed.extend([b'\\', *byte]),
            _ => slashed.push(*byte),
        }
    }
    slashed
}

/// PHP's `empty` on a string, which a login form that asks it refuses: nothing, or a single 0.
pub(crate) fn is_empty(password: &[u8]) -> bool {
    matches!(password, b"" | b"0")
}

/// PHP's `(int)` of a text: the number that it begins with, cut to a whole one; 0 where it begins with
/// none.
pub(crate) fn integer(text: &str) -> i64 {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let sign = usize::from(text.starts_with(['+', '-']));
    let whole = digits(sign);
    let mut end = whole;
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let from = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let after = digits(from);
        end = if after > from { after } else { end };
    }
    let number = text.get(..end).unwrap_or_default();
    if end == whole {
        // What does not fit becomes the largest or the smallest.
        let limit = if text.starts_with('-') {
            i64::MIN
        } else {
            i64::MAX
        };
        let parsed = number.parse();
        return parsed.unwrap_or(if whole > sign { limit } else { 0 });
    }
    // Casting cuts the fraction off.
    #[allow(clippy::cast_possible_truncation)]
    number.parse::<f64>().map_or(0, |number| number as i64)
}

#[cfg(test)]
mod tests {
    use super::integer;

    /// As PHP 8.2 casts them.
    #[test]
    fn a_text_is_the_number_that_it_begins_with() {
        let rows = [
            ("3", 3),
            ("03", 3),
            (" 3", 3),
            ("+3", 3),
            ("-3", -3),
            ("3abc", 3),
            ("3 ", 3),
            ("3.9", 3),
            (".9", 0),
            ("2e0", 2),
            ("2e1", 20),
            ("2e", 2),
            ("1e-1", 0),
            ("0x3", 0),
            ("", 0),
            ("+", 0),
            ("abc", 0),
            ("- 3", 0),
            ("99999999999999999999", i64::MAX),
        ];
        for (text, expected) in rows {
            assert_eq!(integer(text), expected, "{text:?}");
        }
    }
}
