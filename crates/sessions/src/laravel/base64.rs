//! Decodes Base64 as PHP does (`php_base64_decode_ex` in ext/standard/base64.c, 8.2), which the crate
//! `base64` is too strict for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Decodes as `base64_decode($text)` does: bytes outside the alphabet and padding are passed over, and
/// a last group that is not complete gives what it has.
///
/// Strictness would be no safer: what is decoded is authenticated, or in a store that is trusted.
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
    // What is written as it should be, as nearly everything is, the crate decodes to the same.
    STANDARD.decode(text).unwrap_or_else(|_| decode_any(text))
}

fn decode_any(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut group, mut length) = (0_u32, 0);
    for digit in text.iter().filter_map(|byte| digit(*byte)) {
        group = group << 6 | digit;
        length += 1;
        if length == 4 {
            bytes.extend(group.to_be_bytes().get(1..).unwrap_or_default());
            (group, length) = (0, 0);
        }
    }
    // Two digits hold a byte, three hold two.
    let rest = (group << (6 * (4 - length))).to_be_bytes();
    let whole = [0, 0, 1, 2].get(length).copied().unwrap_or(0);
    bytes.extend(rest.iter().skip(1).take(whole));
    bytes
}

/// Decodes as `base64_decode($text, true)` does; `None` where that is false.
pub(super) fn decode_strictly(text: &[u8]) -> Option<Vec<u8>> {
    let (mut digits, mut padding) = (0_usize, 0_usize);
    for byte in text {
        match byte {
            b'=' => padding += 1,
            b' ' | b'\t' | b'\n' | b'\r' => {}
            byte if padding > 0 || digit(*byte).is_none() => return None,
            _ => digits += 1,
        }
    }
    let padded = padding == 0 || (padding <= 2 && (digits + padding) % 4 == 0);
    (digits % 4 != 1 && padded).then(|| decode(text))
}

fn digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As PHP 8.2 itself decoded these.
    #[test]
    fn text_is_decoded_as_php_does() {
        for (text, loosely, strictly) in PHP {
            assert_eq!(decode(text.as_bytes()), loosely.as_bytes(), "{text:?}");
            assert_eq!(decode_any(text.as_bytes()), loosely.as_bytes(), "{text:?}");
            let strictly = strictly.map(|it| it.as_bytes().to_vec());
            assert_eq!(decode_strictly(text.as_bytes()), strictly, "{text:?}");
        }
    }

    const PHP: [(&str, &str, Option<&str>); 20] = [
        ("", "", Some("")),
        ("YWJj", "abc", Some("abc")),
        ("YWJjZA==", "abcd", Some("abcd")),
        ("YWJjZA", "abcd", Some("abcd")),
        ("YWJjZA=", "abcd", None),
        ("YWJjZGU=", "abcde", Some("abcde")),
        ("YWJjZGU", "abcde", Some("abcde")),
        ("YW Jj\n", "abc", Some("abc")),
        ("YW!Jj", "abc", None),
        ("YW-Jj", "abc", None),
        ("YWJjZ", "abc", None),
        ("Y", "", None),
        ("=", "", None),
        ("====", "", None),
        ("YWJj=ZGVm", "abcdef", None),
        ("YWJjZA==ZGVm", "abcdFV", None),
        ("YWJj====", "abc", None),
        (" Y W J j ", "abc", Some("abc")),
        ("YWJj\u{b}", "abc", None),
        ("YWJjZA===", "abcd", None),
    ];
}
