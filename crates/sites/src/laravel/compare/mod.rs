//! Starts the site's own application in PHP, so that Laravel itself says who an account, a session or
//! a password is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::compare::Software;
use crate::init::owner::root_warning;

/// What PHP runs.
const SCRIPT: &str = include_str!("answers.php");
/// Reads it.
const FIRST: &str = "eval(json_decode(fgets(STDIN)));";

/// The site at `path`, run by `php`, which has been `told` what the configuration says of it.
pub(super) fn software(
    path: &Path,
    php: PathBuf,
    told: &Value,
    timeout: Duration,
) -> anyhow::Result<Software> {
    let path = std::path::absolute(path).context("cannot tell where the site is")?;
    let directory = match path.is_dir() {
        true => path,
        false => path.parent().map(Path::to_owned).unwrap_or_default(),
    };
    let application = directory.join("bootstrap/app.php");
    if !application.is_file() {
        bail!("there is no {}", application.display());
    }
    let settings = [
        "display_errors=stderr",
        "log_errors=0",
        "opcache.enable_cli=0",
    ];
    let settings = settings.iter().flat_map(|it| ["-d".into(), it.into()]);
    let run = ["-r".into(), FIRST.into()];
    let script = format!(
        "$directory = {}; $told = json_decode({}, true);\n{SCRIPT}",
        quoted(
            directory
                .to_str()
                .context("the site's path is not Unicode")?
        ),
        quoted(&told.to_string()),
    );
    Ok(Software {
        interpreter: php,
        option: "--php",
        arguments: settings.chain(run).collect(),
        script,
        environment: Vec::new(),
        timeout,
        warning: root_warning(&application),
        directory,
    })
}

/// `text` as a literal of PHP's.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
