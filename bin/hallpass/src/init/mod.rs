//! Runs `hallpass init`: writes a configuration from the site itself, which is not changed.

mod destination;
mod options;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hallpass_core::{Authenticator, Configuration};
use hallpass_runtime::CommandLine;
use hallpass_sites::init::Page;
use serde_json::json;

use self::destination::Destination;
pub use self::options::InitCommand;
use self::options::InitOutput;
use crate::doctor;
use crate::options::DoctorOptions;
use crate::terminal::{complain, line, plain};

/// The default path of the configuration.
const DEFAULT_OUTPUT: &str = "hallpass.toml";

/// Writes a configuration of the site, and prints the next steps.
pub fn run(common: &CommandLine, command: &InitCommand, as_json: bool) -> anyhow::Result<ExitCode> {
    let destination = destination(common, &command.output)?;
    let warner = |warning: &str| complain(&format!("warning: {}", plain(warning)));
    let mut page = Page::new(&destination.stem(), warner);
    command.framework.discover(&mut page, &command.arguments)?;
    let (configuration, secrets) = destination.write(&page)?;
    for warning in &page.warnings {
        complain(&format!("warning: {}", plain(warning)));
    }
    for warning in &configuration.warnings {
        complain(&format!("warning: {}", plain(warning)));
    }
    let grants = Authenticator::new(&configuration).grants_to_its_own();
    if as_json {
        let object = json!({
            "configuration": destination.path,
            "secrets": secrets,
            "warnings": page.warnings,
            "grants": grants,
        });
        line(&object.to_string());
    } else {
        tell(&destination.path, &secrets, &configuration, &grants);
        line("\nWhat the doctor says:\n");
        let common = CommandLine {
            config: Some(destination.path),
            ..common.clone()
        };
        // The file is written, even if the doctor finds problems.
        doctor::run(&common, &DoctorOptions::default(), false)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn destination(common: &CommandLine, output: &InitOutput) -> anyhow::Result<Destination> {
    let path = output.output.as_ref().or(common.config.as_ref());
    let path = path.map_or(Path::new(DEFAULT_OUTPUT), PathBuf::as_path);
    Destination::new(path, output.force)
}

/// Prints what was written, and the next steps.
fn tell(path: &Path, secrets: &[PathBuf], configuration: &Configuration, grants: &str) {
    line(&format!("written: {}", path.display()));
    for secret in secrets {
        line(&format!(
            "written: {} (a secret, readable by its owner only)",
            secret.display()
        ));
    }
    if !secrets.is_empty() {
        line("The user that the programs run as must be able to read them.");
    }
    line(
        "\nThe database user of the site may do more than is needed. These statements make one \
         that may not:\n",
    );
    for sql in grants.trim_end().lines() {
        line(&format!("    {sql}"));
    }
    let path = path.display().to_string();
    // A path holds no NUL, which is all that cannot be quoted.
    let config = shlex::try_quote(&path).unwrap_or_default();
    line("\nNext:\n");
    line(&format!("    hallpass --config {config} doctor"));
    line(&format!("    hallpass --config {config} check NAME"));
    if configuration.reads_sessions() {
        line(&format!(
            "    hallpass --config {config} session -  # with a cookie's value"
        ));
    } else {
        line(&format!("    hallpass --config {config} user NAME"));
    }
}
