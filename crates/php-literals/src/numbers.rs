//! Numbers of PHP in every notation.

use super::literal::Literal;

/// What a number's text stands for (`LNUM`, `HNUM`, `BNUM`, `ONUM` and `DNUM` of the scanner).
pub(super) fn number(text: &str) -> Option<Literal> {
    // An underscore stands between two digits.
    let bytes = text.as_bytes();
    let misplaced = |index: usize| {
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
        !digit(index.checked_sub(1).and_then(|before| bytes.get(before)))
            || !digit(bytes.get(index + 1))
    };
    if bytes
        .iter()
        .enumerate()
        .any(|(index, byte)| *byte == b'_' && misplaced(index))
    {
        return None;
    }
    let text = text.replace('_', "").to_ascii_lowercase();
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x', ..] => (text.get(2..)?, 16),
        [b'0', b'b', ..] => (text.get(2..)?, 2),
        [b'0', b'o', ..] => (text.get(2..)?, 8),
        [b'0', rest @ ..] if !rest.is_empty() && rest.iter().all(u8::is_ascii_digit) => {
            (text.get(1..)?, 8)
        }
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => (text.as_str(), 10),
        _ => {
            let decimal = text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b".e+-".contains(&byte));
            return text.parse().ok().filter(|_| decimal).map(Literal::Float);
        }
    };
    let valid = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    match i64::from_str_radix(digits, radix) {
        Ok(integer) if valid => Some(Literal::Integer(integer)),
        // What does not fit is a float to PHP; only of decimal digits is it worth knowing which.
        Err(_) if valid && radix == 10 => text.parse().ok().map(Literal::Float),
        _ => None,
    }
}
