//! Checks the other servers. Each has a file here, which knows that server's own configuration and
//! its own traps; what is shared reads lines, and finds out whether a line points to this site.

mod dialect_urls;
mod dialects;
mod dovecot;
mod exim;
mod haproxy;
mod lighttpd;
mod pam;
mod postfix;
mod prosody;
mod saslauthd;
mod squid;
mod traefik;
mod traefik_files;

use std::fs;
use std::path::{Path, PathBuf};

use hallpass_core::configuration::Listener;
use hallpass_core::doctor::Finding;
use hallpass_core::{Conditions, Configuration};

use super::address::{self, Address};
use super::command::Command;
use super::directives::{MOST_FILES, at, included};
use super::groups;

pub use self::dialects::{centrifugo, emqx, freeradius, mosquitto, rabbitmq, synapse, vernemq};
pub use self::dovecot::look as dovecot;
pub use self::exim::look as exim;
pub use self::haproxy::look as haproxy;
pub use self::lighttpd::look as lighttpd;
pub use self::pam::look as pam;
pub use self::postfix::look as postfix;
pub use self::prosody::look as prosody;
pub use self::saslauthd::look as saslauthd;
pub use self::squid::look as squid;
pub use self::traefik::look as traefik;

/// The depth of directories that are searched, and the largest file that is read.
const DEPTH: u32 = 3;
const LONGEST: u64 = 1 << 20;

/// A line of a configuration, without its comment.
#[derive(Clone, Debug)]
struct Line {
    file: PathBuf,
    number: usize,
    text: String,
}

impl Line {
    fn at(&self) -> String {
        at(&self.file, self.number)
    }

    fn words(&self) -> Vec<&str> {
        self.text.split_whitespace().collect()
    }

    /// The name and the value of `name = value`, without quotes.
    fn setting(&self) -> Option<(&str, &str)> {
        let (name, value) = self.text.split_once('=')?;
        let value = value.trim().trim_end_matches([';', ',']);
        Some((name.trim(), value.trim_matches(['"', '\''])))
    }
}

/// The lines of the file at `path`, or of all files in it.
fn lines(path: &Path, comments: &[&str]) -> Result<Vec<Line>, String> {
    let mut files = Vec::new();
    collect(path, DEPTH, &mut files).map_err(|error| error.to_string())?;
    let mut lines = Vec::new();
    for file in files {
        match read(&file, comments) {
            Ok(found) => lines.extend(found),
            // One that was named must be readable; keys and the like beside others need not.
            Err(error) if file == path => return Err(error),
            Err(_) => {}
        }
    }
    Ok(lines)
}

/// The lines of one file.
fn read(file: &Path, comments: &[&str]) -> Result<Vec<Line>, String> {
    let text = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let text = String::from_utf8_lossy(&text);
    let mut lines = Vec::new();
    for (text, number) in text.lines().zip(1..) {
        let text = text.trim();
        if !text.is_empty() && !comments.iter().any(|comment| text.starts_with(comment)) {
            lines.push(Line {
                file: file.to_path_buf(),
                number,
                text: text.to_owned(),
            });
        }
    }
    Ok(lines)
}

/// The lines of the file at `path`, with those of each file that a line includes in its place;
/// `include` says what a line includes.
fn with_included(
    path: &Path,
    comments: &[&str],
    include: &dyn Fn(&Line) -> Option<String>,
) -> Result<Vec<Line>, String> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut lines = Vec::new();
    // The lines that are still to be looked at, the next one last.
    let mut rest = read(path, comments)?;
    rest.reverse();
    let mut files = 0;
    while let Some(line) = rest.pop() {
        let Some(pattern) = include(&line) else {
            lines.push(line);
            continue;
        };
        let mut inside = Vec::new();
        for file in included(directory, &pattern) {
            files += 1;
            if files > MOST_FILES {
                return Err("it includes too many files".to_owned());
            }
            inside.extend(read(&file, comments)?);
        }
        rest.extend(inside.into_iter().rev());
    }
    Ok(lines)
}

fn collect(path: &Path, depth: u32, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let metadata = path.metadata()?;
    if metadata.is_file() && metadata.len() <= LONGEST {
        files.push(path.to_path_buf());
    } else if metadata.is_dir() && depth > 0 {
        let entries = fs::read_dir(path)?;
        let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        entries.sort();
        for entry in entries {
            // Keys and other unreadable files are skipped.
            let _ = collect(&entry, depth - 1, files);
        }
    }
    Ok(())
}

/// The findings, or that all fits; none where nothing points here.
fn all(path: &Path, ours: bool, mut findings: Vec<Finding>) -> Vec<Finding> {
    if ours && findings.is_empty() {
        let tried = format!("read {}", path.display());
        findings.push(Finding::ok("host", tried, "it fits"));
    }
    findings
}

/// The program of Hallpass's that a line starts, with its arguments; `None` where it starts none,
/// or one that asks another site.
fn program(text: &str, configuration: &Configuration) -> Option<Vec<String>> {
    let trimmed = |word: &str| {
        let word = word.trim_matches(['"', '\'', ';', ',', '[', ']']);
        word.to_owned()
    };
    let is_program = |word: &String| {
        let name = word.rsplit('/').next().unwrap_or_default();
        name.starts_with("hallpass-") && word.contains('/')
    };
    let words = text.split_whitespace().map(trimmed);
    let words: Vec<String> = words.skip_while(|word| !is_program(word)).collect();
    (!words.is_empty() && !Command::is_of_another_site(&words, configuration)).then_some(words)
}

/// The findings for a program that a line starts.
fn examine(line: &Line, words: &[String], configuration: &Configuration) -> Vec<Finding> {
    let command = Command {
        check: "host-program",
        at: line.at(),
        words,
    };
    command.examine(configuration)
}

/// Whether a socket or address that is named is the site's: where hallpassd listens or, where
/// nothing listens, where it is called so.
pub fn asks(named: &str, listeners: &[Listener]) -> Option<Asked> {
    let address = Address::parse(named, 80)?;
    if address.is_at(listeners) {
        return Some(Asked::Here);
    }
    (named.contains("hallpass") && !address.is_served()).then_some(Asked::Nowhere)
}

/// What an address that means this site leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Here,
    Nowhere,
}

impl Asked {
    pub fn finding(self, at: &str, key: &str, listeners: &[Listener]) -> Option<Finding> {
        (self == Self::Nowhere).then(|| {
            Finding::problem(
                "host-socket",
                at,
                format!(
                    "hallpassd does not listen there, but at {}",
                    address::list(listeners)
                ),
                format!("name the same socket here and in [daemon] {key}"),
            )
        })
    }
}

/// The findings for a question that is asked over HTTP, `/auth` with its query.
pub fn question(target: &str, at: &str, configuration: &Configuration) -> Vec<Finding> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut findings = Vec::new();
    let name = configuration.name.as_deref();
    let own = name.is_some_and(|name| path == format!("/{name}/auth"));
    if path != "/auth" && !path.starts_with("/auth/") && !own {
        findings.push(Finding::problem(
            "host-question",
            at,
            format!("hallpassd has no {path:?}: nobody gets in"),
            "ask for /auth",
        ));
    }
    findings.extend(conditions_of_query(query, at, configuration));
    findings
}

/// The findings for the conditions in the query of a URL.
fn conditions_of_query(query: &str, at: &str, configuration: &Configuration) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut named = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match hallpassd::conditions(pair) {
            Some(conditions) => named.extend(groups::of(&conditions)),
            None => findings.push(Finding::problem(
                "host-question",
                at,
                format!("hallpassd does not understand {pair} and answers 400: nobody gets in"),
                "write group=NAME, permission=APP.CODENAME, is=staff, is=superuser, basic=0 or \
                 redirect=1",
            )),
        }
    }
    findings.extend(groups::examine(configuration, at, &named));
    findings
}

/// The findings for condition words: groups, `perm:…`, `is:…`.
fn conditions(words: &[String], at: &str, configuration: &Configuration) -> Vec<Finding> {
    match Conditions::parse(words, &[]) {
        Ok(conditions) => groups::examine(configuration, at, &groups::of(&conditions))
            .into_iter()
            .collect(),
        Err(error) => vec![Finding::problem(
            "host-question",
            at,
            format!("{error}: nobody gets in"),
            "write a group of the site, perm:app.codename, is:staff or is:superuser",
        )],
    }
}
