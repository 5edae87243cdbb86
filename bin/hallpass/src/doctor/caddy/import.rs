//! Reads a Caddyfile as lines, with the files and snippets that it imports in their place, as
//! caddyconfig/caddyfile/parse.go of Caddy 2.6 does.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::doctor::directives::{MOST_FILES, at, included};

/// The most lines, with the imported ones. A snippet that imports itself has no end.
const MOST_LINES: usize = 100_000;

/// A line without its comment, as words.
#[derive(Clone, Debug)]
pub struct Line {
    file: Rc<Path>,
    pub number: usize,
    pub words: Vec<String>,
}

impl Line {
    pub fn at(&self) -> String {
        at(&self.file, self.number)
    }

    fn opens(&self) -> bool {
        self.words.last().is_some_and(|it| it == "{")
    }

    fn closes(&self) -> bool {
        self.words.first().is_some_and(|it| it == "}")
    }

    fn snippet(&self) -> Option<&str> {
        let name = self.words.first().filter(|_| self.opens())?;
        name.strip_prefix('(')?.strip_suffix(')')
    }

    /// With the arguments of an import in the place of their placeholders.
    fn with(&self, arguments: &[String]) -> Self {
        let words = self.words.iter().flat_map(|word| {
            if ["{args[:]}", "{args.*}"].contains(&word.as_str()) {
                return arguments.to_vec();
            }
            let mut word = word.clone();
            for (index, argument) in arguments.iter().enumerate() {
                for placeholder in [format!("{{args[{index}]}}"), format!("{{args.{index}}}")] {
                    word = word.replace(&placeholder, argument);
                }
            }
            vec![word]
        });
        Self {
            words: words.collect(),
            ..self.clone()
        }
    }
}

/// The lines of the file at `path`, with those that it imports. An `import` that was not followed
/// is left in its place: what it names is known to Caddy alone.
///
/// # Errors
/// What cannot be read.
pub fn read(path: &Path) -> Result<Vec<Line>, String> {
    expanded(of_file(path)?)
}

pub fn expanded(lines: Vec<Line>) -> Result<Vec<Line>, String> {
    let mut snippets: HashMap<String, Vec<Line>> = HashMap::new();
    let (mut found, mut files) = (Vec::new(), 0);
    // Those that are still to be looked at, the next one last.
    let mut rest = lines;
    rest.reverse();
    let mut seen = 0;
    while let Some(line) = rest.pop() {
        seen += 1;
        if seen > MOST_LINES || rest.len() > MOST_LINES || files > MOST_FILES {
            return Err("it imports too much".to_owned());
        }
        if let Some(name) = line.snippet() {
            let inside = block(&mut rest);
            snippets.insert(name.to_owned(), inside);
            continue;
        }
        let [import, name, arguments @ ..] = &*line.words else {
            found.push(line);
            continue;
        };
        // With a block of its own, which Caddy from 2.9 on puts in the place of `{block}`.
        if import != "import" || line.opens() || name.contains("{$") || name.contains("{env.") {
            found.push(line);
            continue;
        }
        let mut imported = match snippets.get(name) {
            Some(snippet) => snippet.clone(),
            None => {
                let mut imported = Vec::new();
                for file in named(&line, name)? {
                    files += 1;
                    imported.extend(of_file(&file)?);
                }
                imported
            }
        };
        imported.reverse();
        rest.extend(imported.iter().map(|line| line.with(arguments)));
    }
    Ok(found)
}

/// The files that an `import` names, relative to the file that it stands in.
fn named(line: &Line, name: &str) -> Result<Vec<PathBuf>, String> {
    let directory = line.file.parent().unwrap_or(Path::new("/"));
    let mut files = included(directory, name);
    files.retain(|file| !file.is_dir());
    if files.is_empty() && !name.contains(['*', '?', '[']) {
        let place = line.at();
        let place = place.trim_start_matches("read ");
        return Err(format!("{place}: there is no {name} to import"));
    }
    Ok(files)
}

/// Takes the lines up to the end of the block that has just been opened.
fn block(rest: &mut Vec<Line>) -> Vec<Line> {
    let (mut inside, mut depth) = (Vec::new(), 1_usize);
    while let Some(line) = rest.pop() {
        depth -= usize::from(line.closes());
        if depth == 0 {
            break;
        }
        depth += usize::from(line.opens());
        inside.push(line);
    }
    inside
}

fn of_file(path: &Path) -> Result<Vec<Line>, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(lines(path, &String::from_utf8_lossy(&bytes)))
}

/// The lines of `text`, which stands in the file at `path`.
pub fn lines(path: &Path, text: &str) -> Vec<Line> {
    let file: Rc<Path> = path.into();
    let line = |(line, number): (&str, usize)| {
        let words = line.split_whitespace();
        let words = words.take_while(|word| !word.starts_with('#'));
        Line {
            file: file.clone(),
            number,
            words: words.map(|word| unquoted(word).to_owned()).collect(),
        }
    };
    let lines = text.lines().zip(1..).map(line);
    lines.filter(|line| !line.words.is_empty()).collect()
}

fn unquoted(word: &str) -> &str {
    for quote in ['"', '`'] {
        let inside = word.strip_prefix(quote);
        if let Some(inside) = inside.and_then(|it| it.strip_suffix(quote)) {
            return inside;
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(directory: &Path, text: &str) -> Result<Vec<String>, String> {
        let lines = expanded(lines(&directory.join("Caddyfile"), text))?;
        Ok(lines.into_iter().map(|line| line.words.join(" ")).collect())
    }

    #[test]
    fn imports_are_followed() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text);
        write("a.caddy", "one\nimport sub/b\n").unwrap();
        std::fs::create_dir_all(directory.path().join("sub")).unwrap();
        write("sub/b", "two # comment\nimport c\n").unwrap();
        write("sub/c", "(inner) {\n deep {\n {args[0]}\n }\n}\n").unwrap();
        write("d1.conf", "d1 {args.0}").unwrap();
        write("d2.conf", "d2 {args[1]}").unwrap();
        write("loop", "import loop").unwrap();
        let shown = |text| shown(directory.path(), text);
        for (text, expected) in [
            (
                "import a.caddy\nimport inner x\nend",
                &["one", "two", "deep {", "x", "}", "end"][..],
            ),
            ("import \"d*.conf\" x y", &["d1 x", "d2 y"]),
            ("import nothing*", &[]),
            (
                "(s) {\n a {args[:]} b\n}\nx {\nimport s 1 2\n}",
                &["x {", "a 1 2 b", "}"],
            ),
            ("(s) {\n a\n}\n(t) {\n import s\n}\nimport t", &["a"]),
            // What is known to Caddy alone stays.
            ("import {$SITES}/*", &["import {$SITES}/*"]),
            ("import s {\n a\n}", &["import s {", "a", "}"]),
            ("import", &["import"]),
        ] {
            assert_eq!(shown(text).unwrap(), expected, "{text}");
        }
        for text in [
            "import nowhere",
            "import loop",
            "(s) {\n import s\n}\nimport s",
            "(s) {\n import s\n import s\n}\nimport s",
            "\nimport later\n(later) {\n}",
        ] {
            assert!(shown(text).is_err(), "{text}");
        }
        let error = shown("\nimport nowhere").unwrap_err();
        assert!(
            error.ends_with("Caddyfile:2: there is no nowhere to import"),
            "{error}"
        );
        for half in ["(s) {", "(s) {\n a {", "}", "}\n}", "{"] {
            let _ = shown(half);
        }
    }
}
