//! Runs `hallpass init`: writes a configuration from the site itself, which is not changed.

mod access;
mod destination;
mod diff;
mod options;
mod schema;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hallpass_core::{Authenticator, Configuration};
use hallpass_runtime::CommandLine;
use hallpass_sites::init::Page;
use nix::unistd::geteuid;
use serde_json::json;

use self::destination::Destination;
pub use self::options::InitCommand;
use self::options::InitOutput;
pub use self::schema::INSTALLED as INSTALLED_SCHEMA;
use crate::doctor;
use crate::options::DoctorOptions;
use crate::terminal::{complain, line, plain};

/// The database user that is proposed, where the one that is known may be the site's own.
pub const OWN_ROLE: &str = "hallpass";
/// Where the configuration goes that is not root's.
const DEFAULT_OUTPUT: &str = "hallpass.toml";

/// Writes a configuration of the site, and prints the next steps.
pub fn run(common: &CommandLine, command: &InitCommand, as_json: bool) -> anyhow::Result<ExitCode> {
    let warner = |warning: &str| complain(&format!("warning: {}", plain(warning)));
    let discover = |stem: &str| {
        let mut page = Page::new(stem, warner);
        page.schema(&schema::location());
        command.framework.discover(&mut page, &command.arguments)?;
        anyhow::Ok(page)
    };
    if command.output.diff {
        let path = existing(common, &command.output);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        return diff::run(&path, &discover(&stem)?, as_json);
    }
    let destination = destination(common, &command.output)?;
    let mut page = discover(&destination.stem())?;
    if command.output.daemon {
        daemon(&mut page);
    }
    let (configuration, secrets) = destination.write(&page)?;
    for warning in &page.warnings {
        complain(&format!("warning: {}", plain(warning)));
    }
    for warning in &configuration.warnings {
        complain(&format!("warning: {}", plain(warning)));
    }
    let comparable = command.framework.is_comparable();
    let grants = Authenticator::new(&configuration).grants_to(OWN_ROLE);
    if as_json {
        let object = json!({
            "configuration": destination.path,
            "secrets": secrets,
            "warnings": page.warnings,
            "grants": grants,
        });
        line(&object.to_string());
    } else {
        let mut private = secrets.clone();
        private.extend(page.private.then(|| destination.path.clone()));
        tell(
            &destination.path,
            &secrets,
            &private,
            &configuration,
            &grants,
        );
        if comparable {
            line(&format!(
                "    hallpass --config {} compare PATH  # with the site's own answers",
                quoted(&destination.path)
            ));
        }
        if let Some(cookie) = &page.cookie {
            line(&format!("\nNote: {}.", plain(cookie)));
        }
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

/// The path that was given: by `--output`, else by `--config`.
fn given<'a>(common: &'a CommandLine, output: &'a InitOutput) -> Option<&'a Path> {
    let path = output.output.as_ref().or(common.config.as_ref());
    path.map(PathBuf::as_path)
}

/// The file to write.
fn destination(common: &CommandLine, output: &InitOutput) -> anyhow::Result<Destination> {
    match given(common, output) {
        Some(path) => Destination::new(path, output.force),
        None if geteuid().is_root() => Destination::of_the_system(output.force),
        None => Destination::new(Path::new(DEFAULT_OUTPUT), output.force),
    }
}

/// The file that was written once.
fn existing(common: &CommandLine, output: &InitOutput) -> PathBuf {
    let here = Path::new(DEFAULT_OUTPUT);
    match given(common, output) {
        Some(path) => path.to_owned(),
        None if here.exists() && !geteuid().is_root() => here.to_owned(),
        None => common.path(),
    }
}

/// The table for `hallpassd`.
fn daemon(page: &mut Page) {
    page.table("daemon", "for hallpassd; docs/daemon.md has all keys");
    page.strings(
        "listen",
        ["unix:/run/hallpass/http.sock?mode=0660"],
        "whom its group lets in may ask",
    );
    page.note("login_url = \"https://www.example.org/login/?next={url}\"  # the site's login page");
}

/// Prints what was written, and the next steps.
fn tell(
    path: &Path,
    secrets: &[PathBuf],
    private: &[PathBuf],
    configuration: &Configuration,
    grants: &str,
) {
    line(&format!("written: {}", path.display()));
    for secret in secrets {
        line(&format!(
            "written: {} (a secret, readable by its owner only)",
            secret.display()
        ));
    }
    let private: Vec<&Path> = private.iter().map(PathBuf::as_path).collect();
    access::tell(&private);
    line(
        "\nThe database user of the site may do more than is needed. These statements make one \
         that may not:\n",
    );
    for sql in grants.trim_end().lines() {
        line(&format!("    {sql}"));
    }
    let config = quoted(path);
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

/// `path` as a word of a shell's.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    // A path holds no NUL, which is all that cannot be quoted.
    let quoted = shlex::try_quote(&path).unwrap_or_default();
    quoted.into_owned()
}
