//! Reads files of environment variables as systemd's `EnvironmentFile=` and python-dotenv do.

use std::path::Path;

use anyhow::{Context, bail};
use zeroize::Zeroizing;

/// The variables that the file at `path` sets.
///
/// # Errors
/// When it cannot be read, naming the line.
pub fn read(path: &Path) -> anyhow::Result<Vec<(String, Zeroizing<String>)>> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .with_context(|| format!("cannot read {name}"))?;
    parse(&text, &name.to_string())
}

/// The variables that `text`, the file `name`, sets.
fn parse(text: &str, name: &str) -> anyhow::Result<Vec<(String, Zeroizing<String>)>> {
    let mut variables = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        match variable(line) {
            Some(variable) => variables.push(variable),
            None => bail!("{name}:{}: this is not NAME=VALUE", number + 1),
        }
    }
    Ok(variables)
}

/// `NAME=value`, `export NAME='value'`, `NAME="value with \"escapes\""`.
fn variable(line: &str) -> Option<(String, Zeroizing<String>)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || !name.bytes().all(known) || value.contains('\0') {
        return None;
    }
    let mut chars = value.chars();
    let quote = match chars.next() {
        Some(quote @ ('"' | '\'')) => quote,
        // What follows a number sign after white space is a comment.
        _ => {
            let end = value.find(" #").unwrap_or(value.len());
            let value = value.get(..end).unwrap_or_default().trim_end();
            return Some((name.to_owned(), value.to_owned().into()));
        }
    };
    let mut text = Zeroizing::new(String::new());
    loop {
        match chars.next()? {
            char if char == quote => break,
            '\\' if quote == '"' => match chars.next()? {
                'n' => text.push('\n'),
                char @ ('"' | '\\' | '$' | '`') => text.push(char),
                char => text.extend(['\\', char]),
            },
            char => text.push(char),
        }
    }
    let rest = chars.as_str().trim_start();
    (rest.is_empty() || rest.starts_with('#')).then(|| (name.to_owned(), text))
}

/// For fuzzing: a comment after a file changes nothing, and no value is longer than what it is read
/// from. How many variables there are.
#[cfg(any(test, fuzzing))]
pub fn fuzzed(text: &str) -> usize {
    let (Ok(read), Ok(again)) = (parse(text, ""), parse(&format!("{text}\n# more\n"), "")) else {
        return 0;
    };
    assert_eq!(read, again);
    for (name, value) in &read {
        assert!(name.len() + value.len() < text.len() && !value.contains('\0'));
    }
    read.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_shells_and_systemd_read_them() {
        for (line, expected) in [
            ("KEY=value", Some(("KEY", "value"))),
            ("export KEY=value", Some(("KEY", "value"))),
            ("KEY = value # why", Some(("KEY", "value"))),
            ("KEY=va#lue", Some(("KEY", "va#lue"))),
            ("KEY=a=b", Some(("KEY", "a=b"))),
            ("KEY=", Some(("KEY", ""))),
            ("KEY=''", Some(("KEY", ""))),
            (r#"KEY='a "b" \n' # why"#, Some(("KEY", r#"a "b" \n"#))),
            (r#"KEY="a \"b\"\n\\ \d""#, Some(("KEY", "a \"b\"\n\\ \\d"))),
            ("KEY", None),
            ("=value", None),
            ("a b=value", None),
            ("KEY=\"open", None),
            ("KEY='a' b", None),
        ] {
            let read = variable(line);
            let read = read
                .as_ref()
                .map(|(name, value)| (name.as_str(), value.as_str()));
            assert_eq!(read, expected, "{line}");
        }
    }
}
