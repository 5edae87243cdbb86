//! Reads Apache's configuration, with the files that it includes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::conditions::Conditions;
use crate::doctor::directives::{DEEPEST, Directive, MOST_FILES, included};

/// The state of the reader.
struct Reading {
    server_root: PathBuf,
    files: usize,
    /// The depth of nested includes.
    depth: usize,
    /// The sections that are open, the outermost first; the first stands for the server. Those
    /// whose condition is met are left out, because they have no effect.
    open: Vec<Directive>,
    conditions: Conditions,
    /// The number of open sections that do not apply: one whose condition is not met, and those
    /// inside it.
    passed_over: usize,
}

/// The directives of the file at `path` and of all that it includes, and what was defined and loaded
/// at its end.
///
/// # Errors
/// What cannot be read.
pub fn read(path: &Path) -> Result<(Vec<Directive>, Conditions), String> {
    let home = path.parent().unwrap_or(Path::new("/"));
    let started = home.join("envvars");
    let started = match std::fs::read(&started) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // An Apache that is not started as on Debian has no such file.
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(format!("{}: {error}", started.display())),
    };
    whole(path, home, Conditions::started_by(&started))
}

/// The directives of the file at `path` alone, such as a `.htaccess`, which is read under these
/// conditions.
///
/// # Errors
/// What cannot be read.
pub fn read_alone(path: &Path, conditions: &Conditions) -> Result<Vec<Directive>, String> {
    let home = path.parent().unwrap_or(Path::new("/"));
    whole(path, home, conditions.clone()).map(|(directives, _)| directives)
}

fn whole(
    path: &Path,
    server_root: &Path,
    conditions: Conditions,
) -> Result<(Vec<Directive>, Conditions), String> {
    let mut reading = Reading {
        server_root: server_root.to_path_buf(),
        files: 0,
        depth: 0,
        open: vec![Directive {
            name: String::new(),
            words: Vec::new(),
            file: path.to_path_buf(),
            line: 0,
            inside: Vec::new(),
        }],
        conditions,
        passed_over: 0,
    };
    reading.file(path)?;
    let server = reading.open.drain(..).next();
    let directives = server.map(|server| server.inside).unwrap_or_default();
    Ok((directives, reading.conditions))
}

/// The directives of `text`, a whole file that includes none.
#[cfg(test)]
pub fn parse(text: &str) -> Result<Vec<Directive>, String> {
    let path = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    std::fs::write(path.path(), text).map_err(|error| error.to_string())?;
    read(path.path()).map(|(directives, _)| directives)
}

impl Reading {
    fn file(&mut self, path: &Path) -> Result<(), String> {
        self.files += 1;
        if self.files > MOST_FILES || self.depth > DEEPEST {
            return Err("it includes too many files".to_owned());
        }
        self.depth += 1;
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.lines().zip(1..);
        while let Some((first, line)) = lines.next() {
            let mut whole = first.to_owned();
            while whole.ends_with('\\') {
                whole.pop();
                match lines.next() {
                    Some((more, _)) => whole.push_str(more),
                    None => break,
                }
            }
            self.line(whole.trim(), path, line)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn line(&mut self, text: &str, file: &Path, line: usize) -> Result<(), String> {
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        if let Some(name) = text.strip_prefix("</") {
            self.close(name.trim_end_matches('>').trim());
            return Ok(());
        }
        if self.passed_over > 0 {
            self.passed_over += usize::from(text.starts_with('<'));
            return Ok(());
        }
        let section = text
            .strip_prefix('<')
            .map(|text| text.trim_end_matches('>'));
        let text = section.unwrap_or(text);
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let directive = Directive {
            name: name.to_owned(),
            words: words(&self.conditions.resolve(rest)),
            file: file.to_path_buf(),
            line,
            inside: Vec::new(),
        };
        if section.is_some() {
            if let Some(admitted) = self.conditions.admit(&directive, &self.server_root) {
                self.passed_over = usize::from(!admitted);
                return Ok(());
            }
            if self.open.len() > DEEPEST {
                return Err("it is nested too deeply".to_owned());
            }
            self.open.push(directive);
        } else if directive.is("Include") || directive.is("IncludeOptional") {
            for path in included(&self.server_root, directive.word(0)) {
                self.include(&path)?;
            }
        } else {
            if directive.is("ServerRoot") {
                self.server_root = directive.word(0).into();
            }
            self.conditions.heed(&directive);
            self.add(directive);
        }
        Ok(())
    }

    /// The end of a section called `name`.
    fn close(&mut self, name: &str) {
        if self.passed_over > 0 {
            self.passed_over -= 1;
        } else if self.open.len() > 1
            && self.open.last().is_some_and(|section| section.is(name))
            && let Some(section) = self.open.pop()
        {
            self.add(section);
        }
    }

    /// A file, or all files in a directory.
    fn include(&mut self, path: &Path) -> Result<(), String> {
        if !path.is_dir() {
            return self.file(path);
        }
        let directory = included(path, "*");
        directory.iter().try_for_each(|path| self.include(path))
    }

    fn add(&mut self, directive: Directive) {
        if let Some(open) = self.open.last_mut() {
            open.inside.push(directive);
        }
    }
}

/// Words as `ap_getword_conf` splits them: either kind of quotes makes one, and a backslash before
/// a quote of that kind keeps it from ending the word.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let mut word = String::new();
        if first == '"' || first == '\'' {
            let mut letters = rest.char_indices().skip(1).peekable();
            let mut end = rest.len();
            while let Some((at, letter)) = letters.next() {
                let next = letters.peek().map(|(_, next)| *next);
                if letter == first {
                    end = at + 1;
                    break;
                }
                if letter == '\\' && next.is_some_and(|next| next == first || next == '\\') {
                    word.extend(letters.next().map(|(_, next)| next));
                } else {
                    word.push(letter);
                }
            }
            rest = rest.get(end..).unwrap_or_default();
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            word.push_str(rest.get(..end).unwrap_or_default());
            rest = rest.get(end..).unwrap_or_default();
        }
        words.push(word);
        rest = rest.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_apaches() {
        assert_eq!(words("a  b"), ["a", "b"]);
        assert_eq!(words("\"a b\" 'c \"d\"'"), ["a b", "c \"d\""]);
        assert_eq!(words(r#""a \"b\" \c""#), [r#"a "b" \c"#]);
        assert_eq!(words("\"open"), ["open"]);
        assert!(words("  ").is_empty());
    }
}
