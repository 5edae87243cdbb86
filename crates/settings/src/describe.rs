//! Describes a table: its keys with what they are for and their defaults, and its JSON Schema.

use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{SECRET, fields};

/// A table, as it is described.
pub struct TableDescription {
    /// Its name, as in `django.cache`; empty for the keys outside any table.
    pub name: &'static str,
    /// Its keys, but for tables.
    pub keys: Vec<KeyDescription>,
    /// Its JSON Schema.
    pub schema: Value,
}

/// A key of a table.
pub struct KeyDescription {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in Markdown.
    pub description: String,
    /// Its default: a value as it is written in the file, or words in place of one.
    pub default: KeyDefault,
    /// What of its value may be shown.
    pub secrecy: Secrecy,
}

/// What of a value may be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// All of it.
    None,
    /// What has no password in it: a URL, or what a URL stands for.
    Url,
    /// Where it is, where it is elsewhere.
    Secret,
    /// That it is there: it is a table of secrets.
    Secrets,
}

/// What holds where a key is not given.
pub enum KeyDefault {
    /// It must be given.
    Needed,
    /// Nothing.
    Nothing,
    /// This value, as it is written in the file.
    Value(String),
    /// What these words say.
    Words(String),
}

impl TableDescription {
    /// The table called `name`, which `T` reads.
    #[must_use]
    pub fn of<T: JsonSchema + for<'de> Deserialize<'de>>(
        name: &'static str,
        generator: &mut SchemaGenerator,
    ) -> Self {
        let mut schema = Value::from(T::json_schema(generator));
        drop_null(&mut schema);
        let fields = fields::<T>();
        if let Value::Object(members) = &mut schema {
            // A JSON object has no order, and the file's reader may like one.
            members.insert("x-order".to_owned(), json!(fields));
            members.remove("title");
        }
        let needed: Vec<&str> = match schema.get("required") {
            Some(Value::Array(keys)) => keys.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let keys = fields.iter().filter_map(|key| {
            let property = schema.get("properties")?.get(*key)?;
            // Tables are described for themselves.
            if property.get("properties").is_some() {
                return None;
            }
            let words = |keyword: &str| Some(property.get(keyword)?.as_str()?.to_owned());
            let description = words("description").unwrap_or_default();
            let default = match (words("x-default"), property.get("default")) {
                (Some(words), _) => KeyDefault::Words(words),
                (None, Some(value)) => KeyDefault::Value(value.to_string()),
                (None, None) if needed.contains(key) => KeyDefault::Needed,
                (None, None) => KeyDefault::Nothing,
            };
            Some(KeyDescription {
                name: key,
                description: description.split_whitespace().collect::<Vec<_>>().join(" "),
                default,
                secrecy: Secrecy::of(property),
            })
        });
        Self {
            name,
            keys: keys.collect(),
            schema,
        }
    }

    /// This table, with the keys of `other` as well.
    #[must_use]
    pub fn joined(mut self, other: Self) -> Self {
        self.keys.extend(other.keys);
        for (keyword, value) in other.schema.as_object().into_iter().flatten() {
            match (self.schema.get_mut(keyword), value) {
                (Some(Value::Object(own)), Value::Object(others)) => own.extend(others.clone()),
                (Some(Value::Array(own)), Value::Array(others)) => own.extend(others.clone()),
                _ => {}
            }
        }
        self
    }
}

impl Secrecy {
    fn of(schema: &Value) -> Self {
        if schema.get(SECRET) != Some(&Value::Bool(true)) {
            let values = schema.get("additionalProperties").map(Self::of);
            if values.is_some_and(|secrecy| secrecy != Self::None) {
                return Self::Secrets;
            }
            return schema.get("items").map_or(Self::None, Self::of);
        }
        // A secret may be elsewhere, a URL may not.
        let choices = schema.get("anyOf").and_then(Value::as_array);
        let has = |key: &str| {
            let has_key = |choice: &Value| choice.get("properties")?.get(key).map(|_| ());
            choices.is_some_and(|choices| choices.iter().any(|choice| has_key(choice).is_some()))
        };
        if has("file") { Self::Secret } else { Self::Url }
    }

    /// `value`, as it is written in the file, as far as it may be shown.
    #[must_use]
    pub fn show(self, value: &str) -> String {
        const HIDDEN: &str = "\"…\"";
        match self {
            Self::None => value.to_owned(),
            // `{ file = "…" }` and the like.
            Self::Secret if value.starts_with('{') => value.to_owned(),
            Self::Secret | Self::Secrets => HIDDEN.to_owned(),
            // Users and passwords stand before an `@`, or in parameters.
            Self::Url if value.contains(['@', '?', '=', '\\']) => {
                let scheme = value.strip_prefix('"').and_then(|it| it.split_once(':'));
                let is_scheme = |text: &&str| {
                    let of_scheme =
                        |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
                    text.bytes().all(of_scheme)
                };
                let scheme = scheme.map(|(scheme, _)| scheme).filter(is_scheme);
                scheme.map_or(HIDDEN.to_owned(), |scheme| format!("\"{scheme}:…\""))
            }
            Self::Url => value.to_owned(),
        }
    }
}

/// Takes out null, which TOML does not have: a key that has no value is left out.
fn drop_null(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("default").is_some_and(Value::is_null) {
                members.remove("default");
            }
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|one| one != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    members.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(words)) = members.get_mut("enum") {
                words.retain(|word| !word.is_null());
            }
            if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
                if let [Value::Object(one)] = choices.as_mut_slice() {
                    let one = std::mem::take(one);
                    members.remove("anyOf");
                    for (keyword, value) in one {
                        members.entry(keyword).or_insert(value);
                    }
                }
            }
            members.values_mut().for_each(drop_null);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_null),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_secrets_is_not_shown() {
        let secret = json!({ SECRET: true, "anyOf": [{ "properties": { "file": {} } }] });
        let table = json!({ "type": "object", "additionalProperties": secret });
        let plain = json!({ "type": "object", "additionalProperties": { "type": "string" } });
        let written = "{ X-Key = \"s3cret\" }";
        assert_eq!(Secrecy::of(&table).show(written), "\"…\"");
        assert_eq!(Secrecy::of(&secret).show("\"s3cret\""), "\"…\"");
        assert_eq!(Secrecy::of(&plain).show(written), written);
        assert_eq!(
            Secrecy::of(&json!({ "additionalProperties": false })).show("1"),
            "1"
        );
    }

    #[test]
    fn of_a_url_with_a_secret_only_the_scheme_is_shown() {
        for (value, expected) in [
            ("\"redis://host/1\"", "\"redis://host/1\""),
            ("'/run/redis'", "'/run/redis'"),
            ("\"redis://:pw@host\"", "\"redis:…\""),
            ("\"postgresql+tls://u:pw@h\"", "\"postgresql+tls:…\""),
            ("'redis://:pw@host'", "\"…\""),
            ("\"\"\"redis://:pw@host\"\"\"", "\"…\""),
            ("\"redis\\u003a//:pw\\u0040h\"", "\"…\""),
            // PHP's save_path has parameters before the first colon.
            ("\"auth=pw&seed[]=h:1\"", "\"…\""),
            ("\"tcp://h:1?auth=pw\"", "\"tcp:…\""),
        ] {
            assert_eq!(Secrecy::Url.show(value), expected, "{value}");
        }
    }

    #[test]
    fn of_a_secret_only_its_place_is_shown() {
        for (value, expected) in [
            ("\"pw\"", "\"…\""),
            ("[\"pw\", { file = \"key\" }]", "\"…\""),
            ("{ file = \"key\" }", "{ file = \"key\" }"),
        ] {
            assert_eq!(Secrecy::Secret.show(value), expected, "{value}");
        }
    }
}
