//! Reads `config/*.php` as far as it is literals, and calls of `env` and a few others that are known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use hallpass_php_literals::{Literal, Returned, returned};

use super::asked::Asked;
use crate::init::site_file;
use crate::laravel::environment::{Environment, Variable};
use crate::laravel::site_environment::slug_with;

/// What the site's configuration says.
pub(super) struct Config<'a> {
    environment: &'a Environment,
    directory: &'a Path,
    /// What the operator says in place of the files: `session.cookie` and its value.
    given: BTreeMap<String, String>,
    /// What the application itself says, where it was asked.
    asked: Option<Asked>,
    /// `bootstrap/cache/config.php`, which stands in for all files.
    cached: Option<Returned>,
}

impl<'a> Config<'a> {
    pub(super) fn new(
        environment: &'a Environment,
        directory: &'a Path,
        given: &[(String, String)],
        asked: Option<Asked>,
    ) -> anyhow::Result<Self> {
        let mut config = Self {
            environment,
            directory,
            given: given.iter().cloned().collect(),
            asked,
            cached: None,
        };
        let cached = directory.join("bootstrap/cache/config.php");
        if cached.is_file() && config.asked.is_none() {
            config.cached = Some(config.file(&cached)?);
        }
        Ok(config)
    }

    pub(super) fn is_cached(&self) -> bool {
        self.cached.is_some()
    }

    fn file(&self, path: &Path) -> anyhow::Result<Returned> {
        let source = site_file::read(path)?;
        let call = |name: &str, arguments: &[Option<Literal>]| self.call(name, arguments);
        returned(&source, &call).with_context(|| format!("cannot read {}", path.display()))
    }

    /// The value of `key`, as in `session.cookie`; `None` where the site says nothing.
    ///
    /// # Errors
    /// When only PHP can tell.
    pub(super) fn get(&self, key: &str) -> anyhow::Result<Option<Literal>> {
        if let Some(given) = self.given.get(key) {
            return Ok(Some(literal(given)));
        }
        if let Some(asked) = &self.asked {
            return Ok(asked.get(key));
        }
        let mut path = key.split('.');
        let name = path.next().unwrap_or_default();
        let file = self.directory.join("config").join(format!("{name}.php"));
        let path: Vec<&str> = path.collect();
        let found = match &self.cached {
            Some(cached) => cached.at(&[vec![name], path].concat()),
            None if file.is_file() => self.file(&file)?.at(&path),
            None => None,
        };
        match found {
            None => Ok(None),
            Some(Returned::Literal(literal)) => Ok(Some(literal)),
            Some(Returned::Array { .. }) => Ok(Some(Literal::Array(Vec::new()))),
            Some(Returned::Unknown { line }) => {
                let line = match line {
                    0 => String::new(),
                    line => format!(":{line}"),
                };
                bail!(
                    "nothing is written: {}{line}: PHP computes `{key}`, which is not read; --php \
                     has the application itself say it, or --set {key}=VALUE does",
                    file.display()
                )
            }
        }
    }

    /// The same as text, as PHP makes it; `None` for null and what is not there.
    pub(super) fn text(&self, key: &str) -> anyhow::Result<Option<String>> {
        Ok(match self.get(key)? {
            None | Some(Literal::Null) => None,
            Some(Literal::Text(text)) => {
                let text = String::from_utf8(text.to_vec());
                Some(text.ok().with_context(|| format!("`{key}` is not text"))?)
            }
            Some(Literal::Integer(number)) => Some(number.to_string()),
            Some(Literal::Boolean(true)) => Some("1".to_owned()),
            Some(Literal::Boolean(false)) => Some(String::new()),
            Some(Literal::Float(_) | Literal::Array(_)) => {
                bail!("nothing is written: `{key}` of the site's configuration is not text")
            }
        })
    }

    /// The text at `key`, where there is some.
    pub(super) fn filled(&self, key: &str) -> anyhow::Result<Option<String>> {
        Ok(self.text(key)?.filter(|text| !text.is_empty()))
    }

    /// Whether PHP takes the value for true.
    pub(super) fn truth(&self, key: &str) -> anyhow::Result<bool> {
        let text = self.text(key)?.unwrap_or_default();
        Ok(!matches!(text.as_str(), "" | "0"))
    }

    /// What a call gives that a file of Laravel's own configuration makes.
    fn call(&self, name: &str, arguments: &[Option<Literal>]) -> Option<Literal> {
        let text = |at: usize| match arguments.get(at) {
            Some(Some(Literal::Text(text))) => std::str::from_utf8(text).ok(),
            _ => None,
        };
        let under = |directory: PathBuf| {
            let path = match arguments {
                [] => directory,
                _ => directory.join(text(0)?.trim_start_matches('/')),
            };
            Some(path.to_str()?.as_bytes().to_vec())
        };
        let bytes = |bytes: Vec<u8>| Literal::Text(bytes.into());
        match name.to_ascii_lowercase().as_str() {
            "env" => match self.environment.get(text(0)?) {
                Some(Variable::Text(value)) => Some(bytes(value.as_bytes().to_vec())),
                Some(Variable::Boolean(truth)) => Some(Literal::Boolean(truth)),
                Some(Variable::Null) => Some(Literal::Null),
                None => arguments.get(1).cloned().unwrap_or(Some(Literal::Null)),
            },
            "base_path" => under(self.directory.to_owned()).map(bytes),
            "storage_path" => under(self.directory.join("storage")).map(bytes),
            "database_path" => under(self.directory.join("database")).map(bytes),
            "str::slug" => {
                let separator = match arguments.len() {
                    1 => "-",
                    _ => text(1)?,
                };
                let separator = separator.chars().next().filter(|_| separator.len() == 1)?;
                Some(bytes(slug_with(text(0)?, separator)?.into_bytes()))
            }
            "realpath" => {
                let path = std::fs::canonicalize(text(0)?).ok()?;
                Some(bytes(path.to_str()?.as_bytes().to_vec()))
            }
            _ => None,
        }
    }
}

/// What an operator's value stands for.
fn literal(value: &str) -> Literal {
    match value {
        "true" => Literal::Boolean(true),
        "false" => Literal::Boolean(false),
        "null" | "NULL" => Literal::Null,
        value => Literal::Text(value.as_bytes().to_vec().into()),
    }
}
