//! Patterns of keys, and the keys that fit one.

/// A pattern of keys, as `MATCH` of Redis takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPattern(Vec<u8>);

impl KeyPattern {
    /// Keys that begin with `text`.
    #[must_use]
    pub fn beginning(text: &[u8]) -> Self {
        Self::default().text(text).anything()
    }

    /// Then `text`, letter for letter.
    #[must_use]
    pub fn text(mut self, text: &[u8]) -> Self {
        for byte in text {
            // What has a meaning of its own (`stringmatchlen` in util.c of Redis 7).
            if b"*?[\\".contains(byte) {
                self.0.push(b'\\');
            }
            self.0.push(*byte);
        }
        self
    }

    /// Then any bytes, or none.
    #[must_use]
    pub fn anything(mut self) -> Self {
        self.0.push(b'*');
        self
    }

    /// Then any `count` bytes.
    #[must_use]
    pub fn bytes(mut self, count: usize) -> Self {
        self.0.extend(std::iter::repeat_n(b'?', count));
        self
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Keys that fit a pattern.
#[derive(Debug, Default)]
pub struct Keys {
    /// Each once, in no order.
    pub keys: Vec<Vec<u8>>,
    /// Whether no other key fits. Otherwise not all keys were looked at, and that none was found
    /// says nothing.
    pub all: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_a_pattern_means_itself() {
        for (text, pattern) in [
            (
                &b":1:django.contrib.sessions.cache"[..],
                &b":1:django.contrib.sessions.cache*"[..],
            ),
            (b"", b"*"),
            (b"a*b?c[d]e\\f^-", b"a\\*b\\?c\\[d]e\\\\f^-*"),
            (b"\xff\r\n", b"\xff\r\n*"),
        ] {
            assert_eq!(KeyPattern::beginning(text).as_bytes(), pattern);
        }
        let pattern = KeyPattern::default()
            .anything()
            .text(b"x")
            .bytes(3)
            .text(b"?");
        assert_eq!(pattern.as_bytes(), b"*x???\\?");
    }
}
