//! Starts PHP's command line interpreter with a site's own WordPress, so that it answers as the site
//! does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use super::file::root;
use crate::compare::Software;
use crate::init::owner::root_warning;

/// What PHP runs.
const SCRIPT: &str = include_str!("answers.php");
/// Reads it. WordPress' files expect to be in no function.
const FIRST: &str = "eval(json_decode(fgets(STDIN)));";

/// The WordPress at `path`, which has been `told` what the configuration says of it.
pub(super) fn software(
    path: &Path,
    arguments: &clap::ArgMatches,
    told: &Value,
    timeout: Duration,
) -> anyhow::Result<Software> {
    let path = std::path::absolute(path).context("cannot tell where the site is")?;
    let config = match path.is_dir() {
        true => path.join("wp-config.php"),
        false => path.clone(),
    };
    let Some(root) = root(&config) else {
        bail!("there is no wp-load.php in {}", path.display());
    };
    let php = arguments.try_get_one::<PathBuf>("php").ok().flatten();
    let mut options: Vec<std::ffi::OsString> = Vec::new();
    for setting in [
        "display_errors=stderr",
        "log_errors=0",
        "opcache.enable_cli=0",
        "memory_limit=512M",
    ] {
        options.extend(["-d".into(), setting.into()]);
    }
    options.extend(["-r".into(), FIRST.into()]);
    Ok(Software {
        interpreter: php.cloned().unwrap_or_else(|| PathBuf::from("php")),
        option: "--php",
        arguments: options,
        script: format!(
            "$hallpass_root = {}; $hallpass_told = json_decode({}, true);\n{SCRIPT}",
            quoted(&root),
            quoted(&told.to_string()),
        ),
        environment: Vec::new(),
        directory: PathBuf::from(root),
        timeout,
        warning: root_warning(&config),
    })
}

/// `text` as a literal of PHP's.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
