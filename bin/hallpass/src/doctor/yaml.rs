//! Reads YAML as a list of values with the keys that lead to each.

use std::borrow::Cow;

use saphyr_parser::{Event, Parser};

/// How deep it may be nested.
const DEEPEST: usize = 64;

/// A value, and how it is reached; places in lists are numbers, from 0.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    pub path: Vec<String>,
    pub value: String,
    pub line: usize,
}

/// An open collection: a mapping, with the key whose value comes next; or a list, with the place.
enum Open {
    Mapping(Option<String>),
    List(usize),
}

/// Reads the first document of `text`.
///
/// # Errors
/// What is wrong with it.
pub fn read(text: &str) -> Result<Vec<Setting>, String> {
    let mut settings = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| error.to_string())?;
        match event {
            Event::Scalar(text, ..) => scalar(&mut open, &mut settings, text, span.start.line()),
            Event::Alias(_) => scalar(
                &mut open,
                &mut settings,
                Cow::Borrowed(""),
                span.start.line(),
            ),
            Event::MappingStart(..) => open.push(Open::Mapping(None)),
            Event::SequenceStart(..) => open.push(Open::List(0)),
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
                passed(&mut open);
            }
            Event::DocumentEnd => break,
            _ => {}
        }
        if open.len() > DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
    }
    Ok(settings)
}

fn scalar(open: &mut [Open], settings: &mut Vec<Setting>, text: Cow<'_, str>, line: usize) {
    if let Some(Open::Mapping(key @ None)) = open.last_mut() {
        *key = Some(text.into_owned());
        return;
    }
    let path = open.iter().map(|open| match open {
        Open::Mapping(key) => key.clone().unwrap_or_default(),
        Open::List(place) => place.to_string(),
    });
    settings.push(Setting {
        path: path.collect(),
        value: text.into_owned(),
        line,
    });
    passed(open);
}

/// Ends a value.
fn passed(open: &mut [Open]) {
    match open.last_mut() {
        Some(Open::Mapping(key)) => *key = None,
        Some(Open::List(place)) => *place += 1,
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(text: &str) -> Vec<(String, String, usize)> {
        let settings = read(text).unwrap().into_iter();
        settings
            .map(|it| (it.path.join("."), it.value, it.line))
            .collect()
    }

    #[test]
    fn values_have_paths_and_lines() {
        let text = "a: 1\nb:\n  - x\n  - {c: y, d: [z]}\n\"e\": \"q # r\" # s\n";
        let expected = [
            ("a", "1", 1),
            ("b.0", "x", 3),
            ("b.1.c", "y", 4),
            ("b.1.d.0", "z", 4),
            ("e", "q # r", 5),
        ];
        let expected = expected.map(|(path, value, line)| (path.into(), value.into(), line));
        assert_eq!(flat(text), expected);
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(read("a: [1\nb: 2").is_err());
        assert!(read("a: \"x").is_err());
        assert!(read(&"[".repeat(1000)).is_err());
        assert!(flat("").is_empty());
    }
}
