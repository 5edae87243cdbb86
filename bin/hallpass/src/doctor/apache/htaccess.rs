//! Reads `.htaccess` files where Apache reads them: below the directories of the sections that allow
//! it (`ap_directory_walk` of server/request.c, `AllowOverride` of server/core.c, 2.4).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::conditions::Conditions;
use super::file;
use super::sections::text;
use crate::doctor::directives::Directive;

/// How deep below a section's directory, and in how many directories, files are looked for.
const DEPTH: u32 = 16;
const MOST_DIRECTORIES: usize = 4000;

/// The files, as sections that are applied after the `<Directory>` of the same directory.
#[derive(Default)]
pub struct Files {
    pub sections: Vec<Directive>,
    /// A file or directory that was not read, and why.
    pub unread: Option<String>,
}

/// What `.htaccess` files may say in a directory.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Allowed {
    authentication: bool,
    limits: bool,
}

/// Whether a section is such a file.
pub fn is_file(section: &Directive) -> bool {
    section.line == 0 && section.is("Directory")
}

/// The files below the directories of a host with these directives.
pub fn files(directives: &[&Directive], conditions: &Conditions) -> Files {
    let is_plain = |it: &&&Directive| it.is("Directory") && it.word(0) != "~";
    let mut sections: Vec<&Directive> = directives.iter().filter(is_plain).copied().collect();
    // The deepest that has a word in it decides, the last of several.
    sections.sort_by_key(|it| Path::new(text(it)).components().count());
    let allowed = |directory: &Path| {
        let applies = |it: &&&Directive| directory.starts_with(text(it));
        let said = sections.iter().rev().filter(applies).find_map(|it| {
            let mut inside = it.inside.iter().rev();
            inside.find(|it| it.is("AllowOverride") || it.is("AllowOverrideList"))
        });
        said.map(allowance).unwrap_or_default()
    };
    let none = Allowed::default();
    let mut roots: BTreeSet<PathBuf> = BTreeSet::new();
    for section in &sections {
        let root = Path::new(text(section));
        // Below the whole file system, those that are served.
        if root.parent().is_some() && allowed(root) != none {
            roots.insert(root.to_path_buf());
        }
    }
    for directive in directives {
        let root = match () {
            () if directive.is("DocumentRoot") => directive.word(0),
            () if directive.is("Alias") => directive.word(1),
            () => continue,
        };
        if allowed(Path::new(root)) != none {
            roots.insert(PathBuf::from(root));
        }
    }
    let named = directives.iter().rev().find(|it| it.is("AccessFileName"));
    let names = named.map_or_else(|| vec![".htaccess".to_owned()], |it| it.words.clone());
    let mut walk = Walk {
        names: &names,
        allowed: &allowed,
        conditions,
        seen: BTreeSet::new(),
        found: Files::default(),
    };
    for root in roots {
        walk.enter(&root, DEPTH);
    }
    walk.found
}

fn allowance(directive: &Directive) -> Allowed {
    let has = |name: &str| {
        directive
            .words
            .iter()
            .any(|it| it.eq_ignore_ascii_case(name))
    };
    if directive.is("AllowOverrideList") {
        let of = |start: &str| {
            let mut words = directive.words.iter();
            words.any(|it| it.to_ascii_lowercase().starts_with(start))
        };
        return Allowed {
            authentication: of("auth") || of("require") || of("satisfy"),
            limits: has("Order") || has("Allow") || has("Deny"),
        };
    }
    Allowed {
        authentication: has("All") || has("AuthConfig"),
        limits: has("All") || has("Limit"),
    }
}

/// The search for the files.
struct Walk<'a> {
    names: &'a [String],
    allowed: &'a dyn Fn(&Path) -> Allowed,
    conditions: &'a Conditions,
    /// The directories that have been entered.
    seen: BTreeSet<PathBuf>,
    found: Files,
}

impl Walk<'_> {
    fn enter(&mut self, directory: &Path, depth: u32) {
        if self.seen.len() >= MOST_DIRECTORIES {
            self.unread("there are too many directories", directory);
            return;
        }
        if !self.seen.insert(directory.to_path_buf()) {
            return;
        }
        let here = (self.allowed)(directory);
        if here != Allowed::default() {
            for name in self.names {
                self.add(&directory.join(name), directory, here);
            }
        }
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => {
                self.unread(&error.to_string(), directory);
                return;
            }
        };
        let directories = entries.flatten().filter(|it| {
            let kind = it.file_type();
            kind.is_ok_and(|kind| kind.is_dir())
        });
        let mut directories: Vec<PathBuf> = directories.map(|it| it.path()).collect();
        directories.sort();
        for inner in directories {
            if depth == 0 {
                self.unread("it is too deep", &inner);
                return;
            }
            self.enter(&inner, depth - 1);
        }
    }

    fn add(&mut self, path: &Path, directory: &Path, allowed: Allowed) {
        if !path.try_exists().unwrap_or(true) {
            return;
        }
        let directives = match file::read_alone(path, self.conditions) {
            Ok(directives) => directives,
            Err(error) => return self.unread(&error, path),
        };
        let counts = |it: &Directive| {
            let name = it.name.to_ascii_lowercase();
            match &*name {
                "order" | "allow" | "deny" => allowed.limits,
                "satisfy" | "groupexternal" | "groupexternalauthoritative" => {
                    allowed.authentication
                }
                _ if name.starts_with("auth") => allowed.authentication,
                _ if name.starts_with("require") => allowed.authentication,
                "limit" | "limitexcept" | "if" | "files" | "filesmatch" => allowed.authentication,
                _ => false,
            }
        };
        let inside: Vec<Directive> = directives.into_iter().filter(counts).collect();
        if inside.is_empty() {
            return;
        }
        self.found.sections.push(Directive {
            name: "Directory".to_owned(),
            words: vec![directory.to_string_lossy().into_owned()],
            file: path.to_path_buf(),
            line: 0,
            inside,
        });
    }

    fn unread(&mut self, why: &str, path: &Path) {
        self.found
            .unread
            .get_or_insert_with(|| format!("{}: {why}", path.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(directory: &Path, configuration: &str) -> Vec<String> {
        let configuration = configuration.replace("ROOT", &directory.to_string_lossy());
        let directives = file::parse(&configuration).unwrap();
        let conditions = Conditions::default();
        let files = files(&directives.iter().collect::<Vec<_>>(), &conditions);
        assert_eq!(files.unread, None);
        let shown = |it: Directive| {
            assert!(is_file(&it));
            let names: Vec<&str> = it.inside.iter().map(|it| it.name.as_str()).collect();
            let place = Path::new(it.word(0)).strip_prefix(directory).unwrap();
            format!("{}: {}", place.display(), names.join(" "))
        };
        files.sections.into_iter().map(shown).collect()
    }

    #[test]
    fn files_count_where_apache_reads_them() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for (place, text) in [
            (
                "a",
                "Require all granted\nRewriteEngine On\nOrder allow,deny\n",
            ),
            ("a/deep/er", "AuthName x\nRequire valid-user\n"),
            ("b", "Require all granted\n"),
        ] {
            std::fs::create_dir_all(root.join(place)).unwrap();
            std::fs::write(root.join(place).join(".htaccess"), text).unwrap();
        }
        std::fs::write(root.join("a/.more"), "Require user x\n").unwrap();
        let (a, deeper) = ("a: Require", "a/deep/er: AuthName Require");
        for (text, expected) in [
            // The default is None, since 2.3.9.
            ("DocumentRoot ROOT\n", &[][..]),
            ("<Directory ROOT>\nAllowOverride None\n</Directory>\n", &[]),
            (
                "<Directory ROOT>\nAllowOverride FileInfo\n</Directory>\n",
                &[],
            ),
            (
                "<Directory ROOT/a>\nAllowOverride AuthConfig\n</Directory>\n",
                &[a, deeper],
            ),
            (
                "<Directory />\nAllowOverride All\n</Directory>\nDocumentRoot ROOT/a\n",
                &["a: Require Order", deeper],
            ),
            (
                "<Directory ROOT/a>\nAllowOverride AuthConfig\n</Directory>\n\
                 <Directory ROOT/a/deep>\nAllowOverride None\n</Directory>\n",
                &[a],
            ),
            (
                "<Directory ROOT/a>\nAllowOverride None\n</Directory>\n\
                 <Directory ROOT/a>\nAllowOverride authconfig\n</Directory>\n",
                &[a, deeper],
            ),
            (
                "<Directory ROOT/a>\nAllowOverrideList Require\n</Directory>\n",
                &[a, deeper],
            ),
            (
                "AccessFileName .more\n<Directory ROOT/a>\nAllowOverride AuthConfig\n</Directory>\n",
                &[a],
            ),
            (
                "Alias /x ROOT/b\n<Directory ROOT>\nAllowOverride AuthConfig\n</Directory>\n",
                &[a, deeper, "b: Require"],
            ),
        ] {
            assert_eq!(found(root, text), expected, "{text}");
        }
    }
}
