//! Resolves ejabberd's options for each of its hosts as ejabberd does: macros, included files,
//! `host_config` and `append_host_config` (`ejabberd_config` and `yconf` of 23.01).

use std::path::{Path, PathBuf};

use crate::doctor::yaml::{self, Setting};

/// How deep files may include others, and macros stand for others.
const DEEPEST: usize = 8;
/// The most settings that are read.
const MOST: usize = 100_000;

/// A value, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub text: String,
    pub file: PathBuf,
    pub line: usize,
    /// Whether it is an item of a list.
    listed: bool,
}

/// The options of the server and of its hosts.
#[derive(Debug, Default)]
pub struct Options {
    /// The hosts, in lower case, and where each is named.
    pub hosts: Vec<Value>,
    /// What is included and is not there, and where.
    pub missing: Vec<Value>,
    values: Vec<Given>,
}

/// A value of an option.
#[derive(Debug)]
struct Given {
    scope: Scope,
    key: String,
    value: Value,
    /// Which of the mappings it stands in, so that an option that stands twice is seen.
    place: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    Global,
    Host(String),
    Append(String),
}

/// A setting, with the file that it stands in.
struct Placed {
    setting: Setting,
    file: PathBuf,
    place: usize,
}

impl Options {
    /// Reads the file at `path` and those that it includes.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn read(path: &Path) -> Result<Self, String> {
        let mut options = Self::default();
        let mut placed = Vec::new();
        let mut reader = Reader {
            base: path.parent().unwrap_or(Path::new("/")),
            missing: Vec::new(),
            files: 0,
        };
        reader.read(path, &Filter::default(), 0, &mut placed)?;
        options.missing = reader.missing;
        for it in expand(placed)? {
            options.add(&it);
        }
        Ok(options)
    }

    fn add(&mut self, it: &Placed) {
        let path: Vec<&str> = it.setting.path.iter().map(String::as_str).collect();
        let (scope, key, rest) = match path.as_slice() {
            ["host_config", host, key, rest @ ..] => {
                (Scope::Host(host.to_ascii_lowercase()), *key, rest)
            }
            ["append_host_config", host, key, rest @ ..] => {
                (Scope::Append(host.to_ascii_lowercase()), *key, rest)
            }
            [key, rest @ ..] => (Scope::Global, *key, rest),
            [] => return,
        };
        if rest.len() > 1 {
            return;
        }
        let mut value = Value {
            text: it.setting.value.clone(),
            file: it.file.clone(),
            line: it.setting.line,
            listed: !rest.is_empty(),
        };
        if scope == Scope::Global && key == "hosts" {
            value.text.make_ascii_lowercase();
            self.hosts.push(value);
            return;
        }
        self.values.push(Given {
            scope,
            key: key.to_owned(),
            value,
            place: it.place,
        });
    }

    fn of(&self, scope: &Scope, key: &str) -> Vec<&Value> {
        let given = self.values.iter();
        given
            .filter(|it| it.scope == *scope && it.key == key)
            .map(|it| &it.value)
            .collect()
    }

    /// All values of `key`, whatever host they are for.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Value> {
        let given = self.values.iter().filter(move |it| it.key == key);
        given.map(|it| &it.value)
    }

    /// The server's own values of `key`.
    pub fn global(&self, key: &str) -> Vec<&Value> {
        self.of(&Scope::Global, key)
    }

    /// The values of `key` for `host`: its own or the server's, and what is appended to either.
    pub fn for_host(&self, host: &str, key: &str) -> Vec<&Value> {
        let own = self.of(&Scope::Host(host.to_owned()), key);
        let mut values = if own.is_empty() {
            self.global(key)
        } else {
            own
        };
        values.extend(self.of(&Scope::Append(host.to_owned()), key));
        values
    }

    /// A value of `key` that ejabberd does not start with, and why: one that stands twice, or one
    /// that would be appended and is not a list's.
    pub fn refused<'a>(&'a self, key: &'a str, is_list: bool) -> Option<(&'a Value, &'static str)> {
        let given: Vec<&Given> = self.values.iter().filter(|it| it.key == key).collect();
        let appended = given
            .iter()
            .find(|it| matches!(it.scope, Scope::Append(_)) && !is_list);
        if let Some(it) = appended {
            return Some((&it.value, "append_host_config takes lists alone"));
        }
        let twice = given.iter().enumerate().find(|(index, it)| {
            let before = given.get(..*index).unwrap_or_default();
            let same = |other: &&&Given| {
                other.scope == it.scope && (!it.value.listed || other.place != it.place)
            };
            !matches!(it.scope, Scope::Append(_)) && before.iter().any(|other| same(&other))
        });
        twice.map(|(_, it)| (&it.value, "the option stands twice"))
    }
}

/// The options that an included file may set.
#[derive(Clone, Debug, Default)]
struct Filter {
    disallow: Vec<String>,
    allow_only: Vec<String>,
}

impl Filter {
    fn lets(&self, key: &str) -> bool {
        !self.disallow.iter().any(|it| it == key)
            && (self.allow_only.is_empty() || self.allow_only.iter().any(|it| it == key))
    }
}

struct Reader<'a> {
    /// Where relative paths begin.
    base: &'a Path,
    missing: Vec<Value>,
    files: usize,
}

impl Reader<'_> {
    /// Adds the settings of the file at `path`.
    fn read(
        &mut self,
        path: &Path,
        filter: &Filter,
        depth: usize,
        placed: &mut Vec<Placed>,
    ) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!(
                "{}: files include others too deeply",
                path.display()
            ));
        }
        let at = |error: &dyn std::fmt::Display| match depth {
            0 => error.to_string(),
            _ => format!("{}: {error}", path.display()),
        };
        let text = std::fs::read_to_string(path).map_err(|error| at(&error))?;
        let settings = yaml::read(&text).map_err(|error| at(&error))?;
        self.files += 1;
        let place = self.files;
        let mut included: Vec<Included> = Vec::new();
        for setting in settings {
            let Some(key) = setting.path.first().filter(|key| filter.lets(key)) else {
                continue;
            };
            // Below `host_config`, ejabberd takes no notice of it.
            if key == "include_config_file" {
                note(&mut included, setting);
                continue;
            }
            placed.push(Placed {
                setting,
                file: path.to_path_buf(),
                place,
            });
            if placed.len() > MOST {
                return Err(at(&"it has too many settings"));
            }
        }
        for Included { name, filter, line } in included {
            let file = self.base.join(&name);
            if file.is_file() {
                self.read(&file, &filter, depth + 1, placed)?;
            } else {
                self.missing.push(Value {
                    text: name,
                    file: path.to_path_buf(),
                    line,
                    listed: false,
                });
            }
        }
        Ok(())
    }
}

/// A file that is included.
struct Included {
    name: String,
    filter: Filter,
    line: usize,
}

/// Notes what `setting` includes: a name, a list of names, or a mapping of names to what they may
/// set.
fn note(included: &mut Vec<Included>, setting: Setting) {
    let is_place = |word: &String| word.bytes().all(|byte| byte.is_ascii_digit());
    let (name, filter) = match setting.path.get(1..).unwrap_or_default() {
        [] => (setting.value.clone(), None),
        [place] if is_place(place) => (setting.value.clone(), None),
        [name, rest @ ..] => (name.clone(), rest.first().map(String::as_str)),
    };
    if !included.iter().any(|it| it.name == name) {
        included.push(Included {
            name: name.clone(),
            filter: Filter::default(),
            line: setting.line,
        });
    }
    let Some(file) = included.iter_mut().find(|it| it.name == name) else {
        return;
    };
    match filter {
        Some("disallow") => file.filter.disallow.push(setting.value),
        Some("allow_only") => file.filter.allow_only.push(setting.value),
        _ => {}
    }
}

/// The settings, with what macros stand for in their place.
fn expand(placed: Vec<Placed>) -> Result<Vec<Placed>, String> {
    let is_macro = |it: &Placed| {
        it.setting
            .path
            .first()
            .is_some_and(|key| key == "define_macro")
    };
    let (macros, mut settings): (Vec<Placed>, Vec<Placed>) = placed.into_iter().partition(is_macro);
    let macros: Vec<(String, Vec<String>, String)> = macros
        .into_iter()
        .filter_map(|it| {
            let mut path = it.setting.path.into_iter().skip(1);
            let mut name = path.next()?;
            // Older files have a list of mappings.
            if name.bytes().all(|byte| byte.is_ascii_digit()) {
                name = path.next()?;
            }
            Some((name, path.collect(), it.setting.value))
        })
        .collect();
    for _ in 0..DEEPEST {
        let (mut expanded, mut changed) = (Vec::new(), false);
        for it in settings {
            let meant: Vec<_> = macros
                .iter()
                .filter(|(name, ..)| *name == it.setting.value)
                .collect();
            if meant.is_empty() {
                expanded.push(it);
                continue;
            }
            changed = true;
            for (_, rest, value) in meant {
                expanded.push(Placed {
                    setting: Setting {
                        path: [it.setting.path.as_slice(), rest].concat(),
                        value: value.clone(),
                        line: it.setting.line,
                    },
                    file: it.file.clone(),
                    place: it.place,
                });
            }
            if expanded.len() > MOST {
                return Err("its macros stand for too many settings".to_owned());
            }
        }
        settings = expanded;
        if !changed {
            break;
        }
    }
    Ok(settings)
}
