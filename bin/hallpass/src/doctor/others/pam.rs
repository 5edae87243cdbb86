//! Checks PAM: the service files in which pam_exec runs hallpass-pam.

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::{Line, all, conditions, examine, lines, program};

/// Services whose users are the machine's.
const OF_THE_MACHINE: [&str; 9] = [
    "sshd",
    "login",
    "su",
    "su-l",
    "sudo",
    "sudo-i",
    "cockpit",
    "gdm-password",
    "lightdm",
];

/// Files that other services include.
const SHARED: [&str; 4] = [
    "common-auth",
    "common-account",
    "system-auth",
    "password-auth",
];

/// The findings for the file at `path`, or the files in it; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    // A hyphen keeps a missing module from being logged.
    let lines = lines(path, &["#"])?;
    let (mut findings, mut ours) = (Vec::new(), false);
    for (index, line) in lines.iter().enumerate() {
        let Some(words) = program(&line.text, configuration) else {
            continue;
        };
        ours = true;
        findings.extend(examine(line, &words, configuration));
        let stack: Vec<&Line> = lines.iter().filter(|it| it.file == line.file).collect();
        let place = lines
            .iter()
            .take(index)
            .filter(|it| it.file == line.file)
            .count();
        let limited = restricted(&line.text);
        findings.extend(conditions(&limited, &line.at(), configuration));
        if kind(line) == "auth" {
            findings.extend(password(line));
            findings.extend(decides(line, &stack, place));
            findings.extend(machine(line, &words));
        }
    }
    Ok(all(path, ours, findings))
}

fn kind(line: &Line) -> &str {
    let first = line.text.split_whitespace().next().unwrap_or_default();
    first.trim_start_matches('-')
}

/// The control of a line: a word, or all in brackets.
fn control(line: &Line) -> &str {
    let rest = line
        .text
        .split_once(char::is_whitespace)
        .map_or("", |(_, rest)| rest.trim());
    match rest.starts_with('[') {
        true => rest.split(']').next().unwrap_or(rest),
        false => rest.split_whitespace().next().unwrap_or_default(),
    }
}

/// The groups of `--group`, of which one with blanks stands in brackets.
fn restricted(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in text.split("--group").skip(1) {
        let bracketed = part.starts_with('=') && part.contains(']');
        let value = part.trim_start_matches(['=', ' ']);
        let end = match bracketed {
            true => value.find(']'),
            false => value.find(char::is_whitespace),
        };
        let value = value.get(..end.unwrap_or(value.len())).unwrap_or_default();
        found.push(value.trim_end_matches(']').to_owned());
    }
    found
}

fn password(line: &Line) -> Option<Finding> {
    (!line.words().contains(&"expose_authtok")).then(|| {
        Finding::problem(
            "pam-password",
            line.at(),
            "expose_authtok is missing: the password does not reach hallpass-pam, and nobody gets in",
            "write expose_authtok behind pam_exec.so",
        )
    })
}

/// Whether the verdict counts, and no other module lets everybody in.
fn decides(line: &Line, stack: &[&Line], place: usize) -> Option<Finding> {
    let permits = |it: &&&Line| kind(it) == "auth" && it.text.contains("pam_permit.so");
    let weak = |control: &str| matches!(control, "optional" | "sufficient");
    let before = stack
        .iter()
        .take(place)
        .find(|it| permits(it) && control(it) == "sufficient");
    let after = stack.iter().skip(place).find(permits);
    let permit = before.or(after.filter(|_| weak(control(line))));
    if let Some(permit) = permit {
        return Some(Finding::problem(
            "pam-control",
            permit.at(),
            format!(
                "pam_permit lets everybody in, because hallpass-pam is {} here",
                match before {
                    Some(_) => "not asked",
                    None => control(line),
                }
            ),
            "write required in the line of hallpass-pam, and take pam_permit away from auth",
        ));
    }
    let others = stack
        .iter()
        .filter(|it| kind(it) == "auth" || it.text.starts_with("@include"));
    (control(line) == "optional" && others.count() > 1).then(|| {
        Finding::problem(
            "pam-control",
            line.at(),
            "an optional module decides nothing beside others: whom the site denies gets in by them",
            "write required in place of optional",
        )
    })
}

/// The site's "root" is not the machine's.
fn machine(line: &Line, words: &[String]) -> Option<Finding> {
    let name = line.file.file_name()?.to_str()?;
    let restricted = words
        .iter()
        .any(|it| it.starts_with("--group") || it.starts_with("--perm"));
    let of_machine = OF_THE_MACHINE.contains(&name) || SHARED.contains(&name);
    (of_machine && !restricted).then(|| {
        Finding::problem(
            "pam-machine",
            line.at(),
            format!("{name} is for the machine's users: whoever registers as root on the site is root here"),
            "take it away from this file, or name a group: --group=… that visitors cannot join",
        )
    })
}
