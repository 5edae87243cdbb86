//! Finds a site's `manage.py`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// How far below the given directory it is looked for.
const DEEPEST: usize = 4;
/// How many directories are looked into.
const MOST: usize = 10_000;

/// Where a site is.
#[derive(Debug, PartialEq, Eq)]
pub struct Site {
    /// The directory that its Python starts in.
    pub directory: PathBuf,
    /// Its `manage.py`, where there is one.
    pub manage: Option<PathBuf>,
}

/// The site at `path`: a `manage.py`, or the directory that has one, or has it somewhere below.
/// Where the settings are `known` it may have none.
///
/// # Errors
/// When there is none, or more than one equally near.
pub fn find(path: &Path, known: bool) -> anyhow::Result<Site> {
    // Links stay as they are: the next release may be behind them.
    let path = std::path::absolute(path).context("cannot tell where the site is")?;
    if !path.exists() {
        bail!("there is no {}", path.display());
    }
    if path.is_file() {
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        return Ok(Site {
            directory,
            manage: Some(path),
        });
    }
    let mut level = vec![path.clone()];
    let mut seen = 0;
    for _ in 0..=DEEPEST {
        let mut found = level.iter().map(|directory| directory.join("manage.py"));
        let mut found: Vec<PathBuf> = found.by_ref().filter(|file| file.is_file()).collect();
        found.sort();
        match found.as_slice() {
            [] => {}
            [manage] => {
                let directory = manage.parent().map(Path::to_owned).unwrap_or_default();
                return Ok(Site {
                    directory,
                    manage: Some(manage.clone()),
                });
            }
            several => {
                let names: Vec<String> = several
                    .iter()
                    .map(|file| file.display().to_string())
                    .collect();
                bail!("there are several sites; name one of {}", names.join(", "));
            }
        }
        seen += level.len();
        if seen > MOST {
            break;
        }
        level = level
            .iter()
            .flat_map(|directory| below(directory))
            .collect();
    }
    if known {
        return Ok(Site {
            directory: path,
            manage: None,
        });
    }
    bail!(
        "there is no manage.py in {} or below; without one, --settings names the settings",
        path.display()
    )
}

/// The directories in `directory` that may have a site.
fn below(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            !name.starts_with('.') && name != "node_modules" && name != "site-packages"
        })
        .map(|entry| entry.path())
        .filter(|path| !path.join("pyvenv.cfg").exists())
        .take(MOST)
        .collect()
}
