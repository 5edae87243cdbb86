//! A file for each session: `django.contrib.sessions.backends.file`.

use std::path::Path;
use std::time::{Duration, SystemTime};

use hallpass_sessions::django::Expiry;
use hallpass_stores::{Deadline, Files};

use super::{Containers, Lookup};
use crate::Reason;
use crate::site::django::datetime::Clock;

/// The longest file that is read, in bytes: as long as a container can be.
const LONGEST_FILE: usize = 1 << 20;

/// The files of `SESSION_FILE_PATH`.
#[derive(Debug)]
pub(super) struct SessionFiles {
    files: Files,
    /// `SESSION_COOKIE_NAME`, which leads the name of each file.
    prefix: String,
    /// `SESSION_COOKIE_AGE`, in seconds.
    cookie_age: u64,
}

impl SessionFiles {
    pub(super) fn new(directory: &Path, prefix: &str, cookie_age: u64) -> Self {
        Self {
            files: Files::new(directory),
            prefix: prefix.to_owned(),
            cookie_age,
        }
    }

    /// As `SessionStore.load` in contrib/sessions/backends/file.py, 5.2.
    pub(super) fn find(
        &self,
        deadline: Deadline,
        key: &str,
        containers: &mut Containers,
        clock: &Clock,
        now: SystemTime,
    ) -> Lookup {
        // `VALID_KEY_CHARS` in contrib/sessions/backends/base.py.
        if !key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        {
            return Ok(Err(Reason::NoSession));
        }
        let name = format!("{}{key}", self.prefix);
        let Some(file) = self.files.read(name.as_bytes(), LONGEST_FILE, deadline)? else {
            return Ok(Err(Reason::NoSession));
        };
        if file.bytes.is_empty() {
            // Django's placeholder for a session that it is about to write.
            return Ok(Err(Reason::AnonymousSession));
        }
        let opened = match containers.open(&file.bytes) {
            Ok(opened) => opened,
            Err(reason) => return Ok(Err(reason)),
        };
        let end = match opened.login.as_ref().map(|login| &login.expiry) {
            Some(Expiry::Seconds(..=-1)) => return Ok(Err(Reason::ExpiredSession)),
            // Seconds from whenever it is looked at: such a session has no end.
            Some(Expiry::Seconds(1..)) => None,
            Some(Expiry::At(moment)) => match clock.at(moment) {
                Some(end) => Some(end),
                None => return Ok(Err(Reason::InvalidSession)),
            },
            Some(Expiry::Unreadable) => return Ok(Err(Reason::InvalidSession)),
            Some(Expiry::Seconds(_) | Expiry::Default) | None => file
                .modified
                .checked_add(Duration::from_secs(self.cookie_age)),
        };
        // Whole seconds are left, or none (`get_expiry_age` in contrib/sessions/backends/base.py).
        let ended = |end: SystemTime| {
            end.duration_since(now)
                .map_or(true, |left| left < Duration::from_secs(1))
        };
        if end.is_some_and(ended) {
            return Ok(Err(Reason::ExpiredSession));
        }
        Ok(opened.found("the session file", end))
    }
}
