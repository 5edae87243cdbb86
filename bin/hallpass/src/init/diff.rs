//! Compares a configuration with what the site says now.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use hallpass_core::configuration::schema;
use hallpass_sites::FRAMEWORKS;
use hallpass_sites::init::Page;
use serde_json::json;
use subtle::ConstantTimeEq;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::destination::draft_of;
use crate::terminal::{line, plain};

/// The key of a database where it is a table.
const DATABASE_URL: &str = "database.url";
/// The same where it is a URL alone.
const DATABASE: &str = "database";

/// Stands for a secret.
const MASK: &str = "\"…\"";

/// A setting on which the configuration and the site disagree. Of a secret nothing is shown.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    key: String,
    file: Option<String>,
    site: Option<String>,
}

/// Settings by their keys, tables and keys separated by dots.
type Values = BTreeMap<String, Value>;

/// A setting's value.
enum Value {
    /// A text.
    Text(Zeroizing<Vec<u8>>),
    /// The content of a file, without the newline at its end.
    Secret(Zeroizing<Vec<u8>>),
    /// Anything else, in one spelling.
    Written(String),
    /// It is in the environment, or its file cannot be read.
    Unknown,
}

impl Value {
    /// Whether both are known to be the same.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one) | Self::Secret(one), Self::Text(other) | Self::Secret(other)) => {
                one.ct_eq(other).into()
            }
            (Self::Written(one), Self::Written(other)) => one == other,
            _ => false,
        }
    }
}

/// Prints what differs between the file at `path` and `page`. The exit code is 1 if anything does.
pub fn run(path: &Path, page: &Page, as_json: bool) -> anyhow::Result<ExitCode> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .with_context(|| format!("cannot read {name}"))?;
    let workshop = tempfile::tempdir().context("cannot make a directory for the comparison")?;
    let draft = workshop.path().join(path.file_name().unwrap_or_default());
    draft_of(page, &draft)?;
    let (theirs, ours) = (values(&draft, page.text())?, values(path, &text)?);
    let shown = (shown(&draft, page.text())?, shown(path, &text)?);
    let differences: Vec<Difference> = differing(&ours, &theirs)
        .into_iter()
        .map(|key| {
            let words = |shown: &BTreeMap<String, String>, values: &Values| {
                let known = match values.get(&key)? {
                    Value::Secret(_) => None,
                    _ => shown.get(&key).cloned(),
                };
                Some(known.unwrap_or_else(|| MASK.to_owned()))
            };
            Difference {
                file: words(&shown.1, &ours),
                site: words(&shown.0, &theirs),
                key,
            }
        })
        .collect();
    if as_json {
        let listed: Vec<_> = differences
            .iter()
            .map(|it| json!({ "key": it.key, "file": it.file, "site": it.site }))
            .collect();
        let object = json!({
            "configuration": path,
            "differences": listed,
            "warnings": page.warnings,
        });
        line(&object.to_string());
    } else {
        for difference in &differences {
            print(difference);
        }
        if differences.is_empty() {
            line(&format!("{name} is what the site says."));
        }
    }
    Ok(match differences.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn print(difference: &Difference) {
    let key = &difference.key;
    match (&difference.file, &difference.site) {
        (Some(file), Some(site)) if file == site => line(&format!("! {key}: another secret")),
        (file, site) => {
            for (sign, value) in [('-', file), ('+', site)] {
                if let Some(value) = value {
                    line(&format!("{sign} {key} = {}", plain(value)));
                }
            }
        }
    }
}

/// The keys of what differs. What only `file` has counts in the tables that the site speaks of: all
/// others are the operator's own. So is the user of the database.
fn differing(file: &Values, site: &Values) -> Vec<String> {
    let (file_url, file_user) = url(file);
    let (site_url, site_user) = url(site);
    let differs = |key: &&String| match (key.as_str(), file.get(*key), site.get(*key)) {
        (_, Some(Value::Unknown), Some(_)) => false,
        (DATABASE_URL, Some(_), Some(_)) => file_url != site_url,
        ("database.password", ..) if file_user != site_user => false,
        (_, Some(file), Some(site)) => !file.is(site),
        _ => true,
    };
    let table = |key: &str| key.rsplit_once('.').map(|(table, _)| table.to_owned());
    let tables: Vec<Option<String>> = site.keys().map(|key| table(key)).collect();
    let more = file
        .keys()
        .filter(|key| !site.contains_key(*key) && tables.contains(&table(key)));
    let mut keys: Vec<String> = site.keys().chain(more).filter(differs).cloned().collect();
    keys.sort();
    keys
}

/// The URL of the database without its user, and that user.
fn url(values: &Values) -> (String, String) {
    let Some(Value::Text(url)) = values.get(DATABASE_URL) else {
        return Default::default();
    };
    let url = String::from_utf8_lossy(url);
    let (scheme, rest) = url.split_once("://").unwrap_or(("", &url));
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user, _)) => {
            let rest = rest.get(user.len()..).unwrap_or_default();
            (format!("{scheme}{rest}"), user.to_owned())
        }
        None => (format!("{scheme}@{rest}"), String::new()),
    }
}

/// All settings of `text`, which stands in the file at `path`.
fn values(path: &Path, text: &str) -> anyhow::Result<Values> {
    let table = DeTable::parse(text).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    let mut values = Values::new();
    collect(&mut values, path, "", table.get_ref());
    if let Some(url) = values.remove(DATABASE) {
        values.insert(DATABASE_URL.to_owned(), url);
    }
    Ok(values)
}

fn collect(values: &mut Values, path: &Path, prefix: &str, table: &DeTable) {
    for (key, value) in table {
        let key = format!("{prefix}{}", key.get_ref());
        match value.get_ref() {
            DeValue::Table(table) => match place(path, table) {
                Some(value) => drop(values.insert(key, value)),
                None => collect(values, path, &format!("{key}."), table),
            },
            DeValue::Array(array) if array.iter().any(|it| it.get_ref().is_table()) => {
                for (index, item) in array.iter().enumerate() {
                    let value = item.get_ref().as_table();
                    let value = value.and_then(|table| place(path, table));
                    values.insert(format!("{key}[{index}]"), value.unwrap_or(Value::Unknown));
                }
            }
            DeValue::String(text) => {
                let bytes = text.as_bytes().to_vec().into();
                drop(values.insert(key, Value::Text(bytes)));
            }
            value => drop(values.insert(key, Value::Written(written(value)))),
        }
    }
}

/// The secret for which `table` stands, if it is one.
fn place(path: &Path, table: &DeTable) -> Option<Value> {
    if table.len() != 1 {
        return None;
    }
    let (key, value) = table.iter().next()?;
    match (&**key.get_ref(), value.get_ref()) {
        ("file", DeValue::String(name)) => {
            let content = std::fs::read(path.with_file_name(&**name)).map(Zeroizing::new);
            let value = content.map(|mut content| {
                for end in [b'\n', b'\r'] {
                    if content.last() == Some(&end) {
                        content.pop();
                    }
                }
                Value::Secret(content)
            });
            Some(value.unwrap_or(Value::Unknown))
        }
        ("env" | "credential", _) => Some(Value::Unknown),
        _ => None,
    }
}

/// `value` in one spelling, whichever the file has.
fn written(value: &DeValue) -> String {
    match value {
        DeValue::String(text) => hallpass_sites::init::quote(text),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| written(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        // No key takes these.
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => String::new(),
    }
}

/// All settings as they may be shown, secrets masked.
fn shown(path: &Path, text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let settings = schema::settings(FRAMEWORKS, path, text)?;
    let shown = settings.into_iter().filter_map(|setting| {
        let key = match (setting.table, setting.key.name) {
            ("", DATABASE) => DATABASE_URL.to_owned(),
            ("", key) => key.to_owned(),
            (table, key) => format!("{table}.{key}"),
        };
        Some((key, setting.given?.0))
    });
    Ok(shown.collect())
}
