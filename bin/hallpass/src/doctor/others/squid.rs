//! Checks Squid: its helpers, how long it believes them, and the rules that ask them.

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::{Line, all, conditions, examine, lines, program, with_included};

/// How long a password or an answer may be believed without a word: a minute.
const LONG: u64 = 300;

/// The findings for the file at `path`, or the files in it; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let main = path.join("squid.conf");
    let include = |line: &Line| {
        let words = line.words();
        (words.first() == Some(&"include"))
            .then(|| words.get(1).copied().unwrap_or_default().to_owned())
    };
    let lines = match path.is_dir() {
        true if main.is_file() => with_included(&main, &["#"], &include)?,
        true => lines(path, &["#"])?,
        false => with_included(path, &["#"], &include)?,
    };
    let (mut findings, mut ours) = (Vec::new(), Vec::new());
    let mut basic = false;
    for line in &lines {
        let Some(words) = program(&line.text, configuration) else {
            continue;
        };
        findings.extend(examine(line, &words, configuration));
        match *line.words() {
            ["auth_param", "basic", ..] => {
                basic = true;
                findings.extend(believed(line, &lines));
            }
            ["external_acl_type", name, ..] => {
                ours.push(name);
                findings.extend(external(line, &words));
            }
            _ => {}
        }
    }
    let acls = acls(&lines, &ours, basic);
    for line in &lines {
        if let ["acl", _, "external", kind, rest @ ..] = line.words().as_slice()
            && ours.contains(kind)
        {
            let named = rest.iter().filter(|it| !it.starts_with(['"', '-']));
            let named: Vec<String> = named.map(|it| (*it).to_owned()).collect();
            findings.extend(conditions(&named, &line.at(), configuration));
        }
    }
    if !acls.is_empty() {
        findings.extend(rules(&lines, &acls));
    }
    Ok(all(path, basic || !ours.is_empty(), findings))
}

/// The names of the access lists that ask Hallpass.
fn acls<'a>(lines: &'a [Line], ours: &[&str], basic: bool) -> Vec<&'a str> {
    let mut names = Vec::new();
    for line in lines {
        match *line.words() {
            ["acl", name, "proxy_auth" | "proxy_auth_regex", ..] if basic => names.push(name),
            ["acl", name, "external", kind, ..] if ours.contains(&kind) => names.push(name),
            _ => {}
        }
    }
    names
}

/// How long Squid believes a password.
fn believed(line: &Line, lines: &[Line]) -> Option<Finding> {
    let ttl = lines
        .iter()
        .find(|it| it.text.starts_with("auth_param basic credentialsttl"));
    let (at, seconds) = match ttl {
        Some(ttl) => (ttl, seconds(&ttl.words())?),
        None => (line, 7200),
    };
    (seconds > LONG).then(|| {
        Finding::warning(
            "squid-ttl",
            at.at(),
            format!(
                "a password is believed for {} minutes, and each use starts them anew: a changed \
                 password or a deactivated account gets in for as long as it is used",
                seconds / 60
            ),
            "write auth_param basic credentialsttl 1 minute",
        )
    })
}

/// The seconds of `… 2 hours`.
fn seconds(words: &[&str]) -> Option<u64> {
    let number: u64 = words.get(3)?.parse().ok()?;
    let unit = match words.get(4).map(|it| it.trim_end_matches('s')) {
        Some("minute") => 60,
        Some("hour") => 3600,
        Some("day") => 86_400,
        _ => 1,
    };
    Some(number.saturating_mul(unit))
}

/// A helper for groups or sessions: its channels, and how long its answers are believed.
fn external(line: &Line, program: &[String]) -> Vec<Finding> {
    let option = |name: &str| {
        let words = line.words().into_iter();
        let found = words.filter_map(|it| it.strip_prefix(name)).next();
        found.and_then(|it| it.parse::<u64>().ok())
    };
    let mut findings = Vec::new();
    let channels = option("concurrency=").unwrap_or(0) > 0;
    let told = program.iter().any(|it| it == "--concurrency");
    if channels != told {
        let (seen, mend) = match channels {
            true => (
                "concurrency= puts a channel before each line",
                "write --concurrency behind the program",
            ),
            false => (
                "--concurrency expects a channel before each line",
                "take --concurrency away",
            ),
        };
        let seen = format!("{seen}, and the other side does not: nobody gets in");
        findings.push(Finding::problem("squid-concurrency", line.at(), seen, mend));
    }
    let ttl = option("ttl=").unwrap_or(3600);
    if ttl > LONG {
        findings.push(Finding::warning(
            "squid-ttl",
            line.at(),
            format!(
                "an answer is believed for {} minutes, whatever the site says by then",
                ttl / 60
            ),
            "write ttl=60",
        ));
    }
    findings
}

/// `http_access`: the first rule that fits counts.
fn rules(lines: &[Line], acls: &[&str]) -> Option<Finding> {
    let rules: Vec<&Line> = lines
        .iter()
        .filter(|it| it.words().first() == Some(&"http_access"))
        .collect();
    let asks = |line: &&&Line| {
        let words = line.words();
        words
            .iter()
            .skip(2)
            .any(|it| acls.contains(&it.trim_start_matches('!')))
    };
    let first = rules.iter().position(|it| asks(&it));
    let Some(first) = first else {
        // An access list may be for other rules than these.
        let other = lines.iter().any(|it| {
            let words = it.words();
            !matches!(words.first(), Some(&"acl"))
                && words.iter().skip(1).any(|it| acls.contains(it))
        });
        let at = rules.first().or(lines.first().as_ref()).map(|it| it.at())?;
        return (!other && !rules.is_empty()).then(|| {
            Finding::problem(
                "squid-access",
                at,
                format!(
                    "no http_access asks {}: users are not asked at all",
                    acls.join(", ")
                ),
                "write http_access deny !members before the rules that allow",
            )
        });
    };
    let open = rules
        .iter()
        .take(first)
        .find(|it| it.words().get(1..) == Some(&["allow", "all"]));
    if let Some(open) = open {
        return Some(Finding::problem(
            "squid-access",
            open.at(),
            "http_access allow all comes before the rules that ask: everybody gets in",
            "take it away, or write it after them",
        ));
    }
    let denies = |line: &&&Line| {
        let words = line.words();
        words.get(1) == Some(&"deny") && words.get(2).is_some_and(|it| acls.contains(it))
    };
    rules.iter().find(denies).map(|line| {
        Finding::warning(
            "squid-access",
            line.at(),
            "this denies members of a group: a name that means no account, or two, is in no group \
             and gets past it",
            "allow the members of a group, and deny the rest",
        )
    })
}
