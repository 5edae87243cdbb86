//! Finds and reads a site's own PHP file.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use hallpass_php_literals::{Literal, NotLiteral};
use zeroize::Zeroizing;

/// The file at `path`, or the one called `name` in the directory `path`, absolute.
///
/// # Errors
/// When there is none.
pub fn find(path: &Path, name: &str) -> anyhow::Result<PathBuf> {
    // Links stay as they are: the next release may be behind them.
    let path = std::path::absolute(path).context("cannot tell where the site is")?;
    let file = if path.is_dir() { path.join(name) } else { path };
    if !file.is_file() {
        bail!("there is no {}", file.display());
    }
    Ok(file)
}

/// The bytes of the file at `path`.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    std::fs::read(path)
        .map(Zeroizing::new)
        .with_context(|| format!("cannot read {}", path.display()))
}

/// The path as it can be written down.
///
/// # Errors
/// When it is not Unicode.
pub fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str()
        .with_context(|| format!("the path {} is not Unicode", path.display()))
}

/// # Errors
/// When the file does not mention the setting `name`, which makes it another software's. One that
/// is mentioned and not understood is for the configuration to tell, which may have it instead.
pub fn must_say(
    file: &Path,
    found: Result<Option<&Literal>, NotLiteral>,
    name: &str,
) -> anyhow::Result<()> {
    if let Ok(None) = found {
        bail!(
            "{} does not say {name}: it is another software's",
            file.display()
        );
    }
    Ok(())
}
