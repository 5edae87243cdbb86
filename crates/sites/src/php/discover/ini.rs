//! Reads php.ini, `.user.ini` and the `php_value` lines of php-fpm's pools
//! (Zend/zend_ini_scanner.l of PHP 8.2).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use zeroize::Zeroizing;

/// What the files say, the last one winning.
#[derive(Default)]
pub struct Settings {
    values: BTreeMap<String, Result<Zeroizing<String>, Computed>>,
    /// What no later file changes: `php_admin_value`.
    fixed: BTreeMap<String, ()>,
    /// The pool that a value came from, and where several differ.
    pools: BTreeMap<String, String>,
}

/// A value that only PHP can tell.
#[derive(Clone)]
struct Computed(String);

impl Settings {
    /// Reads one more file.
    ///
    /// # Errors
    /// When it cannot be read, or two pools of php-fpm do not agree.
    pub fn read(&mut self, path: &Path) -> anyhow::Result<()> {
        let name = path.display();
        let bytes = std::fs::read(path)
            .map(Zeroizing::new)
            .with_context(|| format!("cannot read {name}"))?;
        let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
        let of_pool = path.extension().is_some_and(|ending| ending == "conf");
        self.take(&text, &name.to_string(), of_pool)
    }

    /// Takes what `text` says, the file `name`.
    fn take(&mut self, text: &str, name: &str, of_pool: bool) -> anyhow::Result<()> {
        let mut section = String::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if let Some(rest) = line.strip_prefix('[') {
                section = rest.split(']').next().unwrap_or_default().to_owned();
                continue;
            }
            // Of one host or directory alone, which may be another's.
            if section.starts_with("HOST=") || section.starts_with("PATH=") {
                continue;
            }
            if line.is_empty() || line.starts_with([';', '#']) {
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let (key, fixed) = match key_of(key.trim(), of_pool) {
                Some(key) => key,
                None => continue,
            };
            let known = ["session.", "memcached.", "memcache.", "redis."];
            if !known.iter().any(|start| key.starts_with(start)) {
                continue;
            }
            let place = format!("{name}:{}", number + 1);
            let value = value_of(value.trim()).ok_or(Computed(place));
            if of_pool {
                if let (Some(pool), Some(before)) = (self.pools.get(key), self.values.get(key))
                    && *pool != section
                    && !same(before, &value)
                {
                    bail!(
                        "the pools {pool} and {section} differ in {key}; give the file of the one \
                         that the site runs in, after php.ini"
                    );
                }
                self.pools.insert(key.to_owned(), section.clone());
            }
            if self.fixed.contains_key(key) && !fixed {
                continue;
            }
            if fixed {
                self.fixed.insert(key.to_owned(), ());
            }
            self.values.insert(key.to_owned(), value);
        }
        Ok(())
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// When only PHP can tell.
    pub fn text(&self, key: &str) -> anyhow::Result<Option<String>> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text.to_string())),
            Some(Err(Computed(place))) => {
                bail!("{place}: {key} is not a literal value, and PHP is not run to compute it")
            }
        }
    }
}

fn same(
    one: &Result<Zeroizing<String>, Computed>,
    other: &Result<Zeroizing<String>, Computed>,
) -> bool {
    matches!((one, other), (Ok(one), Ok(other)) if one == other)
}

/// The name of the setting, and whether nothing changes it any more.
fn key_of(key: &str, of_pool: bool) -> Option<(&str, bool)> {
    if !of_pool {
        return Some((key, false));
    }
    let (directive, rest) = key.split_once('[')?;
    let fixed = match directive {
        "php_value" | "php_flag" => false,
        "php_admin_value" | "php_admin_flag" => true,
        _ => return None,
    };
    Some((rest.strip_suffix(']')?.trim(), fixed))
}

/// The text that a value is; `None` for what is computed.
fn value_of(value: &str) -> Option<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let mut chars = value.chars();
    match chars.next() {
        Some('\'') => {
            let (inner, rest) = chars.as_str().split_once('\'')?;
            text.push_str(inner);
            ended(rest).then_some(text)
        }
        Some('"') => {
            loop {
                match chars.next()? {
                    '"' => break,
                    '$' if chars.as_str().starts_with('{') => return None,
                    '\\' => match chars.next()? {
                        char @ ('"' | '\\' | '$') => text.push(char),
                        char => text.extend(['\\', char]),
                    },
                    char => text.push(char),
                }
            }
            ended(chars.as_str()).then_some(text)
        }
        _ => {
            let end = value.find(';').unwrap_or(value.len());
            let value = value.get(..end).unwrap_or_default().trim_end();
            // Constants and operators make other values than they are written, and an equals sign is a
            // syntax error, from which on PHP reads no more of the file.
            let operators = ['"', '\'', '|', '^', '!', '(', ')', '&', '~', '='];
            if value.contains("${") || value.contains(operators) {
                return None;
            }
            let (first, more) = value.split_once([' ', '\t']).unwrap_or((value, ""));
            text.push_str(match first.to_ascii_lowercase().as_str() {
                "on" | "yes" | "true" if more.is_empty() => "1",
                "off" | "no" | "false" | "none" | "null" if more.is_empty() => "",
                "on" | "yes" | "true" | "off" | "no" | "false" | "none" | "null" => return None,
                _ => value,
            });
            Some(text)
        }
    }
}

/// Whether nothing but a comment follows.
fn ended(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with(';')
}

/// For fuzzing: a comment after a file changes nothing, no value is longer than what it is read from, and
/// a value in quotes is what was quoted. How many settings there are.
#[cfg(any(test, fuzzing))]
pub fn fuzzed(text: &str) -> usize {
    let mut count = 0;
    for of_pool in [false, true] {
        let mut settings = Settings::default();
        let mut commented = Settings::default();
        let read = settings.take(text, "php.ini", of_pool).is_ok();
        let again = commented.take(&format!("{text}\n; x\n\n"), "php.ini", of_pool);
        assert_eq!(read, again.is_ok());
        for (key, value) in settings.values.iter().filter(|_| read) {
            assert!(
                commented
                    .values
                    .get(key)
                    .is_some_and(|it| { same(it, value) || (it.is_err() && value.is_err()) })
            );
            assert!(value.as_ref().map_or(0, |it| it.len()) <= text.len());
            count += 1;
        }
    }
    let line = text.split('\n').next().unwrap_or_default();
    let escaped = line
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('$', "\\$");
    let quoted = value_of(&format!("\"{escaped}\" ; x"));
    assert_eq!(quoted.as_ref().map(|it| it.as_str()), Some(line));
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `parse_ini_string` of PHP 8.2 reads them.
    #[test]
    fn values_are_read_as_php_reads_them() {
        for (line, expected) in [
            ("files", Some("files")),
            ("\"2;0640;/var/lib\" ; why", Some("2;0640;/var/lib")),
            ("'2;/var/lib'", Some("2;/var/lib")),
            ("/var/lib/php ; why", Some("/var/lib/php")),
            ("2;/var/lib", Some("2")),
            (r#""a\"b\\c\d""#, Some(r#"a"b\c\d"#)),
            ("On", Some("1")),
            ("none", Some("")),
            ("", Some("")),
            ("\"${HOME}/sessions\"", None),
            ("${HOME}", None),
            ("a \"b\"", None),
            ("\"open", None),
            ("E_ALL | E_STRICT", None),
            // Of these, PHP makes a number, or it reads no more of the file.
            ("a&b", None),
            ("~x", None),
            ("tcp://h:1?database=2&auth=x", None),
            ("unix:///run/redis.sock?persistent=1", None),
            ("none x", None),
            ("on # c", None),
            ("\"a\" # c", None),
            (r#""a\'b""#, Some(r"a\'b")),
            (r#""\$x""#, Some("$x")),
            (r#""\\$x""#, Some(r"\$x")),
            (
                "\"tcp://h:1?database=2&auth=x\"",
                Some("tcp://h:1?database=2&auth=x"),
            ),
            ("a # b", Some("a # b")),
            ("x{y}", Some("x{y}")),
        ] {
            let read = value_of(line);
            let read = read.as_ref().map(|text| text.as_str());
            assert_eq!(read, expected, "{line}");
        }
    }
}
