//! Holds what the checks of several servers share: directives, some of which hold others, included
//! files, and the headers of an identity.

use std::path::{Path, PathBuf};

use regex::Regex;

/// The headers in which hallpassd names the account.
pub const IDENTITY: [&str; 7] = [
    "Remote-User",
    "Remote-User-Encoding",
    "Remote-Email",
    "Remote-Name",
    "Remote-Groups",
    "Remote-Session",
    "Remote-Session-Expires",
];

/// How many files may be included, and how deep directives may be nested.
pub const MOST_FILES: usize = 4096;
pub const DEEPEST: usize = 64;

/// A directive, with its words and the directives inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    pub name: String,
    pub words: Vec<String>,
    pub file: PathBuf,
    pub line: usize,
    pub inside: Vec<Self>,
}

impl Directive {
    pub fn at(&self) -> String {
        at(&self.file, self.line)
    }

    pub fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }

    /// Whether it is called `name`, ignoring case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The place of a line, for messages.
pub fn at(path: &Path, line: usize) -> String {
    format!("read {}:{line}", path.display())
}

/// Visits each directive and all inside it, with those that enclose it.
pub fn each<'a>(
    directives: &'a [Directive],
    around: &mut Vec<&'a Directive>,
    look: &mut dyn FnMut(&'a Directive, &[&'a Directive]),
) {
    for directive in directives {
        look(directive, around);
        around.push(directive);
        each(&directive.inside, around, look);
        around.pop();
    }
}

/// The files that `pattern`, with `*` and `?`, matches, in alphabetical order.
pub fn included(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![directory.join("")];
    let mut rest = Path::new(pattern).components().peekable();
    if Path::new(pattern).is_absolute() {
        found = vec![PathBuf::from("/")];
        rest.next();
    }
    for component in rest {
        let name = component.as_os_str().to_string_lossy();
        found = found
            .into_iter()
            .flat_map(|base| {
                if !name.contains(['*', '?', '[']) {
                    return vec![base.join(&*name)];
                }
                let entries = std::fs::read_dir(&base).into_iter().flatten().flatten();
                let mut names: Vec<PathBuf> = entries
                    .filter(|entry| is_like(&entry.file_name().to_string_lossy(), &name))
                    .map(|entry| entry.path())
                    .collect();
                names.sort();
                names
            })
            .collect();
    }
    found.retain(|path| path.exists());
    found
}

/// Whether `name` matches `pattern`, in which `*` is any text, `?` one character, and `[…]` one of
/// several. A pattern that is not understood matches.
fn is_like(name: &str, pattern: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let mut regex = String::from("^(?s:");
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' if letters.as_str().contains(']') => {
                let (class, rest) = letters.as_str().split_once(']').unwrap_or_default();
                let (not, class) = match class.strip_prefix(['!', '^']) {
                    Some(class) => ("^", class),
                    None => ("", class),
                };
                regex.push_str(&format!("[{not}{}]", class.replace(['\\', '['], "")));
                letters = rest.chars();
            }
            other => regex.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push_str(")$");
    Regex::new(&regex).map_or(true, |regex| regex.is_match(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_files() {
        for (name, pattern, like) in [
            ("a.conf", "*.conf", true),
            ("a.conf", "?.conf", true),
            ("ab.conf", "?.conf", false),
            (".a.conf", "*.conf", false),
            ("a.conf~", "*.conf", false),
            ("abc", "a*c", true),
            ("ac", "a*c", true),
            ("abcb", "a*c", false),
            ("", "*", true),
            ("1.conf", "[0-9]*.conf", true),
            ("a.conf", "[0-9]*.conf", false),
            ("a.conf", "[!0-9].conf", true),
            ("a.conf", "[a", false),
            ("a+b", "a+b", true),
            ("aab", "a+b", false),
        ] {
            assert_eq!(is_like(name, pattern), like, "{name} {pattern}");
        }
    }
}
