//! Checks lighttpd: `fastcgi.server` in the role of an authorizer.

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::{Line, all, asks, with_included};

/// The findings for the file at `path`, or `lighttpd.conf` in it; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let main = path.join("lighttpd.conf");
    let path = if path.is_dir() { main.as_path() } else { path };
    let include = |line: &Line| {
        let (word, file) = line.text.split_once(char::is_whitespace)?;
        (word == "include").then(|| file.trim().trim_matches('"').to_owned())
    };
    let lines = with_included(path, &["#"], &include)?;
    let listen = &configuration.daemon.fastcgi;
    let (mut findings, mut ours) = (Vec::new(), false);
    for (index, line) in lines.iter().enumerate() {
        let Some(named) = value(&line.text, "socket") else {
            continue;
        };
        let Some(asked) = asks(&format!("unix:{named}"), listen) else {
            continue;
        };
        ours = true;
        findings.extend(asked.finding(&line.at(), "fastcgi", listen));
        let entry = entry(&lines, index);
        let one = |name: &str| entry.iter().find_map(|it| value(&it.text, name));
        if one("mode") != Some("authorizer") {
            findings.push(Finding::problem(
                "lighttpd-mode",
                line.at(),
                "without \"mode\" => \"authorizer\" hallpassd is asked for the page itself: nobody \
                 gets in",
                "write \"mode\" => \"authorizer\"",
            ));
        }
        if one("check-local") != Some("disable") {
            findings.push(Finding::warning(
                "lighttpd-check-local",
                line.at(),
                "without \"check-local\" => \"disable\" a page that is not a file is answered 404",
                "write \"check-local\" => \"disable\"",
            ));
        }
    }
    Ok(all(path, ours, findings))
}

/// The lines around `index`, between the parentheses of one entry.
fn entry(lines: &[Line], index: usize) -> Vec<&Line> {
    let (before, after) = lines.split_at(index);
    let begins = |it: &Line| it.text.contains("((") || it.text.starts_with('(');
    let ends = |it: &Line| it.text.contains("))") || it.text.starts_with(')');
    let opens_here = after.first().is_some_and(begins);
    let back = before
        .iter()
        .rev()
        .take_while(|it| !opens_here && !ends(it));
    let mut found: Vec<&Line> = back.collect();
    for line in after {
        found.push(line);
        if ends(line) {
            break;
        }
    }
    found
}

/// The value of `"name" => "value"` in a line.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("\"{name}\""))?;
    let rest = rest.trim_start().strip_prefix("=>")?.trim_start();
    rest.strip_prefix('"')?.split('"').next()
}
