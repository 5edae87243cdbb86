//! Deserializes a parsed table into a struct, with this crate's messages.

use std::cell::Cell;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};
use zeroize::Zeroizing;

use crate::{Error, words};

/// Another file that says something of the keys that a table does not have, such as a site's own
/// file of settings.
pub trait Fallback {
    /// What it says of `key`.
    ///
    /// # Errors
    /// [`Error`] where that cannot be told.
    fn get(&self, key: &str) -> Result<Option<Given>, Error>;
}

/// A value of another file.
pub enum Given {
    /// Text, or what can be written as text.
    Text(Zeroizing<Vec<u8>>),
    /// Anything else.
    Other,
}

/// The line of the file `text` on which `key` stands.
pub(crate) fn line_of(text: &str, key: &Spanned<DeString<'_>>) -> usize {
    line_at(text, key.span().start)
}

/// The line of the file `text` on which the byte at `offset` stands.
pub(crate) fn line_at(text: &str, offset: usize) -> usize {
    let before = text.bytes().take(offset);
    1 + before.filter(|byte| *byte == b'\n').count()
}

/// The keys that `T` reads.
#[must_use]
pub fn fields<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let found = Cell::default();
    // An error, whatever `T` is: only the names of the fields are wanted.
    drop(T::deserialize(Fields(&found)));
    found.get()
}

/// Takes down which keys a struct asks for.
struct Fields<'a>(&'a Cell<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::words("is not a table"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.set(fields);
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Reads a table into a struct, its keys in the struct's order.
pub(crate) struct TableReader<'a, 'f> {
    /// The whole file, which tells the lines of keys.
    pub(crate) text: &'a str,
    /// `None` reads as an empty one.
    pub(crate) table: Option<&'a DeTable<'a>>,
    pub(crate) fallback: Option<&'f dyn Fallback>,
    /// Keys that are not the struct's own, and may stand here.
    pub(crate) others: &'f [&'f str],
}

impl<'a> Deserializer<'a> for TableReader<'a, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        let entry = |(key, value): (&'a Spanned<_>, &'a Spanned<_>)| {
            self.entry(DeString::as_ref(key.get_ref()), key, value)
        };
        let entries = self.table.into_iter().flatten().map(entry).collect();
        visitor.visit_map(Entries::of(entries))
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        // Before anything is missed: it may be there, misspelt.
        for (key, _) in self.table.into_iter().flatten() {
            let word = key.get_ref().as_ref();
            if !fields.contains(&word) && !self.others.contains(&word) {
                let known = fields.iter().chain(self.others).copied();
                let line = line_of(self.text, key);
                return Err(Error::words(words::unknown_key(word, known)).under(word, Some(line)));
            }
        }
        let mut entries = Vec::new();
        for field in fields {
            if let Some((key, value)) = self.table.and_then(|table| table.get_key_value(*field)) {
                entries.push(self.entry(field, key, value));
            } else if let Some(fallback) = self.fallback
                && let Some(given) = fallback.get(field)?
            {
                entries.push(Entry {
                    key: field,
                    line: None,
                    value: Value::Given(given),
                });
            }
        }
        visitor.visit_map(Entries::of(entries))
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'a> TableReader<'a, '_> {
    fn entry(
        &self,
        key: &'a str,
        place: &Spanned<DeString<'_>>,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Entry<'a> {
        Entry {
            key,
            line: Some(line_of(self.text, place)),
            value: Value::Written(ValueReader {
                text: self.text,
                value: value.get_ref(),
                in_list: false,
            }),
        }
    }
}

struct Entry<'a> {
    key: &'a str,
    line: Option<usize>,
    value: Value<'a>,
}

enum Value<'a> {
    Written(ValueReader<'a>),
    Given(Given),
}

struct Entries<'a> {
    rest: std::vec::IntoIter<Entry<'a>>,
    /// The one whose key has been read.
    current: Option<Entry<'a>>,
}

impl<'a> Entries<'a> {
    fn of(entries: Vec<Entry<'a>>) -> Self {
        Self {
            rest: entries.into_iter(),
            current: None,
        }
    }
}

impl<'a> MapAccess<'a> for Entries<'a> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.current = self.rest.next();
        let Some(entry) = &self.current else {
            return Ok(None);
        };
        let key: StrDeserializer<'_, Error> = entry.key.into_deserializer();
        let line = entry.line;
        // What is wrong with a key alone names it, and only its line is missing.
        seed.deserialize(key)
            .map(Some)
            .map_err(|error| error.on(line))
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some(Entry { key, line, value }) = self.current.take() else {
            return Err(Error::words("has no value"));
        };
        let read = match value {
            Value::Written(value) => seed.deserialize(value),
            Value::Given(given) => seed.deserialize(GivenReader(given)),
        };
        read.map_err(|error| error.under(key, line))
    }
}

/// Reads a value that stands in the file.
#[derive(Clone, Copy)]
struct ValueReader<'a> {
    text: &'a str,
    value: &'a DeValue<'a>,
    in_list: bool,
}

impl<'a> ValueReader<'a> {
    fn text(&self) -> Result<&'a str, Error> {
        match self.value {
            DeValue::String(text) => Ok(text.as_ref()),
            _ if self.in_list => Err(Error::words("holds something that is not a string")),
            _ => Err(Error::words("is not a string")),
        }
    }
}

impl<'a> Deserializer<'a> for ValueReader<'a> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            DeValue::String(text) => visitor.visit_str(text.as_ref()),
            // A number that is not a u64 is out of range for every key.
            DeValue::Integer(number) => {
                match u64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => visitor.visit_u64(number),
                    Err(_) => visitor.visit_i64(i64::MIN),
                }
            }
            DeValue::Boolean(truth) => visitor.visit_bool(*truth),
            DeValue::Array(array) => visitor.visit_seq(Elements {
                text: self.text,
                rest: array.iter(),
            }),
            DeValue::Table(table) => self.table(table).deserialize_any(visitor),
            DeValue::Float(_) | DeValue::Datetime(_) => visitor.visit_unit(),
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            DeValue::Boolean(truth) => visitor.visit_bool(*truth),
            _ => Err(Error::words("is neither true nor false")),
        }
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            DeValue::Array(_) => self.deserialize_any(visitor),
            _ => Err(Error::words(
                "is not a list of strings, as in [\"a\", \"b\"]",
            )),
        }
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.value {
            DeValue::Table(table) => self.table(table).deserialize_struct(name, fields, visitor),
            _ => Err(Error::words("is not a table")),
        }
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let word = self.text()?;
        if self.in_list && !words.contains(&word) {
            return Err(Error::words(words::may_hold(words)));
        }
        let word: StrDeserializer<'_, Error> = word.into_deserializer();
        visitor.visit_enum(word)
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple
        tuple_struct map identifier ignored_any
    }
}

impl<'a> ValueReader<'a> {
    fn table(&self, table: &'a DeTable<'a>) -> TableReader<'a, 'static> {
        TableReader {
            text: self.text,
            table: Some(table),
            fallback: None,
            others: &[],
        }
    }
}

struct Elements<'a> {
    text: &'a str,
    rest: std::slice::Iter<'a, Spanned<DeValue<'a>>>,
}

impl<'a> SeqAccess<'a> for Elements<'a> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(value) = self.rest.next() else {
            return Ok(None);
        };
        let element = ValueReader {
            text: self.text,
            value: value.get_ref(),
            in_list: true,
        };
        seed.deserialize(element).map(Some)
    }
}

/// Reads a value that another file has: always bytes, or nothing that can be read.
struct GivenReader(Given);

impl<'de> Deserializer<'de> for GivenReader {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Given::Text(text) => visitor.visit_bytes(&text),
            Given::Other => visitor.visit_none(),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}
