//! Reads secrets, which stand in the file or in a place that it names.

use std::ffi::OsStr;
use std::fmt::{self, Debug, Formatter};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::{Error, Table};

const SHAPE: &str = "is neither a string nor one of { file = \"…\" }, { env = \"NAME\" }, \
                     { credential = \"NAME\" }";

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretPlace {
    /// The key that it is the value of.
    pub key: String,
    /// The file that it is in; `None` for the file of settings itself.
    pub file: Option<PathBuf>,
}

/// A secret as the file has it: the secret itself, or where it is. [`Table::secret`] reads it.
pub enum SecretSource {
    /// The secret itself.
    Literal(Zeroizing<Vec<u8>>),
    /// The file that holds it; a newline at its end is dropped.
    File(String),
    /// The environment variable that holds it.
    Environment(String),
    /// The credential of that name, which systemd hands over.
    Credential(String),
    /// The secret itself, which a [`Fallback`](crate::Fallback) says. It may be empty.
    Given(Zeroizing<Vec<u8>>),
}

impl Debug for SecretSource {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretSource(…)")
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sources;
        impl<'de> Visitor<'de> for Sources {
            type Value = SecretSource;

            fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
                formatter.write_str(SHAPE)
            }

            fn visit_str<E>(self, secret: &str) -> Result<SecretSource, E> {
                Ok(SecretSource::Literal(Zeroizing::new(secret.into())))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
                // Whatever is wrong with it, the key is the secret's own.
                let wrong = || <A::Error as serde::de::Error>::custom(SHAPE);
                let kind: String = map.next_key()?.ok_or_else(wrong)?;
                let source = match kind.as_str() {
                    "file" => SecretSource::File,
                    "env" => SecretSource::Environment,
                    "credential" => SecretSource::Credential,
                    _ => return Err(wrong()),
                };
                let place: String = map.next_value().map_err(|_| wrong())?;
                match map.next_key::<IgnoredAny>()? {
                    None => Ok(source(place)),
                    Some(_) => Err(wrong()),
                }
            }

            fn visit_bytes<E>(self, secret: &[u8]) -> Result<SecretSource, E> {
                Ok(SecretSource::Given(Zeroizing::new(secret.into())))
            }

            // What another file says, and cannot be written as text.
            fn visit_none<E>(self) -> Result<SecretSource, E> {
                Ok(SecretSource::Given(Zeroizing::default()))
            }
        }
        deserializer.deserialize_any(Sources)
    }
}

impl Table<'_> {
    /// The secret `source`, which stands at `key`; takes note of where it is, and warns where
    /// others can read or write it. `None` is one that a fallback says is empty.
    ///
    /// # Errors
    /// [`Error`] where the secret cannot be read, or is empty.
    pub fn secret(
        &self,
        key: &str,
        source: SecretSource,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        self.kept(key, source, Kept::Secret)
    }

    /// As [`secret`](Self::secret), of what everybody may read, such as a public key.
    ///
    /// # Errors
    /// As [`secret`](Self::secret).
    pub fn public(
        &self,
        key: &str,
        source: SecretSource,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        self.kept(key, source, Kept::Public)
    }

    fn kept(
        &self,
        key: &str,
        source: SecretSource,
        kept: Kept,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let secret = match source {
            SecretSource::Given(secret) => {
                return Ok(Some(secret).filter(|secret| !secret.is_empty()));
            }
            SecretSource::Literal(secret) => {
                if kept == Kept::Secret {
                    self.warn_of_secret(key);
                }
                secret
            }
            SecretSource::File(path) => self.kept_in(key, &self.beside(path), kept)?,
            SecretSource::Environment(name) => {
                let value = std::env::var_os(&name);
                let message = format!("the environment has no variable {name}");
                let value = value.ok_or_else(|| self.wrong(key, &message))?;
                Zeroizing::new(value.as_bytes().to_vec())
            }
            SecretSource::Credential(name) => {
                let directory = std::env::var_os("CREDENTIALS_DIRECTORY");
                let message = "systemd hands this program no credentials: \
                               CREDENTIALS_DIRECTORY is not set";
                let directory = directory.ok_or_else(|| self.wrong(key, message))?;
                if name.contains('/') || name == ".." {
                    return Err(self.wrong(key, "a credential's name has no slash in it"));
                }
                self.kept_in(key, &Path::new(&directory).join(OsStr::new(&name)), kept)?
            }
        };
        if secret.is_empty() {
            return Err(self.wrong(key, "the secret is empty"));
        }
        Ok(Some(secret))
    }

    /// Takes note that a secret stands at `key` in the file itself, and warns where everybody can
    /// read that.
    pub fn warn_of_secret(&self, key: &str) {
        self.note_secret(key, None);
        if readable_by_other(self.path()) {
            let message = "is a secret in a file that everybody can read: chmod o-r";
            self.warn(key, message);
        }
    }

    /// Warns where others can write the file at `path`, and so decide who is let in. `key` is what
    /// names the file; `None` for the file of settings.
    pub fn warn_of_writers(&self, key: Option<&str>, path: &Path) {
        let mode = std::fs::metadata(path).map(|metadata| metadata.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o022 != 0) {
            let message = "others can write it, and so decide who is let in: chmod go-w";
            match key {
                Some(key) => self.warn(key, &format!("{}: {message}", path.display())),
                None => self.warn_of_file(path, message),
            }
        }
    }

    fn kept_in(&self, key: &str, path: &Path, kept: Kept) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.note_secret(key, Some(path));
        self.note_file(path);
        if kept == Kept::Secret && readable_by_other(path) {
            let message = format!(
                "is a secret in {}, which everybody can read: chmod o-r",
                path.display()
            );
            self.warn(key, &message);
        }
        self.warn_of_writers(Some(key), path);
        let mut bytes = std::fs::read(path).map(Zeroizing::new).map_err(|error| {
            let message = format!("cannot read the secret in {}: {error}", path.display());
            self.wrong(key, &message).unread(path)
        })?;
        for end in [b"\n", b"\r"] {
            if bytes.ends_with(end) {
                bytes.pop();
            }
        }
        Ok(bytes)
    }
}

/// Who may read a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Secret,
    Public,
}

fn readable_by_other(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}
