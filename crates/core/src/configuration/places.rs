//! Where else a site keeps its sessions, for those who look whether all of it can be reached.

use std::path::Path;

use hallpass_stores::cache;

use super::{CacheLocation, Configuration, Framework, JoomlaSessions, PhpStore, SessionEngine};

impl Configuration {
    /// The caches that have sessions in them.
    #[must_use]
    pub fn caches(&self) -> Vec<&cache::Settings> {
        let cache = match &self.framework {
            _ if self.http.is_some() => None,
            Framework::Custom(_) | Framework::Phpbb(_) => None,
            Framework::Django(django) => match &django.sessions.engine {
                SessionEngine::Cache(cache) | SessionEngine::CachedDatabase(cache) => {
                    match &cache.location {
                        CacheLocation::Server(settings) => Some(&**settings),
                        CacheLocation::Directory(_) | CacheLocation::Table(_) => None,
                    }
                }
                _ => None,
            },
            Framework::Joomla(joomla) => match &joomla.sessions {
                JoomlaSessions::Cache(settings, _) => Some(&**settings),
                _ => None,
            },
            Framework::Php(php, _) => match &php.store {
                PhpStore::Cache { servers, .. } => Some(&**servers),
                _ => None,
            },
        };
        cache.into_iter().collect()
    }

    /// The directories that have sessions in them.
    #[must_use]
    pub fn session_directories(&self) -> Vec<&Path> {
        let directory = match &self.framework {
            _ if self.http.is_some() => None,
            Framework::Custom(_) | Framework::Phpbb(_) => None,
            Framework::Django(django) => match &django.sessions.engine {
                SessionEngine::File { directory, .. } => Some(&**directory),
                SessionEngine::Cache(cache) | SessionEngine::CachedDatabase(cache) => {
                    match &cache.location {
                        CacheLocation::Directory(directory) => Some(&**directory),
                        CacheLocation::Server(_) | CacheLocation::Table(_) => None,
                    }
                }
                _ => None,
            },
            Framework::Joomla(joomla) => match &joomla.sessions {
                JoomlaSessions::Files { directory, .. } => Some(&**directory),
                _ => None,
            },
            Framework::Php(php, _) => match &php.store {
                PhpStore::Files { directory, .. } => Some(&**directory),
                _ => None,
            },
        };
        directory.into_iter().collect()
    }

    /// Whether sessions are believed without looking at who signed them.
    #[must_use]
    pub fn trusts_session_store(&self) -> bool {
        match &self.framework {
            Framework::Django(django) => {
                django.sessions.trust_store && django.secret_keys.is_empty()
            }
            _ => false,
        }
    }
}
