//! Checks programs that use Cyrus SASL: their files in `/etc/sasl2`, whose `saslauthd` is hallpassd.

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::{Line, all, asks, lines};

/// Where saslauthd's socket is, by default.
const USUAL: &str = "/var/run/saslauthd/mux";

/// The findings for the file at `path`, or the files in it; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let lines = lines(path, &["#"])?;
    let mut files: Vec<&Path> = lines.iter().map(|it| it.file.as_path()).collect();
    files.dedup();
    let listen = &configuration.daemon.saslauthd;
    let (mut findings, mut ours) = (Vec::new(), false);
    for file in files {
        let of_file: Vec<&Line> = lines.iter().filter(|it| it.file == file).collect();
        let value = |name: &str| {
            let setting = |it: &&&Line| {
                it.text
                    .split_once(':')
                    .is_some_and(|(it, _)| it.trim() == name)
            };
            let line = of_file.iter().rev().find(setting)?;
            let (_, value) = line.text.split_once(':')?;
            Some((*line, value.trim()))
        };
        let method = value("pwcheck_method");
        let path = value("saslauthd_path");
        let Some(line) = path.or(method).map(|(line, _)| line) else {
            continue;
        };
        let named = path.map_or(USUAL, |(_, value)| value);
        let Some(asked) = asks(&format!("unix:{named}"), listen) else {
            continue;
        };
        ours = true;
        findings.extend(asked.finding(&line.at(), "saslauthd", listen));
        let methods: Vec<&str> = method
            .map_or("auxprop", |(_, it)| it)
            .split_whitespace()
            .collect();
        let at = method.map_or(line, |(line, _)| line).at();
        if !methods.contains(&"saslauthd") {
            findings.push(Finding::problem(
                "saslauthd-method",
                at,
                "pwcheck_method is not saslauthd: hallpassd is never asked",
                "write pwcheck_method: saslauthd",
            ));
        } else if let Some(other) = methods.iter().find(|it| **it != "saslauthd") {
            findings.push(Finding::problem(
                "saslauthd-method",
                at,
                format!("{other} lets in whom it knows, whatever the site says"),
                "write pwcheck_method: saslauthd",
            ));
        }
        let mechanisms =
            value("mech_list").map_or_else(String::new, |(_, it)| it.to_ascii_uppercase());
        let plain = mechanisms
            .split_whitespace()
            .all(|it| it == "PLAIN" || it == "LOGIN");
        if !plain || mechanisms.is_empty() {
            let at = value("mech_list").map_or(line, |(line, _)| line).at();
            findings.push(Finding::warning(
                "saslauthd-mechanisms",
                at,
                "clients are offered mechanisms that no stored hash can answer, and fail by them",
                "write mech_list: PLAIN LOGIN",
            ));
        }
    }
    Ok(all(path, ours, findings))
}
