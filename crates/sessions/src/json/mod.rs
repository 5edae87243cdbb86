//! Reads the wanted members of a JSON object as Python does, and keeps nothing else. Not by
//! `serde_json`, which would give wrong verdicts: it refuses the `NaN` and `Infinity` that Python's
//! `json` writes, stops at a depth of 128 where Python goes on to about a thousand, and does not
//! read Latin-1, which Django decodes sessions with.
//!
//! A session may hold megabytes of the site's own data around the three texts that say who is
//! logged in. This reader checks the whole text (RFC 8259, with the two additions) without
//! building it: no recursion, and memory only for the nesting (a byte a level) and the members
//! asked for.

mod path;

pub(crate) use self::path::{Dialect, Place, at, only_member, scalar};
use crate::{LONGEST_TEXT, Value};

/// The encoding of bytes past ASCII. Python's `json` writes none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// The encoding that Django's `JSONSerializer` decodes with (core/signing.py, 5.2).
    Latin1,
    /// The encoding of django-redis (serializers/json.py, 6.0).
    Utf8,
}

/// The deepest nesting that is read. Python's own reader gives up at about a thousand.
const DEPTH: usize = 1000;

/// Reads the members called `wanted` of the object that `text` is. As in Python, the last of
/// several members of one name counts. `None` when `text` is not one JSON object.
pub(crate) fn members<const N: usize>(
    text: &[u8],
    encoding: Encoding,
    wanted: [&str; N],
) -> Option<[Option<Value>; N]> {
    if encoding == Encoding::Utf8 && std::str::from_utf8(text).is_err() {
        return None;
    }
    let mut reader = Reader::new(text, Dialect::Python);
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
            let slot = wanted.iter().position(|wanted| name.is(wanted));
            if let Some(slot) = slot.and_then(|slot| found.get_mut(slot)) {
                *slot = Some(match value {
                    Written::Text(text) => text.value(encoding),
                    Written::Other(value) => value,
                });
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

/// Whether `text` is JSON, of whatever kind but `null`.
pub(crate) fn is_value(text: &[u8]) -> bool {
    let mut reader = Reader::new(text, Dialect::Python);
    let value = reader.value();
    reader.space();
    let whole = reader.rest.is_empty() && std::str::from_utf8(text).is_ok();
    whole && value.is_some_and(|value| !matches!(value, Written::Other(Value::Null)))
}

struct Reader<'a> {
    rest: &'a [u8],
    dialect: Dialect,
}

impl<'a> Reader<'a> {
    fn new(text: &'a [u8], dialect: Dialect) -> Self {
        Self {
            rest: text,
            dialect,
        }
    }

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
    fn value(&mut self) -> Option<Written<'a>> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.space();
            let value = match self.peek()? {
                b'"' => Written::Text(self.string()?),
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
                    Written::Other(Value::Other)
                }
                _ => Written::Other(self.scalar()?),
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
                    return Some(Written::Other(Value::Other));
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
            b't' => word(self, b"true", Value::Boolean(true)),
            b'f' => word(self, b"false", Value::Boolean(false)),
            b'N' | b'I' if self.dialect == Dialect::JavaScript => None,
            b'N' => word(self, b"NaN", Value::Other),
            b'I' => word(self, b"Infinity", Value::Other),
            b'-' if self.dialect == Dialect::Python && self.rest.starts_with(b"-I") => {
                word(self, b"-Infinity", Value::Other)
            }
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

    /// A string with its quotes: checked here, read where it is wanted.
    fn string(&mut self) -> Option<Text<'a>> {
        self.take(b'"')?;
        let start = self.rest;
        loop {
            match self.next()? {
                b'"' => {
                    let length = start.len() - self.rest.len() - 1;
                    return start.get(..length).map(Text);
                }
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        let (digits, rest) = self.rest.split_at_checked(4)?;
                        if !digits.iter().all(u8::is_ascii_hexdigit) {
                            return None;
                        }
                        self.rest = rest;
                    }
                    _ => return None,
                },
                ..b' ' => return None,
                _ => {}
            }
        }
    }
}

enum Written<'a> {
    Text(Text<'a>),
    Other(Value),
}

/// The text between a string's quotes.
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    /// Names that are wanted are ASCII, in which every encoding is the same.
    fn is(&self, name: &str) -> bool {
        // Escapes only make it longer: six bytes for one.
        self.0 == name.as_bytes()
            || (self.0.contains(&b'\\')
                && self.0.len() <= name.len() * 6
                && self.read(Encoding::Latin1).as_deref() == Some(name))
    }

    /// The same for any name, where the text is in UTF-8.
    fn is_text(&self, name: &str) -> bool {
        self.0 == name.as_bytes()
            || (self.0.contains(&b'\\')
                && self.0.len() <= name.len() * 6
                && self.read(Encoding::Utf8).as_deref() == Some(name))
    }

    fn value(&self, encoding: Encoding) -> Value {
        if self.0.len() > LONGEST_TEXT {
            return Value::Other;
        }
        self.read(encoding).map_or(Value::Other, Value::Text)
    }

    /// Undoes the escapes. Lone surrogates, which Python writes and no Rust string can hold, become
    /// U+FFFD: no text that is compared with anything contains one.
    fn read(&self, encoding: Encoding) -> Option<String> {
        let mut text = Vec::with_capacity(self.0.len());
        let mut rest = self.0;
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            let character = match byte {
                b'\\' => {
                    let (character, after) = escape(rest)?;
                    rest = after;
                    character
                }
                byte if encoding == Encoding::Latin1 => char::from(*byte),
                byte => {
                    text.push(*byte);
                    continue;
                }
            };
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        String::from_utf8(text).ok()
    }
}

/// The character of an escape after its backslash, and what follows.
fn escape(text: &[u8]) -> Option<(char, &[u8])> {
    let (byte, rest) = text.split_first()?;
    let character = match byte {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(rest),
        byte => char::from(*byte),
    };
    Some((character, rest))
}

/// The character of one `\u` escape, or of two that are a surrogate pair, after its letter.
fn unicode(digits: &[u8]) -> Option<(char, &[u8])> {
    let (unit, rest) = unit(digits)?;
    let low = rest.strip_prefix(b"\\u").and_then(self::unit);
    if let Some((low @ 0xdc00..0xe000, rest)) = low
        && (0xd800..0xdc00).contains(&unit)
    {
        let scalar = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        return Some((char::from_u32(scalar)?, rest));
    }
    Some((
        char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER),
        rest,
    ))
}

fn unit(digits: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = digits.split_at_checked(4)?;
    let unit = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some((unit, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<[Option<Value>; 2]> {
        members(text.as_bytes(), Encoding::Latin1, ["a", "b"])
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
        for value in ["[]", "{}", "[1]", "{\"k\":1}", "99999999999999999999"] {
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
            assert_eq!(
                members(&text.as_bytes()[..length], Encoding::Latin1, ["a"]),
                None,
                "{length}"
            );
        }
    }

    #[test]
    fn nesting_is_limited_and_never_recursive() {
        let nest = |depth: usize| {
            let text = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
            members(text.as_bytes(), Encoding::Latin1, ["a"])
        };
        assert_eq!(nest(900), Some([Some(Value::Other)]));
        assert_eq!(nest(100_000), None);
        let objects = "{\"a\":".repeat(100_000);
        assert_eq!(members(objects.as_bytes(), Encoding::Latin1, ["a"]), None);
    }

    #[test]
    fn lone_surrogates_and_latin_1_do_no_harm() {
        let text = b"{\"a\":\"\\ud800x\\ud800\\u0041\xe4\"}";
        let expected = Value::Text("\u{fffd}x\u{fffd}A\u{e4}".into());
        assert_eq!(
            members(text, Encoding::Latin1, ["a"]),
            Some([Some(expected)])
        );
        assert_eq!(members(text, Encoding::Utf8, ["a"]), None);
        let text = "{\"a\":\"ä\\u00e4😀\",\"ä\":1}".as_bytes();
        let expected = Value::Text("ää😀".into());
        assert_eq!(members(text, Encoding::Utf8, ["a"]), Some([Some(expected)]));
    }
}
