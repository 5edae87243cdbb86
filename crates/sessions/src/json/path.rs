//! Follows a path into a JSON object.

use super::{Encoding, Reader, Written};
use crate::Value;

/// Who writes and reads the JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Python's `json`, which has `NaN` and `Infinity` as well.
    Python,
    /// `JSON.parse` of JavaScript, which has not.
    JavaScript,
}

/// What stands at the end of a path: a value, or the text of an object or list.
pub(crate) enum Place<'a> {
    Scalar(Value),
    /// A collection, as it is written.
    Compound(&'a [u8]),
}

/// The member of the object `text` that `names` lead to, in UTF-8; the last of several of one name.
/// `None` when `text` is not one JSON object, `Some(None)` when it has no such member. The whole text
/// is checked.
pub(crate) fn at<'a>(
    text: &'a [u8],
    dialect: Dialect,
    names: &[String],
) -> Option<Option<Place<'a>>> {
    std::str::from_utf8(text).ok()?;
    let mut whole = Reader::new(text, dialect);
    whole.space();
    if whole.peek()? != b'{' {
        return None;
    }
    whole.value()?;
    whole.space();
    if !whole.rest.is_empty() {
        return None;
    }
    let mut place = text;
    for name in names {
        match member(place, dialect, name) {
            Some(found) => place = found,
            None => return Some(None),
        }
    }
    let mut reader = Reader::new(place, dialect);
    reader.space();
    let written = reader.rest;
    Some(Some(match reader.peek()? {
        b'{' | b'[' => Place::Compound(written),
        _ => Place::Scalar(match reader.value()? {
            Written::Text(text) => text.value(Encoding::Utf8),
            Written::Other(value) => value,
        }),
    }))
}

/// The last member called `name` of the object that `text` begins with, from its value on; `None`
/// where `text` is not an object or has no such member.
fn member<'a>(text: &'a [u8], dialect: Dialect, name: &str) -> Option<&'a [u8]> {
    let mut found = None;
    each(text, dialect, |reader, is| {
        if is(name) {
            found = Some(reader);
        }
    })?;
    found
}

/// The name and the value, from it on, of the only member of the object that `text` begins with.
pub(crate) fn only_member<'a>(text: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (mut count, mut found) = (0_usize, None);
    each(text, Dialect::Python, |value, is| {
        count += 1;
        found = is(name).then_some(value);
    })?;
    found.filter(|_| count == 1)
}

/// The text or number that `text` begins with; `None` for anything else.
pub(crate) fn scalar(text: &[u8]) -> Option<Value> {
    let mut reader = Reader::new(text, Dialect::Python);
    match reader.value()? {
        Written::Text(text) => Some(text.value(Encoding::Utf8)),
        Written::Other(_) => None,
    }
}

/// Shows each member of the object that `text` begins with: the text from its value on, and whether
/// it has a name.
fn each<'a>(
    text: &'a [u8],
    dialect: Dialect,
    mut show: impl FnMut(&'a [u8], &dyn Fn(&str) -> bool),
) -> Option<()> {
    let mut reader = Reader::new(text, dialect);
    reader.space();
    reader.take(b'{')?;
    reader.space();
    if reader.take(b'}').is_some() {
        return Some(());
    }
    loop {
        reader.space();
        let name = reader.string()?;
        reader.space();
        reader.take(b':')?;
        show(reader.rest, &|wanted| name.is_text(wanted));
        reader.value()?;
        reader.space();
        match reader.next()? {
            b',' => {}
            b'}' => return Some(()),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, dialect: Dialect, path: &str) -> Option<Option<String>> {
        let names: Vec<String> = path.split('.').map(str::to_owned).collect();
        let found = at(text.as_bytes(), dialect, &names)?;
        Some(found.map(|place| match place {
            Place::Scalar(value) => format!("{value:?}"),
            Place::Compound(text) => String::from_utf8_lossy(text).into_owned(),
        }))
    }

    fn some(text: &str) -> Option<Option<String>> {
        Some(Some(text.to_owned()))
    }

    #[test]
    fn paths_lead_into_objects() {
        let text =
            r#" {"user":3,"x":[{"user":4}],"passport" : {"user":{"id":"7"},"user":1,"é":2}} "#;
        let find = |path| find(text, Dialect::JavaScript, path);
        assert_eq!(find("passport.user"), some("Integer(1)"));
        assert_eq!(find("passport.é"), some("Integer(2)"));
        assert_eq!(find("user"), some("Integer(3)"));
        for nothing in [
            "passport.user.id",
            "x.user",
            "x.0",
            "User",
            "passport.id",
            "user.length",
        ] {
            assert_eq!(find(nothing), Some(None), "{nothing}");
        }
    }

    #[test]
    fn the_last_member_of_a_name_counts_even_when_it_is_not_an_object() {
        let python = |text| find(text, Dialect::Python, "a.b");
        assert_eq!(python(r#"{"a":{"b":1},"a":{"b":2}}"#), some("Integer(2)"));
        assert_eq!(python(r#"{"a":{"b":1},"a":null}"#), Some(None));
        assert_eq!(python(r#"{"a":{"b":1},"\u0061":{}}"#), Some(None));
        assert_eq!(
            python(r#"{"a":{"b":1},"a":{"b":false}}"#),
            some("Boolean(false)")
        );
    }

    #[test]
    fn the_whole_text_is_checked() {
        for text in [
            "",
            "null",
            "[]",
            "{",
            "{\"a\":1",
            "{\"a\":1}x",
            "{\"a\":1,}",
            "{\"a\":[1}",
            "\u{feff}{\"a\":1}",
        ] {
            assert_eq!(find(text, Dialect::JavaScript, "a"), None, "{text}");
        }
        let deep = format!(
            "{{\"a\":1,\"b\":{}{}}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert_eq!(find(&deep, Dialect::Python, "a"), None);
        assert!(
            at(
                b"{\"a\":1,\"b\":\"\xff\"}",
                Dialect::Python,
                &["a".to_owned()]
            )
            .is_none()
        );
    }

    #[test]
    fn only_python_knows_numbers_that_are_not() {
        for word in ["NaN", "Infinity", "-Infinity"] {
            let text = format!("{{\"a\":1,\"b\":[{word}]}}");
            assert_eq!(
                find(&text, Dialect::Python, "a"),
                some("Integer(1)"),
                "{word}"
            );
            assert_eq!(find(&text, Dialect::JavaScript, "a"), None, "{word}");
        }
    }
}
