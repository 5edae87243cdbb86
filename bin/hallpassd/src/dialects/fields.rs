//! Reads the fields of a request from a form or from JSON.
//!
//! A field that is there twice makes a request malformed, because parsers differ in which one
//! counts. So does an invalid escape in a form.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// A request that cannot be read with certainty, or that lacks a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The fields of a request, by their names. They hold passwords, so they cannot be printed.
#[derive(Default)]
pub struct Fields(BTreeMap<String, Value>);

enum Value {
    Text(Zeroizing<Vec<u8>>),
    Number(u64),
    Fields(Fields),
    Null,
    /// What no dialect asks for: lists, booleans, fractions.
    Other,
}

impl Fields {
    /// Reads `text` as `application/x-www-form-urlencoded`, which queries have as well.
    ///
    /// # Errors
    /// [`Malformed`] for an invalid escape, a name that is not UTF-8, and a field that is there
    /// twice.
    pub fn form(text: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        for pair in text.split(|byte| *byte == b'&') {
            if pair.is_empty() {
                continue;
            }
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let name = decode(parts.next().unwrap_or_default())?;
            let value = decode(parts.next().unwrap_or_default())?;
            let name = std::str::from_utf8(&name).map_err(|_| Malformed)?;
            let before = fields.0.insert(name.to_owned(), Value::Text(value));
            if before.is_some() {
                return Err(Malformed);
            }
        }
        Ok(fields)
    }

    /// Reads `text` as a JSON object.
    ///
    /// # Errors
    /// [`Malformed`] for everything else, and for a field that is there twice.
    pub fn json(text: &[u8]) -> Result<Self, Malformed> {
        serde_json::from_slice(text).map_err(|_| Malformed)
    }

    /// The text of a field.
    ///
    /// # Errors
    /// [`Malformed`] where it is not there, not a text, or not UTF-8.
    pub fn text(&self, name: &str) -> Result<&str, Malformed> {
        std::str::from_utf8(self.bytes(name)?).map_err(|_| Malformed)
    }

    /// The bytes of a field, which need not be UTF-8 in a form.
    ///
    /// # Errors
    /// [`Malformed`] where it is not there, or not a text.
    pub fn bytes(&self, name: &str) -> Result<&[u8], Malformed> {
        match self.0.get(name) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(Malformed),
        }
    }

    /// The number in a field: a number of JSON, or the digits of one.
    ///
    /// # Errors
    /// [`Malformed`] where it is not there, or not a number.
    pub fn number(&self, name: &str) -> Result<u64, Malformed> {
        match self.0.get(name) {
            Some(Value::Number(number)) => Ok(*number),
            Some(Value::Text(_)) => self.text(name)?.parse().map_err(|_| Malformed),
            _ => Err(Malformed),
        }
    }

    /// The fields within a field.
    ///
    /// # Errors
    /// [`Malformed`] where it is not there, or not an object.
    pub fn within(&self, name: &str) -> Result<&Self, Malformed> {
        match self.0.get(name) {
            Some(Value::Fields(fields)) => Ok(fields),
            _ => Err(Malformed),
        }
    }

    /// Whether a field is there, and not null.
    pub fn has(&self, name: &str) -> bool {
        !matches!(self.0.get(name), None | Some(Value::Null))
    }

    /// The address of the client in the first of these fields that is there; `None` where that is
    /// not an address.
    pub fn address(&self, names: &[&str]) -> Option<IpAddr> {
        let name = names.iter().find(|name| self.has(name))?;
        let address: IpAddr = self.text(name).ok()?.parse().ok()?;
        Some(address.to_canonical())
    }
}

/// Decodes percent-encoding, and a plus as a space.
fn decode(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    let digit = |byte: Option<&u8>| {
        let digit = char::from(*byte.ok_or(Malformed)?).to_digit(16);
        digit
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or(Malformed)
    };
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = digit(bytes.next())?;
                (high << 4) | digit(bytes.next())?
            }
            other => *other,
        });
    }
    Ok(plain)
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let value: Value = map.next_value()?;
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("a field is there twice"));
            }
        }
        Ok(Fields(fields))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// Reads any value. How deep objects may stand in each other, `serde_json` limits.
struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(Zeroizing::new(text.as_bytes().to_vec())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        FieldsVisitor.visit_map(map).map(Value::Fields)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read() {
        let fields =
            Fields::form(b"username=al+ice%40x&&password=%C3%A4%26%FF%00&empty=&bare&acc=2");
        let fields = fields.unwrap();
        assert_eq!(fields.text("username"), Ok("al ice@x"));
        assert_eq!(fields.bytes("password"), Ok(&b"\xc3\xa4&\xff\0"[..]));
        assert_eq!(fields.text("password"), Err(Malformed));
        assert_eq!(fields.text("empty"), Ok(""));
        assert_eq!(fields.text("bare"), Ok(""));
        assert_eq!(fields.number("acc"), Ok(2));
        assert_eq!(fields.number("empty"), Err(Malformed));
        assert_eq!(fields.text("absent"), Err(Malformed));
    }

    #[test]
    fn objects_are_read() {
        let text = "{\"user\": {\"id\": \"@a:b\", \"x\": [1, {\"y\": null}]}, \"n\": 4, \"m\": -1, \
                    \"f\": 1.5, \"t\": true, \"none\": null, \"s\": \"\\u0000\\\"ä\"}";
        let fields = Fields::json(text.as_bytes()).unwrap();
        assert_eq!(fields.within("user").unwrap().text("id"), Ok("@a:b"));
        assert_eq!(fields.number("n"), Ok(4));
        assert_eq!(fields.text("s"), Ok("\0\"ä"));
        for name in ["m", "f", "t", "none", "user", "absent"] {
            assert_eq!(fields.text(name), Err(Malformed), "{name}");
            assert_eq!(fields.number(name), Err(Malformed), "{name}");
        }
        assert!(fields.has("t") && !fields.has("none") && !fields.has("absent"));
    }

    #[test]
    fn what_parsers_differ_in_is_malformed() {
        for form in [
            &b"user=alice&user=bob"[..],
            b"user=alice&%75ser=bob",
            b"user=alice&user",
            b"=&=",
            b"user=%",
            b"user=%4",
            b"user=%4g",
            b"user=%zz",
            b"%ff=a",
        ] {
            assert!(Fields::form(form).is_err(), "{}", form.escape_ascii());
        }
        for json in [
            &b"{\"user\": \"alice\", \"user\": \"bob\"}"[..],
            b"{\"user\": \"alice\", \"\\u0075ser\": \"bob\"}",
            b"{\"user\": {\"id\": 1, \"id\": 2}}",
            b"{\"user\": \"alice\"} {}",
            b"{\"user\": \"alice\"}\0",
            b"{\"user\": \"\xff\"}",
            b"{\"user\": \"\\ud800\"}",
            b"{\"user\": \"alice\",}",
            b"{user: \"alice\"}",
            b"[\"alice\"]",
            b"\"alice\"",
            b"null",
            b"",
            b"{",
            b"\xef\xbb\xbf{}",
        ] {
            assert!(Fields::json(json).is_err(), "{}", json.escape_ascii());
        }
        let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
        assert!(Fields::json(deep.as_bytes()).is_err());
        // Lists are passed over, however deep they are.
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(Fields::json(deep.as_bytes()).is_ok());
    }

    #[test]
    fn addresses_are_read() {
        let fields =
            Fields::form(b"a=192.0.2.1&b=::ffff:192.0.2.1&c=host&d=&e=192.0.2.1:80").unwrap();
        let known = "192.0.2.1".parse().ok();
        for (names, expected) in [
            (&["a"][..], known),
            (&["x", "b"], known),
            (&["c", "a"], None),
            (&["d"], None),
            (&["e"], None),
            (&["x"], None),
        ] {
            assert_eq!(fields.address(names), expected, "{names:?}");
        }
    }
}
