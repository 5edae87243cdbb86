//! `via` and `via_only`: a running daemon to be asked in place of the stores.

use std::path::PathBuf;

use super::Error;
use super::secret::beside;
use super::section::Section;

/// A running daemon that is asked in place of the stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// Its unix socket.
    pub socket: PathBuf,
    /// Whether the stores are left alone even where it is not there.
    pub only: bool,
}

impl Via {
    pub(super) fn read(top: &mut Section<'_>) -> Result<Option<Self>, Error> {
        let via = top.string("via")?;
        let only = top.boolean("via_only")?;
        let Some(via) = via else {
            return match only {
                None => Ok(None),
                Some(_) => Err(top.wrong("via_only", "says nothing without `via`")),
            };
        };
        let path = via.strip_prefix("unix:").filter(|path| !path.is_empty());
        let path = path.ok_or_else(|| {
            top.wrong(
                "via",
                "is no unix socket, as in \"unix:/run/hallpass/http.sock\"",
            )
        })?;
        Ok(Some(Self {
            socket: beside(top.path(), path),
            only: only.unwrap_or(false),
        }))
    }
}
