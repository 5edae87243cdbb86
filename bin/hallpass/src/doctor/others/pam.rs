//! Checks PAM: the service files in which pam_exec runs hallpass-pam, with the files that they
//! include.

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::{Line, all, conditions, examine, lines, program, read};
use crate::doctor::hosts::fits_without;

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

/// How deep files include each other (`PAM_SUBSTACK_MAX_LEVEL` in libpam/pam_private.h of Linux-PAM
/// 1.5), and the most lines of a service.
const DEEPEST: usize = 16;
const MOST_LINES: usize = 10_000;

/// Where libpam also looks for the files that are included.
const VENDOR: &str = "/usr/lib/pam.d";

/// A service: its lines, with those that it includes in their place.
struct Service {
    name: String,
    lines: Vec<Placed>,
    /// An include that was not followed, and why.
    unread: Option<String>,
}

#[derive(Clone)]
struct Placed {
    line: Line,
    /// Whether it is part of a substack, which a sufficient module ends, and not the whole.
    is_in_substack: bool,
}

impl Service {
    /// The service whose file has `lines`.
    fn of(file: &Path, lines: &[Line]) -> Self {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let mut service = Self {
            name: name.into_owned(),
            lines: Vec::new(),
            unread: None,
        };
        service.add(lines, None, false, 0);
        service
    }

    /// Adds `lines`, of which only those of the type `only` count where there is one.
    fn add(&mut self, lines: &[Line], only: Option<&str>, is_in_substack: bool, depth: usize) {
        for line in lines {
            let words = line.words();
            if words.first() == Some(&"@include") {
                let name = words.get(1).copied().unwrap_or_default();
                self.include(line, name, only, is_in_substack, depth);
                continue;
            }
            if only.is_some_and(|only| only != kind(line)) {
                continue;
            }
            let name = words.get(2).copied().unwrap_or_default();
            match control(line) {
                "include" => self.include(line, name, Some(kind(line)), is_in_substack, depth),
                "substack" => self.include(line, name, Some(kind(line)), true, depth),
                _ => self.lines.push(Placed {
                    line: line.clone(),
                    is_in_substack,
                }),
            }
        }
    }

    fn include(
        &mut self,
        from: &Line,
        name: &str,
        only: Option<&str>,
        is_in_substack: bool,
        depth: usize,
    ) {
        let beside = from.file.with_file_name(name);
        let places = [beside, Path::new(VENDOR).join(name)];
        let file = places.iter().find(|it| it.try_exists().unwrap_or(true));
        let inside = match file {
            Some(file) => read(file, &["#"]),
            None => Err("there is no such file".to_owned()),
        };
        match inside {
            Ok(_) if depth >= DEEPEST || self.lines.len() > MOST_LINES => {
                self.unread(from, "files include each other too deeply");
            }
            Ok(lines) => self.add(&lines, only, is_in_substack, depth + 1),
            Err(error) => self.unread(from, &error),
        }
    }

    fn unread(&mut self, line: &Line, why: &str) {
        let place = line.at();
        let place = place.trim_start_matches("read ");
        let text = line.words().join(" ");
        self.unread
            .get_or_insert_with(|| format!("`{text}` ({place}): {why}"));
    }
}

/// The findings for the file at `path`, or the files in it; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    // A hyphen keeps a missing module from being logged.
    let lines = lines(path, &["#"])?;
    let (mut findings, mut ours, mut unread) = (Vec::new(), false, None);
    for of_file in lines.chunk_by(|one, other| one.file == other.file) {
        let Some(first) = of_file.first() else {
            continue;
        };
        let service = Service::of(&first.file, of_file);
        for (place, it) in service.lines.iter().enumerate() {
            let line = &it.line;
            let Some(words) = program(&line.text, configuration) else {
                continue;
            };
            ours = true;
            let mut found = examine(line, &words, configuration);
            let limited = restricted(&line.text);
            found.extend(conditions(&limited, &line.at(), configuration));
            if kind(line) == "auth" {
                found.extend(password(line));
                found.extend(decides(line, &service.lines, place));
                found.extend(machine(line, &service.name, &words));
            }
            // Several services may include the line.
            for finding in found {
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
            unread = unread.or_else(|| service.unread.clone());
        }
    }
    if let Some(unread) = unread.filter(|_| findings.is_empty()) {
        return Ok(fits_without(path, &unread));
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

/// Modules that refuse whom they do not know.
const REFUSING: [&str; 6] = [
    "pam_deny.so",
    "pam_unix.so",
    "pam_sss.so",
    "pam_ldap.so",
    "pam_krb5.so",
    "pam_winbind.so",
];

/// Whether the verdict of the line at `place` counts, and no other module lets everybody in.
fn decides(line: &Line, stack: &[Placed], place: usize) -> Option<Finding> {
    let permits = |it: &&Placed| kind(&it.line) == "auth" && it.line.text.contains("pam_permit.so");
    let weak = |control: &str| matches!(control, "optional" | "sufficient");
    let refuses = |it: &&Placed| {
        let is_refusing = REFUSING.iter().any(|module| it.line.text.contains(module));
        let must = matches!(control(&it.line), "required" | "requisite");
        kind(&it.line) == "auth" && is_refusing && must
    };
    let before = stack
        .iter()
        .take(place)
        .take_while(|it| !refuses(it))
        .find(|it| permits(it) && control(&it.line) == "sufficient" && !it.is_in_substack);
    let others_refuse = stack.iter().any(|it| refuses(&it));
    let after = stack.iter().skip(place).find(permits);
    let permit = before.or(after.filter(|_| weak(control(line)) && !others_refuse));
    if let Some(permit) = permit {
        return Some(Finding::problem(
            "pam-control",
            permit.line.at(),
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
    let others = stack.iter().filter(|it| kind(&it.line) == "auth");
    (control(line) == "optional" && others.count() > 1).then(|| {
        Finding::problem(
            "pam-control",
            line.at(),
            "an optional module decides nothing beside others: whom the site denies gets in by them",
            "write required in place of optional",
        )
    })
}

/// The site's "root" is not the machine's. `service` is the one that has the line, or includes it.
fn machine(line: &Line, service: &str, words: &[String]) -> Option<Finding> {
    let own = line.file.file_name()?.to_str()?;
    let name = if SHARED.contains(&own) { own } else { service };
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
