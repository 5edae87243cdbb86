//! Checks the command with which a host starts a Hallpass program.

use std::path::{Path, PathBuf};

use hallpass_core::Configuration;
use hallpass_core::configuration::DEFAULT_PATH;
use hallpass_core::doctor::Finding;
use rustix::fs::{Access, access};

use super::address::same;

/// A command, its words as the host splits them.
pub struct Command<'a> {
    /// The name of the check.
    pub check: &'static str,
    /// Where it stands.
    pub at: String,
    pub words: &'a [String],
}

impl Command<'_> {
    /// Whether it starts a Hallpass program.
    pub fn is_ours(words: &[String]) -> bool {
        words.iter().any(|word| word.contains("hallpass"))
    }

    /// Whether it asks another site, whose configuration is there.
    pub fn is_of_another_site(words: &[String], configuration: &Configuration) -> bool {
        let given = given(words);
        let asks = given.unwrap_or_else(|| DEFAULT_PATH.into());
        asks.is_absolute() && asks.is_file() && !same(&asks, &configuration.path)
    }

    /// The findings for it.
    pub fn examine(&self, configuration: &Configuration) -> Vec<Finding> {
        let problem = |seen: String, mend: String| {
            vec![Finding::problem(self.check, self.at.clone(), seen, mend)]
        };
        let Some(program) = self.words.first() else {
            return problem(
                "it names no program".to_owned(),
                "name it by its absolute path".to_owned(),
            );
        };
        let path = Path::new(program);
        if program.contains(['\'', '"']) {
            return problem(
                format!("{program} cannot be run: the quotes are a part of its name"),
                "take the quotes away: this line is split at blanks alone".to_owned(),
            );
        }
        if !path.is_absolute() {
            return problem(
                format!("{program} is not an absolute path: a server has no PATH to look in"),
                format!("write /usr/bin/{program}"),
            );
        }
        if let Err(error) = access(path, Access::EXEC_OK) {
            let mend = match self.blank_in_path() {
                true => "have no blank in the program's path: the line is split there".to_owned(),
                false => {
                    format!("see that {program} is there, and that the server's user may run it")
                }
            };
            return problem(format!("{program} cannot be run: {error}"), mend);
        }
        self.directives(configuration)
    }

    /// Whether the words are parts of one path.
    fn blank_in_path(&self) -> bool {
        let mut path = String::new();
        self.words.iter().any(|word| {
            let more = !path.is_empty();
            path.push_str(if more { " " } else { "" });
            path.push_str(word);
            more && Path::new(&path).is_file()
        })
    }

    fn directives(&self, configuration: &Configuration) -> Vec<Finding> {
        let given = given(self.words);
        let asks = given.clone().unwrap_or_else(|| DEFAULT_PATH.into());
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let ours =
            std::path::absolute(&configuration.path).unwrap_or_else(|_| configuration.path.clone());
        if real(&asks) == real(&ours) {
            return Vec::new();
        }
        let mend = format!("write --config {}", ours.display());
        let seen = match given {
            None => format!("without --config it reads {DEFAULT_PATH}"),
            Some(given) if !given.is_absolute() => {
                format!(
                    "{} is not an absolute path: servers start programs in any directory",
                    given.display()
                )
            }
            Some(given) if !given.exists() => format!("{} is not there", given.display()),
            Some(given) => format!("it asks another site, that of {}", given.display()),
        };
        vec![Finding::problem(self.check, self.at.clone(), seen, mend)]
    }
}

/// The path behind `--config`.
fn given(words: &[String]) -> Option<PathBuf> {
    let trimmed = |word: &str| word.trim_matches(['"', '\'']).to_owned();
    let mut given = None;
    let mut words = words.iter().map(|word| trimmed(word));
    while let Some(word) = words.next() {
        if word == "--config" {
            given = words.next().map(PathBuf::from);
        } else if let Some(path) = word.strip_prefix("--config=") {
            given = Some(path.into());
        }
    }
    given
}
