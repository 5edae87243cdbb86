//! Splits the bytes of `serialize` and of PHP's session handlers into their parts.

use super::tree::Failure;

/// Reads values out of a text, one by one, with one count of numbers.
pub(super) struct Reader<'a> {
    text: &'a [u8],
    /// Where the next byte is.
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    pub(super) fn end(&self) -> Result<(), Failure> {
        if self.at_end() {
            return Ok(());
        }
        Err(Failure::Broken("something follows the value"))
    }

    /// The bytes up to `delimiter`, and past it.
    pub(super) fn until(&mut self, delimiter: u8) -> Result<&'a [u8], Failure> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == delimiter);
        let length = length.ok_or(Failure::Broken("the text ends within a value"))?;
        let found = self.bytes(length)?;
        self.at += 1;
        Ok(found)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Failure> {
        match self.bytes(1)? {
            [byte] => Ok(*byte),
            _ => Err(Failure::Broken("the text ends within a value")),
        }
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Failure> {
        let end = self.at.checked_add(length);
        let found = end.and_then(|end| self.text.get(self.at..end));
        let found = found.ok_or(Failure::Broken("the text ends within a value"))?;
        self.at += length;
        Ok(found)
    }

    pub(super) fn word(&mut self, word: &[u8]) -> Result<(), Failure> {
        if self.bytes(word.len())? == word {
            return Ok(());
        }
        Err(Failure::Broken("a delimiter is missing"))
    }

    /// A length and its colon.
    pub(super) fn length(&mut self) -> Result<usize, Failure> {
        let digits = self.until(b':')?;
        number(digits).ok_or(Failure::Broken("a length that is not a number"))
    }

    /// How many values an array or an object has, up to its opening brace.
    pub(super) fn count(&mut self) -> Result<u64, Failure> {
        let count = self.length()?;
        self.word(b"{")?;
        Ok(count as u64)
    }

    pub(super) fn integer(&mut self) -> Result<i64, Failure> {
        let text = self.until(b';')?;
        let parsed = std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok());
        parsed.ok_or(Failure::Broken(
            "an integer that is not one, or of more than 64 bits",
        ))
    }

    pub(super) fn float(&mut self) -> Result<f64, Failure> {
        let text = self.until(b';')?;
        match text {
            b"NAN" => return Ok(f64::NAN),
            b"INF" => return Ok(f64::INFINITY),
            b"-INF" => return Ok(f64::NEG_INFINITY),
            _ => {}
        }
        // Without letters but an exponent's, Rust reads what PHP does, `.5`, `5.` and `+5.E+2` too.
        let decimal = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let text = Some(text).filter(|text| text.iter().all(decimal));
        let parsed = text.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        parsed.ok_or(Failure::Broken("a float is not a number"))
    }

    /// From the length on, with what follows the closing quote: `;` or `:`.
    pub(super) fn quoted(&mut self, after: &[u8]) -> Result<&'a [u8], Failure> {
        let length = self.length()?;
        self.word(b"\"")?;
        let found = self.bytes(length)?;
        self.word(b"\"")?;
        self.word(after)?;
        Ok(found)
    }
}

pub(super) fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
