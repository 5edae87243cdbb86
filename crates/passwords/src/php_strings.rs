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
