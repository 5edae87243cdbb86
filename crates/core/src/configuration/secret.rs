//! Secrets, which the file holds or says where to find.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use toml::de::DeValue;
use zeroize::Zeroizing;

use super::Error;
use super::section::Section;
use crate::Secret;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretPlace {
    /// The key that it is the value of.
    pub key: String,
    /// The file that it is in; `None` for the configuration itself.
    pub file: Option<PathBuf>,
}

const SHAPE: &str = "is neither a string nor one of { file = \"…\" }, { env = \"NAME\" }, \
                     { credential = \"NAME\" }";

impl Section<'_> {
    /// A secret: a string, or where it is.
    pub(super) fn secret(&mut self, key: &'static str) -> Result<Option<Secret>, Error> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        self.secret_of(key, value).map(Some)
    }

    /// A list of secrets.
    pub(super) fn secrets(&mut self, key: &'static str) -> Result<Vec<Secret>, Error> {
        match self.value(key) {
            None => Ok(Vec::new()),
            Some(DeValue::Array(array)) => array
                .iter()
                .map(|value| self.secret_of(key, value.get_ref()))
                .collect(),
            Some(_) => Err(self.wrong(key, "is not a list of secrets")),
        }
    }

    fn secret_of(&self, key: &'static str, value: &DeValue<'_>) -> Result<Secret, Error> {
        let secret = match value {
            DeValue::String(text) => {
                self.warn_of_secret(key);
                Secret::new(text.as_bytes())
            }
            DeValue::Table(table) => {
                let mut only = table.iter();
                let (Some((kind, place)), None) = (only.next(), only.next()) else {
                    return Err(self.wrong(key, SHAPE));
                };
                let DeValue::String(place) = place.get_ref() else {
                    return Err(self.wrong(key, SHAPE));
                };
                match kind.get_ref().as_ref() {
                    "file" => self.secret_in(key, &beside(self.path(), place.as_ref()))?,
                    "env" => {
                        let value = std::env::var_os(place.as_ref());
                        let message = format!("the environment has no variable {place}");
                        let value = value.ok_or_else(|| self.wrong(key, &message))?;
                        Secret::new(value.as_bytes())
                    }
                    "credential" => {
                        let directory = std::env::var_os("CREDENTIALS_DIRECTORY");
                        let message = "systemd hands this program no credentials: \
                                       CREDENTIALS_DIRECTORY is not set";
                        let directory = directory.ok_or_else(|| self.wrong(key, message))?;
                        if place.contains('/') || place.as_ref() == ".." {
                            return Err(self.wrong(key, "a credential's name has no slash in it"));
                        }
                        self.secret_in(
                            key,
                            &Path::new(&directory).join(OsStr::new(place.as_ref())),
                        )?
                    }
                    _ => return Err(self.wrong(key, SHAPE)),
                }
            }
            _ => return Err(self.wrong(key, SHAPE)),
        };
        if secret.expose().is_empty() {
            return Err(self.wrong(key, "the secret is empty"));
        }
        Ok(secret)
    }

    /// Warns where everybody can read the file, in which a secret stands at `key`.
    pub(super) fn warn_of_secret(&self, key: &str) {
        self.note_secret(key, None);
        if readable_by_other(self.path()) {
            self.warn(
                key,
                "is a secret in a file that everybody can read: chmod o-r",
            );
        }
    }

    /// Warns where somebody else can write the file at `path`, and so say who is let in.
    pub(super) fn warn_of_writers(&self, key: Option<&str>, path: &Path) {
        let mode = std::fs::metadata(path).map(|metadata| metadata.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o022 != 0) {
            let message = "others can write it, and so decide who is let in: chmod go-w";
            match key {
                Some(key) => self.warn(key, &format!("{}: {message}", path.display())),
                None => self.warn_of_file(path, message),
            }
        }
    }

    fn secret_in(&self, key: &str, path: &Path) -> Result<Secret, Error> {
        self.note_secret(key, Some(path));
        if readable_by_other(path) {
            let message = format!(
                "is a secret in {}, which everybody can read: chmod o-r",
                path.display()
            );
            self.warn(key, &message);
        }
        self.warn_of_writers(Some(key), path);
        let bytes = std::fs::read(path).map(Zeroizing::new).map_err(|error| {
            self.wrong(
                key,
                &format!("cannot read the secret in {}: {error}", path.display()),
            )
        })?;
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        Ok(Secret::new(line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

/// `path` as it stands in the file `configuration`: relative to it, unless absolute.
pub(super) fn beside(configuration: &Path, path: &str) -> PathBuf {
    configuration.parent().unwrap_or(Path::new("")).join(path)
}

fn readable_by_other(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}
