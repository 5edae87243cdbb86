//! Runs `hallpass doctor`: checks every assumption against the real site and its hosts.

mod address;
mod apache;
mod as_user;
mod caddy;
mod command;
mod directives;
mod ejabberd;
mod groups;
mod hosts;
mod nginx;
mod others;
mod permissions;
mod report;
mod sockets;
mod toml;
mod url;
mod yaml;

use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use hallpass_core::doctor::{Finding, examine, permit_reading};
use hallpass_runtime::CommandLine;

use self::report::Report;
use crate::options::DoctorOptions;

/// Runs all checks, and prints the findings.
pub fn run(
    common: &CommandLine,
    options: &DoctorOptions,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let report = match (&options.as_user, &options.url) {
        (_, Some(url)) => url::run(common, options, url)?,
        (Some(user), None) => as_user::run(common, options, user)?,
        (None, None) => {
            if options.detached {
                as_user::detach();
            }
            look(common, options)
        }
    };
    report.print(as_json);
    Ok(report.exit_code())
}

/// What helps where the file at `path` cannot be read.
fn unread_fix(path: &Path, is_configuration: bool) -> String {
    match std::fs::read(path).map(drop) {
        Err(error) if error.kind() == ErrorKind::NotFound && is_configuration => {
            "write it with `hallpass init`, or name another with --config".to_owned()
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            format!(
                "put the file there, or name another in its key: {}",
                path.display()
            )
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => permit_reading(path),
        _ => "fix the file; docs/configuration.md lists every key".to_owned(),
    }
}

fn look(common: &CommandLine, options: &DoctorOptions) -> Report {
    let configuration = match common.configuration() {
        Ok(configuration) => configuration,
        Err(error) => {
            let path = common.path();
            let mend = match error.unread_file() {
                Some(unread) => unread_fix(unread, unread == path),
                None => "fix the file; docs/configuration.md lists every key".to_owned(),
            };
            let tried = format!("read {}", path.display());
            let finding = Finding::problem("configuration", tried, error.to_string(), mend);
            return Report::misconfigured(finding);
        }
    };
    let mut findings = examine(&configuration, SystemTime::now());
    findings.extend(sockets::look(&configuration));
    findings.extend(hosts::look(&configuration, options));
    Report::new(findings)
}
