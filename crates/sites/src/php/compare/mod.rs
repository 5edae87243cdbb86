//! Starts PHP with a site's own settings, so that it reads sessions as the site does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use crate::compare::Software;

/// What PHP runs.
const SCRIPT: &str = include_str!("answers.php");
/// Reads it.
const FIRST: &str = "eval(json_decode(fgets(STDIN)));";

#[derive(Debug, Args)]
#[command(next_help_heading = "Of a site in PHP")]
pub(super) struct ComparePhp {
    /// PHP's command line interpreter, of the site's own version
    #[arg(long, value_name = "PROGRAM", default_value = "php")]
    php: PathBuf,
}

/// The PHP whose settings are at `path`, and which has been `told` where in a session its user is.
pub(super) fn software(
    path: &Path,
    options: &ComparePhp,
    told: &Value,
    timeout: Duration,
) -> anyhow::Result<Software> {
    let path = std::path::absolute(path).context("cannot tell where the site is")?;
    if !path.exists() {
        bail!("there is no {}", path.display());
    }
    let mut arguments: Vec<std::ffi::OsString> = Vec::new();
    let mut environment = Vec::new();
    let is_ini = path.is_dir() || path.file_name().is_some_and(|name| name == "php.ini");
    let beside = if path.is_dir() {
        path.clone()
    } else {
        path.parent().map(Path::to_owned).unwrap_or_default()
    };
    if is_ini && beside.join("php.ini").exists() {
        arguments.extend(["-c".into(), beside.join("php.ini").into()]);
        let more = beside.join("conf.d");
        if let (true, Some(text)) = (more.is_dir(), more.to_str()) {
            environment.push(("PHP_INI_SCAN_DIR".to_owned(), text.to_owned().into()));
        }
    }
    for setting in [
        "display_errors=stderr",
        "log_errors=0",
        "opcache.enable_cli=0",
    ] {
        arguments.extend(["-d".into(), setting.into()]);
    }
    arguments.extend(["-r".into(), FIRST.into()]);
    // What php.ini says is read by PHP itself.
    let beside_ini = if is_ini && path.is_file() {
        String::new()
    } else {
        path.to_string_lossy().into_owned()
    };
    let script = format!(
        "$path = {}; $told = json_decode({}, true);\n{SCRIPT}",
        quoted(&beside_ini),
        quoted(&told.to_string()),
    );
    Ok(Software {
        interpreter: options.php.clone(),
        option: "--php",
        arguments,
        script,
        environment,
        directory: beside,
        timeout,
        // None of the site's code runs.
        warning: None,
    })
}

/// `text` as a literal of PHP's.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
