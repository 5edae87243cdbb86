//! Reads TOML as a list of values with the keys that lead to each, as [`super::yaml`] does YAML.

use toml::de::{DeTable, DeValue};

use super::yaml::Setting;

/// How deep it may be nested.
const DEEPEST: usize = 64;

/// Reads `text`.
///
/// # Errors
/// What is wrong with it.
pub fn read(text: &str) -> Result<Vec<Setting>, String> {
    let table = DeTable::parse(text).map_err(|error| error.message().to_owned())?;
    let mut settings = Vec::new();
    let mut path = Vec::new();
    inside(text, table.get_ref(), &mut path, &mut settings)?;
    Ok(settings)
}

fn inside(
    text: &str,
    table: &DeTable<'_>,
    path: &mut Vec<String>,
    settings: &mut Vec<Setting>,
) -> Result<(), String> {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        add(text, value.get_ref(), value.span().start, path, settings)?;
        path.pop();
    }
    Ok(())
}

fn add(
    text: &str,
    value: &DeValue<'_>,
    start: usize,
    path: &mut Vec<String>,
    settings: &mut Vec<Setting>,
) -> Result<(), String> {
    if path.len() > DEEPEST {
        return Err("it is nested too deeply".to_owned());
    }
    let value = match value {
        DeValue::Table(table) => return inside(text, table, path, settings),
        DeValue::Array(array) => {
            for (place, value) in array.iter().enumerate() {
                path.push(place.to_string());
                add(text, value.get_ref(), value.span().start, path, settings)?;
                path.pop();
            }
            return Ok(());
        }
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(time) => time.to_string(),
    };
    let before = text.get(..start).unwrap_or_default();
    settings.push(Setting {
        path: path.clone(),
        value,
        line: before.matches('\n').count() + 1,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_paths_and_lines() {
        let text = "a = 1\n[b.c]\nd = [\"x\",\n true]\n[[e]]\nf = '#'\n[[e]]\ng.h = \"ä\"\n[i]\n";
        let found: Vec<_> = read(text).unwrap();
        let found: Vec<(String, &str, usize)> = found
            .iter()
            .map(|it| (it.path.join("."), it.value.as_str(), it.line))
            .collect();
        let expected = [
            ("a", "1", 1),
            ("b.c.d.0", "x", 3),
            ("b.c.d.1", "true", 4),
            ("e.0.f", "#", 6),
            ("e.1.g.h", "ä", 8),
        ];
        assert_eq!(
            found,
            expected.map(|(path, value, line)| (path.to_owned(), value, line))
        );
    }

    #[test]
    fn nonsense_is_an_error() {
        for text in ["a", "a = ", "[a", "a = 1\na = 2"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&format!("a = {}", "[".repeat(1000))).is_err());
        assert!(read("").unwrap().is_empty());
    }
}
