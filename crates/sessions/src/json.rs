//! The members of a JSON object that are wanted, and nothing else kept.
//!
//! A session may hold megabytes of the site's own data around the three texts that say who is
//! logged in. This reader checks the whole text (RFC 8259, with the `NaN` and `Infinity` that
//! Python's `json` writes) without building it: no recursion, and memory only for the nesting
//! (a byte a level) and the members asked for.

use std::borrow::Cow;

/// A member's value, as far as anybody here cares.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Null,
    /// A number with a fraction or an exponent.
    Fraction(f64),
    /// An array, an object, a boolean or a whole number past 64 bits.
    Other,
}

/// The deepest nesting that is read. Python's own reader gives up at about a thousand.
const DEPTH: usize = 1000;

/// Reads the members called `wanted` of the object that `text` is. As in Python, the last of
/// several members of one name counts. `None` when `text` is not one JSON object.
///
/// Bytes past ASCII stand for themselves as in Latin-1, the encoding that Django's
/// `JSONSerializer` decodes with (core/signing.py, 5.2).
pub(crate) fn members<const N: usize>(
    text: &[u8],
    wanted: [&str; N],
) -> Option<[Option<Value>; N]> {
    let mut reader = Reader { rest: text };
    let mut found = [const { None }; N];
    reader.space();
    reader.take(b'{')?;
    reader.space();
    if reader.take(b'}').is_none() {
        loop {
            reader.space();
            let name = reader.string()?;
            reader.space();
            reader.take(b':')?;
            let value = reader.value()?;
            if let Some(slot) = wanted.iter().position(|wanted| *wanted == name)
                && let Some(slot) = found.get_mut(slot)
            {
                *slot = Some(value);
            }
            reader.space();
            match reader.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
    }
    reader.space();
    reader.rest.is_empty().then_some(found)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.rest = self.rest.get(1..).unwrap_or_default())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.next();
        }
    }

    /// One value with the space before it. Arrays and objects are checked and passed over.
    fn value(&mut self) -> Option<Value> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.space();
            let value = match self.peek()? {
                b'"' => Value::Text(self.string()?.into_owned()),
                bracket @ (b'[' | b'{') => {
                    self.next();
                    self.space();
                    if self
                        .take(if bracket == b'[' { b']' } else { b'}' })
                        .is_none()
                    {
                        if open.len() >= DEPTH {
                            return None;
                        }
                        open.push(bracket);
                        if bracket == b'{' {
                            self.name()?;
                        }
                        continue;
                    }
                    Value::Other
                }
                _ => self.scalar()?,
            };
            loop {
                let Some(bracket) = open.last() else {
                    return Some(value);
                };
                let object = *bracket == b'{';
                self.space();
                match self.next()? {
                    b',' => {
                        if object {
                            self.name()?;
                        }
                        break;
                    }
                    b'}' if object => {}
                    b']' if !object => {}
                    _ => return None,
                }
                open.pop();
                if open.is_empty() {
                    return Some(Value::Other);
                }
            }
        }
    }

    fn name(&mut self) -> Option<()> {
        self.space();
        self.string()?;
        self.space();
        self.take(b':')
    }

    fn scalar(&mut self) -> Option<Value> {
        let word = |reader: &mut Self, word: &[u8], value| reader.word(word).map(|()| value);
        match self.peek()? {
            b'n' => word(self, b"null", Value::Null),
            b't' => word(self, b"true", Value::Other),
            b'f' => word(self, b"false", Value::Other),
            b'N' => word(self, b"NaN", Value::Other),
            b'I' => word(self, b"Infinity", Value::Other),
            b'-' if self.rest.starts_with(b"-I") => word(self, b"-Infinity", Value::Other),
            _ => self.number(),
        }
    }

    /// RFC 8259 section 6.
    fn number(&mut self) -> Option<Value> {
        let start = self.rest;
        let _ = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        let mut whole = true;
        if self.take(b'.').is_some() {
            whole = false;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            whole = false;
            self.next();
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.next();
            }
            self.digits()?;
        }
        let text = start.get(..start.len() - self.rest.len())?;
        let text = std::str::from_utf8(text).ok()?;
        Some(if whole {
            text.parse().map_or(Value::Other, Value::Integer)
        } else {
            text.parse().map_or(Value::Other, Value::Fraction)
        })
    }

    fn digits(&mut self) -> Option<()> {
        let count = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.rest = self.rest.get(count..)?;
        (count > 0).then_some(())
    }

    /// A string with its quotes. Lone surrogates, which Python writes and no Rust string can
    /// hold, become U+FFFD: no text that is compared with anything contains one.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.take(b'"')?;
        let plain = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\\' | ..b' '))
            .count();
        let (head, rest) = self.rest.split_at_checked(plain)?;
        let head = std::str::from_utf8(head).ok()?;
        self.rest = rest;
        if self.take(b'"').is_some() {
            return Some(Cow::Borrowed(head));
        }
        let mut text = head.to_owned();
        loop {
            match self.next()? {
                b'"' => return Some(Cow::Owned(text)),
                b'\\' => text.push(self.escape()?),
                ..b' ' => return None,
                byte => text.push(char::from(byte)),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.unit()?;
                if (0xd800..0xdc00).contains(&unit) && self.rest.starts_with(b"\\u") {
                    let before = self.rest;
                    self.word(b"\\u")?;
                    let low = self.unit()?;
                    if (0xdc00..0xe000).contains(&low) {
                        let scalar = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        return char::from_u32(scalar);
                    }
                    self.rest = before;
                }
                char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        self.rest = rest;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<[Option<Value>; 2]> {
        members(text.as_bytes(), ["a", "b"])
    }

    #[test]
    fn wanted_members_are_found_among_others() {
        let text = r#" {"x": [1, {"a": [[]], "y": {}}, "]}"], "a" : "t\u00e4\ud83d\ude00\n",
            "z":-0.5e+3,"b":42, "n": [NaN, Infinity, -Infinity, true, false, null]} "#;
        assert_eq!(
            read(text),
            Some([Some(Value::Text("tä😀\n".into())), Some(Value::Integer(42))])
        );
    }

    #[test]
    fn the_last_of_two_members_counts() {
        assert_eq!(read(r#"{"a":1,"a":null}"#), Some([Some(Value::Null), None]));
    }

    #[test]
    fn values_of_no_interest_are_other() {
        for value in [
            "[]",
            "{}",
            "[1]",
            "{\"k\":1}",
            "true",
            "99999999999999999999",
        ] {
            let found = read(&format!("{{\"a\":{value}}}"));
            assert_eq!(found, Some([Some(Value::Other), None]), "{value}");
        }
    }

    #[test]
    fn fractions_are_told_from_whole_numbers() {
        assert_eq!(
            read("{\"a\":1.5}"),
            Some([Some(Value::Fraction(1.5)), None])
        );
        assert_eq!(
            read("{\"a\":-1e2}"),
            Some([Some(Value::Fraction(-100.0)), None])
        );
        assert_eq!(read("{\"a\":-12}"), Some([Some(Value::Integer(-12)), None]));
    }

    #[test]
    fn empty_objects_have_no_members() {
        assert_eq!(read("{}"), Some([None, None]));
        assert_eq!(read(" { } "), Some([None, None]));
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        for text in [
            "",
            "{",
            "}",
            "[]",
            "null",
            "1",
            "\"a\"",
            "{}{}",
            "{} x",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1 \"b\":2}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":+1}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":1e}",
            "{\"a\":-}",
            "{\"a\":tru}",
            "{\"a\":[1}",
            "{\"a\":{1:2}}",
            "{\"a\":{\"k\"}}",
            "{\"a\":{\"k\":1]}",
            "{\"a\":[1,]}",
            "{\"a\":[,1]}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"\\u+123\"}",
            "{\"a\":\"",
            "{\"a\":\"\\",
            "{\"a\":\"\\u12",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let text = r#"{"x":[1,{"y":"\ud83d\ude00"}],"a":"1","b":-1.5e3}"#;
        for length in 0..text.len() {
            assert_eq!(members(&text.as_bytes()[..length], ["a"]), None, "{length}");
        }
    }

    #[test]
    fn nesting_is_limited_and_never_recursive() {
        let nest = |depth: usize| {
            let text = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
            members(text.as_bytes(), ["a"])
        };
        assert_eq!(nest(900), Some([Some(Value::Other)]));
        assert_eq!(nest(100_000), None);
        let objects = "{\"a\":".repeat(100_000);
        assert_eq!(members(objects.as_bytes(), ["a"]), None);
    }

    #[test]
    fn lone_surrogates_and_latin_1_do_no_harm() {
        let text = b"{\"a\":\"\\ud800x\\ud800\\u0041\xe4\"}";
        let expected = Value::Text("\u{fffd}x\u{fffd}A\u{e4}".into());
        assert_eq!(members(text, ["a"]), Some([Some(expected)]));
    }
}
