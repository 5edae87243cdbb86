//! Asks the application's own PHP for its configuration, with all that its files compute.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use hallpass_php_literals::Literal;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::init::python::ask;

/// What PHP runs: it starts the application as Artisan does, and prints the parts that are read here.
const SCRIPT: &str = include_str!("config.php");
/// Reads it.
const FIRST: &str = "eval(stream_get_contents(STDIN));";

/// A value of the configuration. Objects and functions are null in it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Asked {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(Zeroizing<String>),
    List(Vec<Asked>),
    Map(BTreeMap<String, Asked>),
}

impl Asked {
    /// What `php` says of the application in `directory`.
    ///
    /// # Errors
    /// When there is no such PHP, it takes too long, or the application cannot be started.
    pub(super) fn of(php: &Path, directory: &Path, timeout: Duration) -> anyhow::Result<Self> {
        let mut command = Command::new(php);
        for setting in [
            "display_errors=stderr",
            "log_errors=0",
            "opcache.enable_cli=0",
        ] {
            command.args(["-d", setting]);
        }
        command.args(["-r", FIRST]).current_dir(directory);
        let name = php.display().to_string();
        let answer = ask(command, &name, "--php", SCRIPT.as_bytes(), timeout)?;
        // What the application prints as it starts comes first.
        let line = answer
            .rsplit(|byte| *byte == b'\n')
            .find(|line| !line.is_empty());
        serde_json::from_slice(line.unwrap_or_default())
            .with_context(|| format!("{name} gave no configuration of the site"))
    }

    /// The value at the path `key`, as in `session.cookie`.
    pub(super) fn get(&self, key: &str) -> Option<Literal> {
        let mut value = self;
        for name in key.split('.') {
            value = match value {
                Self::Map(map) => map.get(name)?,
                Self::List(list) => list.get(name.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(match value {
            Self::Null => Literal::Null,
            Self::Boolean(truth) => Literal::Boolean(*truth),
            Self::Integer(number) => Literal::Integer(*number),
            Self::Float(number) => Literal::Float(*number),
            Self::Text(text) => Literal::Text(text.as_bytes().to_vec().into()),
            Self::List(_) | Self::Map(_) => Literal::Array(Vec::new()),
        })
    }
}
