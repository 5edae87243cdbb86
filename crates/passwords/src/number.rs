//! Numbers in stored hashes.

/// A decimal number as C's and Python's `%d` write it: no sign, no space, no leading zero.
pub(crate) fn plain(text: &str) -> Option<u32> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits {
        text.parse().ok()
    } else {
        None
    }
}

/// As [`plain`], and not 0.
pub(crate) fn positive(text: &str) -> Option<u32> {
    plain(text).filter(|number| *number > 0)
}
