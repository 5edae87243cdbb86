//! Parses the words of `Require external-group`.

use hallpass_core::{InvalidCondition, Requirement};

/// Parses the rest of a Require line, which mod_authnz_external passes on unparsed: words between
/// white space, as Apache's `ap_getword_conf` reads them. A word that begins with a quote ends at
/// the next such quote; in it, a backslash before that quote or a backslash is dropped.
///
/// `perm:app.codename`, `is:staff` and `is:superuser` may stand in for a group's name.
///
/// # Errors
/// [`InvalidCondition`] for the first invalid word.
pub fn parse(line: &str) -> Result<Vec<Requirement>, InvalidCondition> {
    let mut requirements = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '"' | '\'' => quoted(rest.get(1..).unwrap_or_default(), first),
            _ => match rest.find(char::is_whitespace) {
                Some(end) => (
                    rest.get(..end).unwrap_or_default().to_owned(),
                    rest.get(end..),
                ),
                None => (rest.to_owned(), None),
            },
        };
        if !word.is_empty() {
            requirements.push(word.parse()?);
        }
        rest = after.unwrap_or_default().trim_start();
    }
    Ok(requirements)
}

fn quoted(text: &str, quote: char) -> (String, Option<&str>) {
    let mut word = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == quote {
            break;
        }
        let escaped = character == '\\'
            && characters
                .clone()
                .next()
                .is_some_and(|next| next == quote || next == '\\');
        word.push(if escaped {
            characters.next().unwrap_or('\\')
        } else {
            character
        });
    }
    (word, Some(characters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(line: &str) -> Vec<String> {
        let group = |requirement| match requirement {
            Requirement::Group(name) => name,
            other => panic!("{other:?} is no group"),
        };
        parse(line).unwrap().into_iter().map(group).collect()
    }

    #[test]
    fn words_are_split_as_apache_splits_them() {
        for (line, expected) in [
            ("editors", vec!["editors"]),
            ("a b  c\td", vec!["a", "b", "c", "d"]),
            ("\"two words\"  three", vec!["two words", "three"]),
            ("'two words' three", vec!["two words", "three"]),
            (r#""a \"quoted\" word" b"#, vec!["a \"quoted\" word", "b"]),
            (r#""a\\b" c\d"#, vec!["a\\b", "c\\d"]),
            (r#""never closed"#, vec!["never closed"]),
            (r#"a"b c"d"#, vec!["a\"b", "c\"d"]),
            ("größe", vec!["größe"]),
            ("", vec![]),
            ("  ", vec![]),
            ("\"\"", vec![]),
        ] {
            assert_eq!(groups(line), expected, "{line}");
        }
    }

    #[test]
    fn other_requirements_may_stand_for_groups() {
        assert_eq!(
            parse("perm:news.add_story is:staff is:superuser perm"),
            Ok(vec![
                Requirement::Permission("news.add_story".into()),
                Requirement::Staff,
                Requirement::Superuser,
                Requirement::Group("perm".into()),
            ])
        );
        for line in ["editors is:nothing", "perm:", "'perm:shop.' editors"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
