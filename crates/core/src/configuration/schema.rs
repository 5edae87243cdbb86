//! Describes the configuration: its JSON Schema, and the settings that are in force.

use std::path::{Path, PathBuf};

use hallpass_settings::{Document, Error, Fallback, Given, SECRET, Table, fields};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::AccessTable;
use super::cache::CacheTable;
use super::daemon::DaemonTable;
use super::database::DatabaseTable;
use super::django::{DjangoTable, ProfileTable};
use super::http::HttpTable;
use super::joomla::{self, JoomlaFile, JoomlaTable};
use super::limits::LimitsTable;
use super::passwords::PasswordsTable;
use super::php::PhpSettings;
use super::phpbb::{self, PhpbbFile, PhpbbTable};
use super::site_file::SiteFile;
use super::tickets::TicketsTable;
use super::{Configuration, Custom, Ejabberd, File, Log, OF_FRAMEWORKS};

/// A table of the configuration.
pub struct TableDescription {
    /// Its name, as in `django.cache`; empty for the keys outside any table.
    pub name: &'static str,
    /// Its keys, but for tables.
    pub keys: Vec<KeyDescription>,
    schema: Value,
}

/// A key of a table.
pub struct KeyDescription {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in Markdown.
    pub description: String,
    /// Its default: a value as it is written in the file, or words in place of one.
    pub default: KeyDefault,
    secrecy: Secrecy,
}

/// What of a value may be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    /// All of it.
    None,
    /// What has no password in it: a URL, or what a URL stands for.
    Url,
    /// Where it is, where it is elsewhere.
    Secret,
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

/// A setting that is in force.
pub struct Setting {
    /// The table that it is in.
    pub table: &'static str,
    /// Its key.
    pub key: KeyDescription,
    /// Its value, as it is written in the file, and where that is from; `None` where the default
    /// holds. For a secret stands `"…"`.
    pub given: Option<(String, Origin)>,
}

/// Where a value is from.
pub enum Origin {
    /// A line of the configuration.
    Line(usize),
    /// The site's own file.
    SiteFile(PathBuf),
}

/// The tables of the configuration, in the order of the book.
#[must_use]
pub fn tables() -> Vec<TableDescription> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let generator = &mut settings.into_generator();
    vec![
        of::<File>("", generator),
        of::<DatabaseTable>("database", generator),
        of::<AccessTable>("access", generator),
        of::<PasswordsTable>("passwords", generator),
        of::<LimitsTable>("limits", generator),
        of::<Ejabberd>("ejabberd", generator),
        of::<TicketsTable>("tickets", generator),
        of::<DaemonTable>("daemon", generator),
        of::<Log>("log", generator),
        of::<DjangoTable>("django", generator),
        of::<CacheTable>("django.cache", generator),
        of::<ProfileTable>("django.session_profile", generator),
        of::<JoomlaTable>("joomla", generator).joined(of::<JoomlaFile>("joomla", generator)),
        of::<PhpbbTable>("phpbb", generator).joined(of::<PhpbbFile>("phpbb", generator)),
        of::<PhpSettings>("php", generator),
        of::<Custom>("custom", generator),
        of::<HttpTable>("http", generator),
    ]
}

/// The table called `name`, which `T` reads.
fn of<T: JsonSchema + for<'de> Deserialize<'de>>(
    name: &'static str,
    generator: &mut SchemaGenerator,
) -> TableDescription {
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
    TableDescription {
        name,
        keys: keys.collect(),
        schema,
    }
}

impl TableDescription {
    /// This table, with the keys of `other` as well.
    fn joined(mut self, other: Self) -> Self {
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
    fn show(self, value: &str) -> String {
        const HIDDEN: &str = "\"…\"";
        match self {
            Self::None => value.to_owned(),
            // `{ file = "…" }` and the like.
            Self::Secret if value.starts_with('{') => value.to_owned(),
            Self::Secret => HIDDEN.to_owned(),
            // Users and passwords stand before an `@`, or in parameters.
            Self::Url if value.contains(['@', '?', '=', '\\']) => {
                let scheme = value.split_once(':').map(|(scheme, _)| scheme);
                let scheme = scheme.filter(|it| it.starts_with('"') && it.len() < 20);
                scheme.map_or(HIDDEN.to_owned(), |scheme| format!("{scheme}:…\""))
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

/// The JSON Schema of the file (draft 2020-12).
#[must_use]
pub fn schema() -> Value {
    let mut tables = tables().into_iter();
    let mut root = tables.next().map(|file| file.schema).unwrap_or_default();
    for table in tables {
        let mut place = &mut root;
        let mut schema = table.schema;
        for name in table.name.split('.') {
            place = match place.as_object_mut() {
                Some(members) => {
                    let properties = members.entry("properties").or_insert_with(|| json!({}));
                    let properties = properties.as_object_mut();
                    match properties {
                        Some(properties) => properties.entry(name).or_insert_with(|| json!({})),
                        None => return root,
                    }
                }
                None => return root,
            };
        }
        // What is said of it where it stands, and that it may be a URL.
        let description = place.get("description").cloned();
        if place.get("anyOf").is_some() {
            schema = json!({ "anyOf": [{ "type": "string" }, schema] });
        }
        if let (Some(description), Some(members)) = (description, schema.as_object_mut()) {
            members.insert("description".to_owned(), description);
        }
        *place = schema;
    }
    if let Some(members) = root.as_object_mut() {
        let draft = "https://json-schema.org/draft/2020-12/schema";
        members.insert("$schema".to_owned(), draft.into());
        members.insert("title".to_owned(), "hallpass.toml".into());
    }
    root
}

/// The settings that are in force where `text` stands in the file at `path`: those of the tables
/// that are there or have a default, but for other frameworks' than the site's own.
///
/// # Errors
/// As [`Configuration::parse`].
pub fn settings(path: &Path, text: &str) -> Result<Vec<Setting>, Error> {
    Configuration::parse(path, text)?;
    let document = Document::parse(path, text)?;
    let top = document.top();
    let framework = top.written("framework").map_or("", |(_, word)| word);
    let framework = framework.trim_matches(['"', '\'']);
    let mut settings = Vec::new();
    for description in tables() {
        let mut table = None;
        for name in description.name.split('.').filter(|name| !name.is_empty()) {
            table = Some(table.as_ref().unwrap_or(&top).section(name)?);
        }
        let root = description.name.split('.').next().unwrap_or_default();
        let may_be_absent = OF_FRAMEWORKS.contains(&root) || root == "database";
        let is_there = table.as_ref().is_none_or(Table::is_a_table);
        if may_be_absent && !is_there && description.name != framework {
            continue;
        }
        let table = table.as_ref().unwrap_or(&top);
        let site_file = site_file(&description, table)?;
        for key in description.keys {
            // A table that may be written as a URL is described for itself.
            let as_table = key.secrecy == Secrecy::Url && table.section(key.name)?.is_a_table();
            if as_table {
                continue;
            }
            let given = match (table.written(key.name), &site_file) {
                (Some((line, value)), _) => Some((key.secrecy.show(value), Origin::Line(line))),
                (None, Some(file)) => file.get(key.name)?.map(|given| {
                    let text = match given {
                        Given::Text(text) => String::from_utf8(text.to_vec()).unwrap_or_default(),
                        Given::Other => String::new(),
                    };
                    let text = key.secrecy.show(&Value::from(text).to_string());
                    (text, Origin::SiteFile(file.path.clone()))
                }),
                (None, None) => None,
            };
            settings.push(Setting {
                table: description.name,
                key,
                given,
            });
        }
    }
    Ok(settings)
}

/// The site's own file, where the table has one.
fn site_file<'a>(
    description: &TableDescription,
    table: &'a Table<'a>,
) -> Result<Option<SiteFile<'a>>, Error> {
    let (path, class) = match description.name {
        "joomla" => {
            let own: JoomlaTable = table.read_beside(fields::<JoomlaFile>(), None)?;
            (own.configuration, joomla::CLASS)
        }
        "phpbb" => {
            let own: PhpbbTable = table.read_beside(fields::<PhpbbFile>(), None)?;
            (own.configuration, phpbb::CLASS)
        }
        _ => return Ok(None),
    };
    let read = |path: String| SiteFile::read(table, &path, class);
    path.map(read).transpose()
}
