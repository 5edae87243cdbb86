//! Writes a new configuration, with the files of its secrets.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use hallpass_core::Configuration;
use hallpass_core::configuration::DEFAULT_PATH;

use hallpass_sites::init::Page;

/// Where a new configuration goes.
pub struct Destination {
    /// The file, absolute.
    pub path: PathBuf,
    directory: PathBuf,
    /// Whether existing files are replaced.
    force: bool,
}

impl Destination {
    /// # Errors
    /// When the file is there and is not to be replaced, or there is no place for it.
    pub fn new(path: &Path, force: bool) -> anyhow::Result<Self> {
        let path = std::path::absolute(path).context("cannot tell where the output goes")?;
        let directory = path
            .parent()
            .filter(|_| path.file_name().is_some())
            .with_context(|| format!("{} is not a file name", path.display()))?
            .to_owned();
        if !directory.is_dir() {
            bail!("there is no directory {}", directory.display());
        }
        let destination = Self {
            directory,
            path,
            force,
        };
        destination.allow(&destination.path)?;
        Ok(destination)
    }

    /// The default configuration of all programs. Creates its directory if there is none.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn of_the_system(force: bool) -> anyhow::Result<Self> {
        let path = Path::new(DEFAULT_PATH);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)
                .with_context(|| format!("cannot make {}", directory.display()))?;
        }
        Self::new(path, force)
    }

    /// The prefix of the names of secrets' files.
    pub fn stem(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    }

    /// Writes all of `page`, or nothing, and gives the paths of the files of secrets. The
    /// configuration is loaded once before it is moved to its place.
    pub fn write(&self, page: &Page) -> anyhow::Result<(Configuration, Vec<PathBuf>)> {
        let name = self.path.file_name().unwrap_or_default();
        let secrets: Vec<PathBuf> = page
            .secrets
            .iter()
            .map(|(name, _)| self.directory.join(name))
            .collect();
        for path in &secrets {
            self.allow(path)?;
        }
        let workshop = tempfile::Builder::new()
            .prefix(".hallpass-")
            .tempdir_in(&self.directory)
            .with_context(|| format!("cannot write into {}", self.directory.display()))?;
        let draft = workshop.path().join(name);
        draft_of(page, &draft)?;
        let mut configuration = Configuration::load(&draft).map_err(|error| {
            let (from, to) = (workshop.path(), &self.directory);
            let error = error
                .to_string()
                .replace(&*from.to_string_lossy(), &to.to_string_lossy());
            anyhow::anyhow!("nothing was written, because it could not be used: {error}")
        })?;
        for path in secrets.iter().chain([&self.path]) {
            let name = path.file_name().unwrap_or_default();
            self.place(&workshop.path().join(name), path)?;
        }
        configuration.path.clone_from(&self.path);
        Ok((configuration, secrets))
    }

    /// Moves a finished file to its place. It keeps the owner and the mode of the file that it
    /// replaces.
    fn place(&self, from: &Path, to: &Path) -> anyhow::Result<()> {
        let placed = if self.force {
            if let Ok(before) = fs::symlink_metadata(to)
                && before.is_file()
            {
                // Only root can change the owner; for other users it is already right.
                drop(std::os::unix::fs::chown(
                    from,
                    Some(before.uid()),
                    Some(before.gid()),
                ));
                let now = fs::metadata(from)?.mode() & 0o777;
                let group = before.mode() & 0o060;
                let mode = if now == 0o600 {
                    now | group
                } else {
                    before.mode() & 0o777
                };
                fs::set_permissions(from, fs::Permissions::from_mode(mode))?;
            }
            fs::rename(from, to)
        } else {
            // Unlike renaming, this replaces nothing.
            fs::hard_link(from, to)
        };
        placed.with_context(|| format!("cannot write {}", to.display()))
    }

    fn allow(&self, path: &Path) -> anyhow::Result<()> {
        if !self.force && fs::symlink_metadata(path).is_ok() {
            bail!("{} exists already; replace it with --force", path.display());
        }
        Ok(())
    }
}

/// Writes `page` to `path`, and its secrets beside it.
pub fn draft_of(page: &Page, path: &Path) -> anyhow::Result<()> {
    for (name, content) in &page.secrets {
        create(&path.with_file_name(name), 0o600, content)?;
    }
    let mode = if page.private { 0o600 } else { 0o644 };
    create(path, mode, page.text().as_bytes())
}

fn create(path: &Path, mode: u32, content: &[u8]) -> anyhow::Result<()> {
    let doing = || format!("cannot write {}", path.display());
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(doing)?;
    file.write_all(content).with_context(doing)?;
    file.sync_all().with_context(doing)
}
