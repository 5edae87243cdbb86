//! Checks Dovecot 2.3: its checkpassword passdb, other passdbs, the cache and the names.

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::{Line, all, examine, program, with_included};

/// The findings for the file at `path`, or `dovecot.conf` in it; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let main = path.join("dovecot.conf");
    let path = if path.is_dir() { main.as_path() } else { path };
    let include = |line: &Line| {
        let (word, file) = line.text.split_once(char::is_whitespace)?;
        matches!(word, "!include" | "!include_try").then(|| file.trim().to_owned())
    };
    let lines = with_included(path, &["#"], &include)?;
    let (mut findings, mut ours) = (Vec::new(), false);
    for line in &lines {
        if let Some(words) = program(&line.text, configuration) {
            ours = true;
            findings.extend(examine(line, &words, configuration));
        }
    }
    if ours {
        findings.extend(passdbs(&lines, configuration));
        findings.extend(cache(&lines));
        findings.extend(names(&lines, configuration));
    }
    Ok(all(path, ours, findings))
}

fn last<'a>(lines: &'a [Line], name: &str) -> Option<(&'a Line, &'a str)> {
    let settings = lines
        .iter()
        .filter_map(|line| Some((line, line.setting()?)));
    let mut named = settings.filter(|(_, (it, _))| *it == name);
    named.next_back().map(|(line, (_, value))| (line, value))
}

/// Passdbs beside Hallpass's: whom one of them knows gets in.
fn passdbs(lines: &[Line], configuration: &Configuration) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut rest = lines.iter();
    while let Some(line) = rest.next() {
        if !(line.text.starts_with("passdb") && line.text.ends_with('{')) {
            continue;
        }
        let block: Vec<&Line> = rest.by_ref().take_while(|it| it.text != "}").collect();
        let value = |name: &str| {
            let settings = block.iter().filter_map(|it| it.setting());
            settings
                .filter(|(it, _)| *it == name)
                .map(|(_, value)| value)
                .next_back()
        };
        let ours = block
            .iter()
            .any(|it| program(&it.text, configuration).is_some());
        // One that denies, or is for administrators who log in as others.
        let other = matches!(value("deny"), Some("yes")) || matches!(value("master"), Some("yes"));
        if !ours && !other {
            findings.push(Finding::problem(
                "dovecot-passdb",
                line.at(),
                format!(
                    "the passdb {} lets in whom it knows, whatever the site says",
                    value("driver").unwrap_or("here")
                ),
                "take it out; Debian's are included by conf.d/10-auth.conf",
            ));
        }
    }
    findings
}

fn cache(lines: &[Line]) -> Option<Finding> {
    let (line, size) = last(lines, "auth_cache_size")?;
    let on = size.chars().any(|it| it.is_ascii_digit() && it != '0');
    on.then(|| {
        Finding::problem(
            "dovecot-cache",
            line.at(),
            "auth_cache_size is on: for an hour, an old password and deactivated accounts get in",
            "take auth_cache_size away",
        )
    })
}

/// Dovecot folds names to lower case by default.
fn names(lines: &[Line], configuration: &Configuration) -> Option<Finding> {
    let format = last(lines, "auth_username_format");
    let folds = format.is_none_or(|(_, value)| value.contains("%L"));
    let at = format.map_or_else(|| lines.first().map(Line::at), |(line, _)| Some(line.at()))?;
    (folds && !configuration.access.lookup.ignore_case).then(|| {
        Finding::warning(
            "dovecot-names",
            at,
            "names are folded to lower case: an account with a capital letter in its name cannot \
             log in",
            "write auth_username_format = %u",
        )
    })
}
