//! Describes the configuration: its JSON Schema, and the settings in force.

use std::path::{Path, PathBuf};

use hallpass_settings::{Document, Error, Fallback, Given, Secrecy, Table};
pub use hallpass_settings::{KeyDefault, KeyDescription, TableDescription};
use hallpass_sites::http::HttpTable;
use hallpass_sites::{CacheTable, Framework};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::access::AccessTable;
use super::daemon::DaemonTable;
use super::database::DatabaseTable;
use super::jwt::JwtTable;
use super::ldap::LdapTable;
use super::limits::LimitsTable;
use super::passwords::PasswordsTable;
use super::tickets::TicketsTable;
use super::{Configuration, Ejabberd, File, Log};

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

/// The tables of the configuration in the order of the book, where `frameworks` are those that a
/// site may run.
#[must_use]
pub fn tables(frameworks: &[&dyn Framework]) -> Vec<TableDescription> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let generator = &mut settings.into_generator();
    let mut tables = vec![
        name_frameworks(TableDescription::of::<File>("", generator), frameworks),
        TableDescription::of::<DatabaseTable>("database", generator),
        TableDescription::of::<AccessTable>("access", generator),
        TableDescription::of::<PasswordsTable>("passwords", generator),
        TableDescription::of::<LimitsTable>("limits", generator),
        TableDescription::of::<CacheTable>("limits.shared", generator),
        TableDescription::of::<Ejabberd>("ejabberd", generator),
        TableDescription::of::<TicketsTable>("tickets", generator),
        TableDescription::of::<JwtTable>("jwt", generator),
        TableDescription::of::<DaemonTable>("daemon", generator),
        TableDescription::of::<LdapTable>("ldap", generator),
        TableDescription::of::<Log>("log", generator),
    ];
    for framework in frameworks {
        tables.extend(framework.describe(generator));
    }
    tables.push(TableDescription::of::<HttpTable>("http", generator));
    tables
}

/// Says which `frameworks` there are, and where each is described.
fn name_frameworks(mut file: TableDescription, frameworks: &[&dyn Framework]) -> TableDescription {
    let names: Vec<&str> = frameworks.iter().map(|it| it.name()).collect();
    let mut words: Vec<String> = names.iter().map(|name| format!("`\"{name}\"`")).collect();
    let last = words.pop().unwrap_or_default();
    let pages = frameworks
        .iter()
        .map(|it| format!("[{}]({}.md)", it.title(), it.name()));
    let description = format!(
        "The software that the site runs: {} or {last}. The section of that name is described in \
         {}.",
        words.join(", "),
        pages.collect::<Vec<_>>().join(", "),
    );
    let framework = file.schema.pointer_mut("/properties/framework");
    if let Some(Value::Object(members)) = framework {
        members.insert("enum".to_owned(), json!(names));
        members.insert("description".to_owned(), json!(description));
    }
    if let Some(key) = file.keys.iter_mut().find(|key| key.name == "framework") {
        key.description = description;
    }
    file
}

/// The JSON Schema of the file (draft 2020-12), where `frameworks` are those that a site may run.
#[must_use]
pub fn schema(frameworks: &[&dyn Framework]) -> Value {
    let mut tables = tables(frameworks).into_iter();
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

/// The settings that are in force where `text` stands in the file at `path`, and `frameworks` are
/// those that a site may run: those of the tables that are there or have a default, but for other
/// frameworks' than the site's own.
///
/// # Errors
/// As [`Configuration::parse_of`].
pub fn settings(
    frameworks: &[&dyn Framework],
    path: &Path,
    text: &str,
) -> Result<Vec<Setting>, Error> {
    Configuration::parse_of(frameworks, path, text)?;
    let document = Document::parse(path, text)?;
    let top = document.top();
    let framework = top.written("framework").map_or("", |(_, word)| word);
    let framework = framework.trim_matches(['"', '\'']);
    let mut settings = Vec::new();
    let mut described = tables(frameworks);
    let generator = &mut SchemaSettings::draft2020_12().into_generator();
    described.push(TableDescription::of::<DatabaseTable>(
        "session_database",
        generator,
    ));
    for description in described {
        let mut table = None;
        for name in description.name.split('.').filter(|name| !name.is_empty()) {
            table = Some(table.as_ref().unwrap_or(&top).section(name)?);
        }
        let root = description.name.split('.').next().unwrap_or_default();
        let of_framework = frameworks.iter().find(|framework| framework.name() == root);
        let absent = ["database", "session_database", "http", "jwt"].contains(&root);
        let may_be_absent = of_framework.is_some() || absent;
        let is_there = table.as_ref().is_none_or(Table::is_a_table);
        if may_be_absent && !is_there && description.name != framework {
            continue;
        }
        let table = table.as_ref().unwrap_or(&top);
        let site_file = match of_framework {
            Some(framework) if framework.name() == description.name => {
                framework.site_file(table)?
            }
            _ => None,
        };
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
