//! Starts a Django site's own Python, so that it answers as the site does.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::discover::{SiteOptions, called_there, find_python, find_site, root_warning};
use crate::compare::Software;
use crate::init::environment;

/// What the site's Python runs.
const SCRIPT: &str = concat!(
    include_str!("../discover/overrides.py"),
    include_str!("../discover/managers.py"),
    include_str!("../discover/rules.py"),
    include_str!("../discover/database.py"),
    include_str!("../discover/sessions.py"),
    include_str!("../discover/site.py"),
    "\n\n",
    include_str!("answers.py"),
);
/// Reads it.
const FIRST: &str = "import json, sys; exec(json.loads(sys.stdin.buffer.readline().decode()))";

#[derive(Debug, Args)]
#[command(next_help_heading = "Of a Django site")]
pub(super) struct CompareDjango {
    #[command(flatten)]
    site: SiteOptions,
}

/// The Python of the site at `path`, which answers within `timeout`.
pub(super) fn software(
    path: &Path,
    options: &CompareDjango,
    timeout: Duration,
) -> anyhow::Result<Software> {
    let options = &options.site;
    let site = find_site(path, options.settings.is_some())?;
    let mut variables = Vec::new();
    for file in &options.env_file {
        variables.extend(environment::read(file)?);
    }
    variables.push(("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned().into()));
    let warning = root_warning(site.manage.as_deref().unwrap_or(&site.directory));
    let seconds = timeout.as_secs().to_string();
    Ok(Software {
        interpreter: match &options.python {
            Some(python) => python.clone(),
            None => find_python(&site.directory),
        },
        option: "--python",
        arguments: vec![
            "-B".into(),
            "-c".into(),
            FIRST.into(),
            site.manage
                .map(|path| called_there(&path, &options.map))
                .unwrap_or_default()
                .into(),
            options.settings.clone().unwrap_or_default().into(),
            options.schema.clone().unwrap_or_default().into(),
            seconds.into(),
        ],
        script: SCRIPT.to_owned(),
        environment: variables,
        directory: site.directory,
        timeout,
        warning,
    })
}
