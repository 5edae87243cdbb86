//! Starts a Rails site's own Ruby, so that it answers as the site does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use crate::compare::Software;
use crate::init::environment;
use crate::init::owner::root_warning;

/// What the site's Ruby runs.
const SCRIPT: &str = include_str!("answers.rb");
/// Reads it.
const FIRST: &str = "require 'json'; eval(JSON.parse(STDIN.gets))";

#[derive(Debug, Args)]
#[command(next_help_heading = "Of a Rails site")]
pub(super) struct CompareRails {
    /// The Ruby that the site runs with
    #[arg(long, value_name = "PROGRAM", default_value = "ruby")]
    ruby: PathBuf,
    /// RAILS_ENV of the site
    #[arg(long, value_name = "NAME", default_value = "production")]
    rails_env: String,
    /// A file of environment variables that the site is started with
    #[arg(long, value_name = "FILE")]
    rails_env_file: Vec<PathBuf>,
}

/// The Ruby of the application at `path`, which has been `told` whose accounts are meant.
pub(super) fn software(
    path: &Path,
    options: &CompareRails,
    told: &Value,
    timeout: Duration,
) -> anyhow::Result<Software> {
    let root = std::path::absolute(path).context("cannot tell where the site is")?;
    if !root.join("config/environment.rb").is_file() {
        bail!("there is no config/environment.rb in {}", root.display());
    }
    let mut variables = vec![("RAILS_ENV".to_owned(), options.rails_env.clone().into())];
    for file in &options.rails_env_file {
        variables.extend(environment::read(file)?);
    }
    let script = format!(
        "TOLD = JSON.parse({})\n{SCRIPT}",
        serde_json::to_string(&told.to_string())?.replace('#', "\\u0023")
    );
    Ok(Software {
        interpreter: options.ruby.clone(),
        option: "--ruby",
        arguments: vec!["-W0".into(), "-e".into(), FIRST.into()],
        script,
        environment: variables,
        warning: root_warning(&root),
        directory: root,
        timeout,
    })
}
