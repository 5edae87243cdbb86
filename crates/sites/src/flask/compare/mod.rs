//! Starts a Flask site's own Python, so that it answers as the site does.

use std::path::Path;
use std::time::Duration;

use clap::{Arg, Args, Command};
use serde_json::Value;

use super::discover::{SiteOptions, find_directory};
use crate::compare::Software;
use crate::init::environment;
use crate::init::owner::root_warning;
use crate::init::python::find as find_python;

/// What the site's Python runs, after the statements that it is told.
const SCRIPT: &str = concat!(
    include_str!("../discover/site.py"),
    "\n\n",
    include_str!("answers.py"),
);
/// Reads it.
const FIRST: &str = "import json, sys; exec(json.loads(sys.stdin.buffer.readline().decode()))";

#[derive(Debug, Args)]
#[command(next_help_heading = "Of a Flask site")]
pub(super) struct CompareFlask {
    #[command(flatten)]
    site: SiteOptions,
}

/// Adds to `command` what names the site's Python, but for options that another framework has added.
pub(super) fn arguments(command: Command) -> Command {
    let own = CompareFlask::augment_args(Command::new("flask"));
    own.get_arguments().fold(command, |command, argument| {
        let is = |other: &Arg| other.get_id() == argument.get_id();
        if command.get_arguments().any(is) {
            command
        } else {
            command.arg(argument.clone())
        }
    })
}

/// The Python of the site at `path`, which has been `told` by which statements accounts are found, and
/// answers within `timeout`.
pub(super) fn software(
    path: &Path,
    options: &CompareFlask,
    told: &Value,
    timeout: Duration,
) -> anyhow::Result<Software> {
    let options = &options.site;
    let directory = find_directory(path)?;
    let mut variables = Vec::new();
    for file in &options.env_file {
        variables.extend(environment::read(file)?);
    }
    variables.push(("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned().into()));
    let python = options.python.clone();
    // A text of JSON is one of Python's, between quotes and escaped as JSON escapes it.
    let told = serde_json::to_string(&told.to_string())?;
    Ok(Software {
        interpreter: python.unwrap_or_else(|| find_python(&directory)),
        option: "--python",
        arguments: vec![
            "-B".into(),
            "-c".into(),
            FIRST.into(),
            options.app.clone().unwrap_or_default().into(),
            options.model.clone().unwrap_or_default().into(),
            timeout.as_secs().to_string().into(),
        ],
        script: format!("import json\nTOLD = json.loads({told})\n{SCRIPT}"),
        environment: variables,
        warning: root_warning(&directory),
        directory,
        timeout,
    })
}
