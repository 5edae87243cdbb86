//! Reads the wanted members of a session, in JSON or in Marshal's format, as far as they are of use.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::marshal;
use crate::{Invalid, LONGEST_TEXT, MAX_INPUT};

/// How deep lists are kept: Warden's key is a list in a list. Of a hash, what is neither a list nor a
/// hash is kept. These limits bound the work where links in a dump multiply.
pub(super) const DEPTH: usize = 3;
/// The longest list that is kept.
pub(super) const LONGEST_LIST: usize = 4;
/// The largest hash that is kept.
pub(super) const LONGEST_MAP: usize = 256;

/// How the application writes its cookies (`config.action_dispatch.cookies_serializer`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serializer {
    /// `:json`: a dump of Marshal's is refused.
    Json,
    /// `:hybrid`, `:json_allow_marshal` and `:marshal`, which read either.
    Either,
}

/// The value of a member.
#[derive(Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Boolean(bool),
    Integer(i64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// Anything else, and what is too long, too large or too deep.
    Other,
}

/// The members called `wanted` of the session in `payload`.
pub(super) fn members<const N: usize>(
    payload: &[u8],
    serializer: Serializer,
    wanted: [&str; N],
) -> Result<[Option<Node>; N], Invalid> {
    if payload.len() > MAX_INPUT {
        return Err(Invalid::TooLarge(MAX_INPUT));
    }
    if payload.starts_with(marshal::SIGNATURE) {
        return match serializer {
            Serializer::Json => Err(Invalid::Format("it is a Marshal dump, not JSON")),
            Serializer::Either => marshal::members(payload, wanted),
        };
    }
    json(payload, wanted)
}

/// The value that `payload` is.
pub(super) fn value(payload: &[u8], serializer: Serializer) -> Result<Node, Invalid> {
    if payload.len() > MAX_INPUT {
        return Err(Invalid::TooLarge(MAX_INPUT));
    }
    if payload.starts_with(marshal::SIGNATURE) {
        return match serializer {
            Serializer::Json => Err(Invalid::Format("it is a Marshal dump, not JSON")),
            Serializer::Either => marshal::value(payload),
        };
    }
    let mut reader = serde_json::Deserializer::from_slice(payload);
    let found = Within(0).deserialize(&mut reader);
    let found = found.and_then(|found| reader.end().map(|()| found));
    found.map_err(|_| Invalid::Format("it is not JSON"))
}

/// The members called `wanted` of the JSON object that `text` is. Of several members of one name the
/// last counts, as Ruby has it.
fn json<const N: usize>(text: &[u8], wanted: [&str; N]) -> Result<[Option<Node>; N], Invalid> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let found = Members(wanted).deserialize(&mut reader);
    let found = found.and_then(|found| reader.end().map(|()| found));
    found.map_err(|_| Invalid::Format("it is not a JSON object"))
}

/// The object in `{"value": {…}}`, which `JsonSerializer` of activerecord-session_store writes; `None`
/// for anything else.
pub(super) fn json_value(text: &[u8]) -> Option<&[u8]> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wrapped<'a> {
        #[serde(borrow)]
        value: &'a serde_json::value::RawValue,
    }
    let wrapped: Wrapped<'_> = serde_json::from_slice(text).ok()?;
    let value = wrapped.value.get().as_bytes();
    value.starts_with(b"{").then_some(value)
}

impl Node {
    /// The member called `name` of a hash.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.iter().find(|(key, _)| key == name).map(|(_, it)| it),
            _ => None,
        }
    }

    /// Whether Ruby takes it for true.
    pub(super) fn is_true(&self) -> bool {
        !matches!(self, Self::Null | Self::Boolean(false))
    }

    /// The text of a primary key.
    pub(super) fn key(&self) -> Option<String> {
        match self {
            Self::Integer(number) => Some(number.to_string()),
            Self::Text(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    }
}

/// Puts `value` under `key`, in place of another.
pub(super) fn assign(map: &mut Vec<(String, Node)>, key: String, value: Node) {
    match map.iter_mut().find(|(name, _)| *name == key) {
        Some((_, old)) => *old = value,
        None => map.push((key, value)),
    }
}

struct Members<'w, const N: usize>([&'w str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Members<'_, N> {
    type Value = [Option<Node>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Members<'_, N> {
    type Value = [Option<Node>; N];

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [const { None }; N];
        while let Some(name) = map.next_key::<String>()? {
            let slot = self.0.iter().position(|wanted| *wanted == name);
            match slot.and_then(|slot| found.get_mut(slot)) {
                Some(slot) => *slot = Some(map.next_value_seed(Within(0))?),
                None => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(found)
    }
}

/// A value within so many others.
struct Within(usize);

impl<'de> DeserializeSeed<'de> for Within {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Within {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(i64::try_from(value).map_or(Node::Other, Node::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        let short = value.len() <= LONGEST_TEXT;
        Ok(if short {
            Node::Text(value.to_owned())
        } else {
            Node::Other
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while self.0 < DEPTH && list.len() < LONGEST_LIST {
            match sequence.next_element_seed(Within(self.0 + 1))? {
                Some(node) => list.push(node),
                None => return Ok(Node::List(list)),
            }
        }
        let mut more = self.0 >= DEPTH;
        while sequence.next_element::<IgnoredAny>()?.is_some() {
            more = true;
        }
        Ok(if more { Node::Other } else { Node::List(list) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        let mut more = self.0 > 0;
        while let Some(key) = access.next_key::<String>()? {
            if more || map.len() >= LONGEST_MAP || key.len() > LONGEST_TEXT {
                more = true;
                access.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = access.next_value_seed(Within(DEPTH))?;
            assign(&mut map, key, value);
        }
        Ok(if more { Node::Other } else { Node::Map(map) })
    }
}
