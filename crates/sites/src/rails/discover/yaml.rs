//! Reads the YAML of Rails' configuration: mappings of text, with aliases and merged keys.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use saphyr_parser::{Event, Parser};

/// How deep it may be nested.
const DEEPEST: usize = 16;
/// How many values a file may have, those counted that an alias repeats.
const MOST: usize = 10_000;
/// The key whose mapping is merged into the one that it stands in.
const MERGE: &str = "<<";

/// A value.
#[derive(Clone)]
pub(super) enum Yaml {
    Text(String),
    Map(BTreeMap<String, Yaml>),
    List(Vec<Yaml>),
}

impl Yaml {
    /// The value at `key` of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// The text at `key` of a mapping, where it is not empty.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Self::Text(text) if !matches!(text.as_str(), "" | "~" | "null") => Some(text),
            _ => None,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Text(_) => 1,
            Self::Map(map) => 1 + map.values().map(Self::size).sum::<usize>(),
            Self::List(list) => 1 + list.iter().map(Self::size).sum::<usize>(),
        }
    }
}

/// An open collection, its anchor, and the key whose value comes next.
struct Open {
    value: Yaml,
    anchor: usize,
    key: Option<String>,
}

/// The first document of `text`.
pub(super) fn read(text: &str) -> anyhow::Result<Yaml> {
    let mut anchors: BTreeMap<usize, Yaml> = BTreeMap::new();
    let mut open: Vec<Open> = Vec::new();
    let mut size = 0;
    for event in Parser::new_from_str(text) {
        let (event, _) = event?;
        let (value, anchor) = match event {
            Event::Scalar(text, _, anchor, _) => (Yaml::Text(text.into_owned()), anchor),
            Event::Alias(anchor) => {
                let value = anchors.get(&anchor).cloned();
                (value.context("an alias has no anchor before it")?, 0)
            }
            Event::MappingStart(anchor, _) | Event::SequenceStart(anchor, _) => {
                let value = match event {
                    Event::MappingStart(..) => Yaml::Map(BTreeMap::new()),
                    _ => Yaml::List(Vec::new()),
                };
                open.push(Open {
                    value,
                    anchor,
                    key: None,
                });
                if open.len() > DEEPEST {
                    bail!("it is nested too deeply");
                }
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => match open.pop() {
                Some(done) => (merged(done.value), done.anchor),
                None => bail!("a collection ends that has not begun"),
            },
            Event::DocumentEnd => break,
            _ => continue,
        };
        size += value.size();
        if size > MOST {
            bail!("it has too many values");
        }
        if anchor > 0 {
            anchors.insert(anchor, value.clone());
        }
        let Some(outer) = open.last_mut() else {
            return Ok(value);
        };
        match (&mut outer.value, outer.key.take(), value) {
            (Yaml::List(list), _, value) => list.push(value),
            (Yaml::Map(map), Some(key), value) => drop(map.insert(key, value)),
            (Yaml::Map(_), None, Yaml::Text(key)) => outer.key = Some(key),
            _ => bail!("a key is not a text"),
        }
    }
    Ok(Yaml::Map(BTreeMap::new()))
}

/// A mapping with what its key `<<` names beside its own.
fn merged(value: Yaml) -> Yaml {
    let Yaml::Map(mut map) = value else {
        return value;
    };
    let others = match map.remove(MERGE) {
        Some(Yaml::List(list)) => list,
        Some(other) => vec![other],
        None => Vec::new(),
    };
    for other in others {
        if let Yaml::Map(other) = other {
            for (key, value) in other {
                map.entry(key).or_insert(value);
            }
        }
    }
    Yaml::Map(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_and_merged_keys_stand_for_what_they_name() {
        let text = "default: &default\n  adapter: sqlite3\n  pool: 5\nproduction:\n  <<: *default\n  \
                    database: db/p.sqlite3\n  pool: 7\ntest: *default\n";
        let yaml = read(text).unwrap();
        let of = |environment: &str, key: &str| {
            let found = yaml.get(environment).and_then(|it| it.text(key));
            found.map(str::to_owned)
        };
        assert_eq!(of("production", "adapter").as_deref(), Some("sqlite3"));
        assert_eq!(of("production", "pool").as_deref(), Some("7"));
        assert_eq!(of("test", "pool").as_deref(), Some("5"));
        assert_eq!(of("production", "<<"), None);
        assert_eq!(of("development", "adapter"), None);
    }

    #[test]
    fn what_grows_without_end_is_refused() {
        assert!(read(&"[".repeat(100)).is_err());
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for index in 1..9 {
            let before = format!("*a{}, ", index - 1).repeat(10);
            text.push_str(&format!("a{index}: &a{index} [{before}]\n"));
        }
        assert!(read(&text).is_err());
        assert!(read("a: *b").is_err());
        assert!(read("a: [1\nb: 2").is_err());
        assert!(read("").unwrap().get("a").is_none());
    }
}
