//! Decodes Base64 as Python does, which the crate `base64` is too strict for.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::Invalid;

/// Which two characters stand for 62 and 63 (RFC 4648 sections 4 and 5).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// `+` and `/`, as `base64.b64decode` reads it.
    Standard,
    /// `-` and `_`; but `base64.urlsafe_b64decode` reads `+` and `/` as well.
    UrlSafe,
}

/// Decodes as Python does: bytes outside the alphabet are passed over, and nothing is read after
/// the padding (Modules/binascii.c `a2b_base64` without `strict_mode`; the same in 2.7 and 3.13).
/// URL-safe text has lost its padding, which Django puts back first by the text's length alone
/// (`b64_decode` in core/signing.py, 5.2).
///
/// Strictness would be no safer: what is decoded is signed, or in a store that is trusted.
///
/// # Errors
/// [`Invalid::Format`] where Python raises: when the last group of four is not complete.
pub(crate) fn decode(text: &[u8], alphabet: Alphabet) -> Result<Vec<u8>, Invalid> {
    // What is written as it should be, as nearly everything is, the crate decodes to the same.
    let plain = match alphabet {
        Alphabet::Standard => STANDARD.decode(text),
        Alphabet::UrlSafe => URL_SAFE_NO_PAD.decode(text),
    };
    plain.or_else(|_| decode_any(text, alphabet))
}

fn decode_any(text: &[u8], alphabet: Alphabet) -> Result<Vec<u8>, Invalid> {
    let put_back = match alphabet {
        Alphabet::Standard => 0,
        Alphabet::UrlSafe => text.len().wrapping_neg() % 4,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut group, mut length, mut padding) = (0_u32, 0, 0);
    for byte in text.iter().chain(b"===".iter().take(put_back)) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'-' if alphabet == Alphabet::UrlSafe => 62,
            b'_' if alphabet == Alphabet::UrlSafe => 63,
            b'=' if length >= 2 => {
                padding += 1;
                if length + padding >= 4 {
                    return Ok(bytes);
                }
                continue;
            }
            _ => continue,
        };
        padding = 0;
        group = group << 6 | u32::from(value);
        length = (length + 1) % 4;
        let complete = match length {
            2 => group >> 4,
            3 => group >> 2,
            0 => group,
            _ => continue,
        };
        let [.., byte] = complete.to_be_bytes();
        bytes.push(byte);
    }
    if length == 0 {
        Ok(bytes)
    } else {
        Err(Invalid::Format("the Base64 is cut"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Python 3.11 answers.
    #[test]
    fn odd_text_is_read_as_python_reads_it() {
        let both = |text: &str, alphabet| {
            let decoded = decode(text.as_bytes(), alphabet);
            assert_eq!(decode_any(text.as_bytes(), alphabet), decoded, "{text}");
            decoded.ok()
        };
        let standard = |text: &str| both(text, Alphabet::Standard);
        let url_safe = |text: &str| both(text, Alphabet::UrlSafe);
        let some = |bytes: &[u8]| Some(bytes.to_vec());
        assert_eq!(standard(""), some(b""));
        assert_eq!(standard("YWJj"), some(b"abc"));
        assert_eq!(standard("YW\nJj \t%"), some(b"abc"));
        assert_eq!(standard("YWI="), some(b"ab"));
        assert_eq!(standard("YQ=="), some(b"a"));
        assert_eq!(standard("YQ=%="), some(b"a"));
        assert_eq!(standard("YQ==YWJj"), some(b"a"));
        assert_eq!(standard("YQ=YWJj"), None);
        assert_eq!(standard("=YWJj"), some(b"abc"));
        assert_eq!(standard("Y=WJj"), some(b"abc"));
        assert_eq!(standard("YWJj="), some(b"abc"));
        assert_eq!(standard("YR=="), some(b"a"));
        assert_eq!(standard("-YWJj_"), some(b"abc"));
        assert_eq!(standard("++//"), some(b"\xfb\xef\xff"));
        for cut in ["Y", "YQ", "YQ=", "YWI", "YWJjY", "="] {
            let expected = (cut == "=").then(Vec::new);
            assert_eq!(standard(cut), expected, "{cut}");
        }
        assert_eq!(url_safe("-_+/"), some(b"\xfb\xff\xbf"));
        assert_eq!(url_safe("YQ"), some(b"a"));
        assert_eq!(url_safe("YQ="), some(b"a"));
        assert_eq!(url_safe("YQ%"), None);
        assert_eq!(url_safe("Y"), None);
    }
}
