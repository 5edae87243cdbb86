//! A site whose cache is Redis.
#![allow(dead_code)]

use std::sync::Arc;

use hallpass_stores::cache::{Cache, Entry, Login, RedisServers, Settings, Store};
use hallpass_stores::{Address, Secret, Tls, TlsMode};

use crate::listener::LONG;

/// How many lines `GET key` has.
pub const GET: usize = 5;

/// A site whose cache is Redis.
pub struct Site {
    servers: RedisServers,
    pub password: Option<(Option<&'static str>, &'static str)>,
    pub database: u32,
}

impl Site {
    pub fn new(servers: RedisServers) -> Self {
        Self {
            servers,
            password: None,
            database: 0,
        }
    }

    pub fn at(address: Address) -> Self {
        Self::new(RedisServers::Replicated(vec![address]))
    }

    pub fn cache(self) -> Cache {
        let login = self.password.map(|(username, password)| {
            Arc::new(Login {
                username: username.map(str::to_owned),
                password: Secret::new(password),
            })
        });
        Cache::new(&Settings {
            store: Store::Redis {
                servers: self.servers,
                login,
                database: self.database,
                tls: Tls {
                    mode: TlsMode::Disable,
                    ca: None,
                },
            },
            connect_timeout: LONG,
            query_timeout: LONG,
        })
    }
}

pub fn value(entry: Option<Entry>) -> Option<String> {
    entry.map(|entry| String::from_utf8(entry.bytes.to_vec()).unwrap())
}
