//! Reads a file for each session: `django.contrib.sessions.backends.file`.

use std::path::Path;
use std::time::{Duration, SystemTime};

use hallpass_sessions::django::Expiry;
use hallpass_stores::sql::Queries;
use hallpass_stores::{Files, Secret, Unavailable};

use super::containers::{Containers, Lookup};
use crate::django::datetime::Clock;
use crate::{Reason, SAMPLE, until};

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

    /// The keys of the newest sessions.
    pub(super) fn sample(&self) -> Result<Vec<Secret>, Unavailable> {
        let names = self.files.newest(self.prefix.as_bytes(), SAMPLE)?;
        let key = |name: &Vec<u8>| name.get(self.prefix.len()..).map(Secret::new);
        Ok(names.iter().filter_map(key).collect())
    }

    /// As `SessionStore.load` in contrib/sessions/backends/file.py, 5.2.
    pub(super) fn find(
        &self,
        queries: &Queries<'_>,
        key: &str,
        containers: &Containers,
        clock: &Clock,
        now: SystemTime,
    ) -> Lookup {
        // `VALID_KEY_CHARS` in contrib/sessions/backends/base.py.
        if !key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        {
            return Err(Reason::NoSession.into());
        }
        let name = format!("{}{key}", self.prefix);
        let tracer = queries.tracer();
        let read = self
            .files
            .read(name.as_bytes(), LONGEST_FILE, queries.deadline())?;
        tracer.read("file", || {
            let found = if read.is_some() {
                "is there"
            } else {
                "is not there"
            };
            format!("the session's file {found}")
        });
        let Some(file) = read else {
            return Err(Reason::NoSession.into());
        };
        if file.bytes.is_empty() {
            // Django's placeholder for a session that it is about to write.
            return Err(Reason::AnonymousSession.into());
        }
        let opened = containers.open(&file.bytes, tracer)?;
        let end = match opened.login.as_ref().map(|login| &login.expiry) {
            Some(Expiry::Seconds(..=-1)) => return Err(Reason::ExpiredSession.into()),
            // Seconds from whenever it is looked at: such a session has no end.
            Some(Expiry::Seconds(1..)) => None,
            Some(Expiry::At(moment)) => match clock.at(moment) {
                Some(end) => Some(end),
                None => return Err(Reason::InvalidSession.into()),
            },
            Some(Expiry::Unreadable) => return Err(Reason::InvalidSession.into()),
            Some(Expiry::Seconds(_) | Expiry::Default) | None => file
                .modified
                .checked_add(Duration::from_secs(self.cookie_age)),
        };
        // Whole seconds are left, or none (`get_expiry_age` in contrib/sessions/backends/base.py).
        let ended = |end: SystemTime| {
            end.duration_since(now)
                .map_or(true, |left| left < Duration::from_secs(1))
        };
        let lives = !end.is_some_and(ended);
        let told = || end.map_or("it has no end".to_owned(), until);
        if !tracer.decided("expiry", lives, told) {
            return Err(Reason::ExpiredSession.into());
        }
        Ok(opened.found("the session file", end)?)
    }
}
