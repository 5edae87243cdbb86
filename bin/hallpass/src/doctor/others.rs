//! Checks the lines that name Hallpass in the configuration of any other server: the programs that
//! it starts, and the sockets that it asks.

use std::fs;
use std::path::{Path, PathBuf};

use hallpass_core::Configuration;
use hallpass_core::configuration::Listener;
use hallpass_core::doctor::Finding;

use super::command::Command;
use super::directives::at;

/// The depth of directories that are searched, and the largest file that is read.
const DEPTH: u32 = 2;
const LONGEST: u64 = 1 << 20;

/// The findings for the file at `path`, or for the files in it; none where none names Hallpass.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let mut files = Vec::new();
    collect(path, DEPTH, &mut files).map_err(|error| error.to_string())?;
    let (mut findings, mut ours) = (Vec::new(), false);
    for file in files {
        let Ok(text) = fs::read(&file) else { continue };
        for (text, number) in String::from_utf8_lossy(&text).lines().zip(1..) {
            let text = text.trim_start();
            if text.starts_with(['#', '-']) || !text.contains("hallpass") {
                continue;
            }
            ours = true;
            findings.extend(program(text, at(&file, number), configuration));
            findings.extend(socket(text, at(&file, number), configuration));
        }
    }
    if ours && findings.is_empty() {
        let tried = format!("read {}", path.display());
        findings.push(Finding::ok("host", tried, "it fits"));
    }
    Ok(findings)
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

/// The program that a line starts, from its name to the end of the line.
fn program(line: &str, at: String, configuration: &Configuration) -> Vec<Finding> {
    let trimmed = |word: &str| {
        word.trim_matches(['"', '\'', ';', ',', '[', ']'])
            .to_owned()
    };
    let words: Vec<String> = line
        .split_whitespace()
        .map(trimmed)
        .skip_while(|word| {
            let name = word.rsplit('/').next().unwrap_or_default();
            !(name.starts_with("hallpass-") && word.contains('/'))
        })
        .collect();
    if words.is_empty() {
        return Vec::new();
    }
    let command = Command {
        check: "host-program",
        at,
        words: &words,
    };
    command.examine(configuration)
}

/// The sockets that a line asks: `unix/` or `unix:` and a path.
fn socket(line: &str, at: String, configuration: &Configuration) -> Option<Finding> {
    let daemon = &configuration.daemon;
    let listens = || {
        daemon
            .listeners()
            .into_iter()
            .flat_map(|(_, listeners)| listeners)
    };
    let asked = line.split_whitespace().find_map(|word| {
        let word = word.trim_matches(['"', '\'', ';', ',']);
        let path = word
            .strip_prefix("unix/")
            .or_else(|| word.strip_prefix("unix:"))
            .filter(|path| path.starts_with('/'))?;
        Some(Path::new(path))
    })?;
    let known = listens().any(|listener| match listener {
        Listener::Unix { path, .. } => path == asked,
        Listener::Tcp(_) => false,
    });
    let listens: Vec<String> = listens().map(ToString::to_string).collect();
    (!known).then(|| {
        Finding::problem(
            "host-socket",
            at,
            format!(
                "hallpassd does not listen there, but at {}",
                listens.join(", ")
            ),
            "name the same socket here and in [daemon]",
        )
    })
}
