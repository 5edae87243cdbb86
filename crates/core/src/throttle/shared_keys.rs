//! Names counts so that several machines find each other's, and no name can be read from them.

use std::net::IpAddr;
use std::time::Duration;

use hallpass_stores::cache::Counter;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Attempt;
use super::familiar::LIFETIME;
use crate::configuration::SharedLimits;

/// Half of an HMAC-SHA256.
type Digest = [u8; 16];

/// What one password is counted for, as other machines name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digests {
    name: Digest,
    account: Option<Digest>,
    client: Option<Digest>,
}

/// A count of the server, and what it is for here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) what: What,
    pub(super) counter: Counter,
}

/// What a count of the server is for, by the digests of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Wrong passwords of a name, an account or an address.
    Failures(u64),
    /// Logins by an identity from a client.
    Logins { identity: u64, client: u64 },
    /// Wrong passwords of an identity from a client that has logged in to it.
    Budget { identity: u64, client: u64 },
    /// Nothing: it takes as long as any other.
    Nothing,
}

/// Makes the keys of the server.
pub(super) struct SharedKeys {
    key: Zeroizing<[u8; 32]>,
    prefix: String,
    window: Duration,
}

/// Never shows the key.
impl std::fmt::Debug for SharedKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SharedKeys").finish_non_exhaustive()
    }
}

impl SharedKeys {
    pub(super) fn new(settings: &SharedLimits, window: Duration) -> Self {
        Self {
            key: settings.key.clone(),
            prefix: settings.prefix().to_owned(),
            window,
        }
    }

    /// A password for the folded `name` from the network of `client`.
    pub(super) fn attempt(&self, name: &str, client: Option<IpAddr>) -> Digests {
        Digests {
            name: self.digest("name", &[name.as_bytes()]),
            account: None,
            client: client.map(|client| {
                let text = client.to_string();
                self.digest("client", &[text.as_bytes()])
            }),
        }
    }

    /// The same, once the account is known.
    pub(super) fn of_account(&self, digests: Digests, id: &str) -> Digests {
        Digests {
            account: Some(self.digest("account", &[id.as_bytes()])),
            ..digests
        }
    }

    /// What is counted for the name and the address.
    pub(super) fn of_name(&self, attempt: &Attempt) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        if let Some(digests) = &attempt.shared {
            let client = attempt.client.zip(digests.client);
            wanted.extend(client.map(|client| self.failures(client, 0)));
            self.identity(&mut wanted, (attempt.name, digests.name), client, [0, 0]);
        }
        wanted
    }

    /// What is counted for the account, or as much for nothing where there is none.
    pub(super) fn of_account_or_none(&self, attempt: &Attempt) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        if let Some(digests) = &attempt.shared {
            let client = attempt.client.zip(digests.client);
            let account = attempt.account.zip(digests.account);
            let identity = account.unwrap_or((0, digests.name));
            self.identity(&mut wanted, identity, client, [0, 0]);
            if account.is_none() {
                wanted.iter_mut().for_each(|it| it.what = What::Nothing);
            }
        }
        wanted
    }

    /// What is counted for everything that a password counts for; one more where it is not `right`.
    /// A budget counts where the client is `known` to the name, and to the account.
    pub(super) fn of_outcome(
        &self,
        attempt: &Attempt,
        right: bool,
        known: [bool; 2],
    ) -> Vec<Wanted> {
        let add = u32::from(!right);
        let [of_name, of_account] = known.map(|known| if known { add } else { 0 });
        let mut wanted = Vec::new();
        if let Some(digests) = &attempt.shared {
            let client = attempt.client.zip(digests.client);
            wanted.extend(client.map(|client| self.failures(client, add)));
            let name = (attempt.name, digests.name);
            self.identity(&mut wanted, name, client, [add, of_name]);
            if let Some(account) = attempt.account.zip(digests.account) {
                self.identity(&mut wanted, account, client, [add, of_account]);
            }
        }
        wanted
    }

    /// That the client has logged in by the name, and to the account.
    pub(super) fn of_login(&self, attempt: &Attempt) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        if let Some(digests) = &attempt.shared
            && let Some(client) = attempt.client.zip(digests.client)
        {
            let account = attempt.account.zip(digests.account);
            let identities = [Some((attempt.name, digests.name)), account];
            wanted.extend(identities.into_iter().flatten().map(|identity| {
                let mut logins = self.logins(identity, client);
                logins.counter.add = 1;
                logins
            }));
        }
        wanted
    }

    /// A count by which it is seen whether the server counts at all.
    pub(super) fn probe(settings: &SharedLimits) -> Counter {
        Counter {
            key: format!("{}probe", settings.prefix()).into_bytes(),
            add: 1,
            lifetime: Duration::from_secs(10),
            renewed: true,
        }
    }

    fn identity(
        &self,
        wanted: &mut Vec<Wanted>,
        identity: (u64, Digest),
        client: Option<(u64, Digest)>,
        [failures, budget]: [u32; 2],
    ) {
        wanted.push(self.failures(identity, failures));
        if let Some(client) = client {
            // A budget is only heard of where the login is known.
            wanted.push(self.logins(identity, client));
            let key = self.digest("budget", &[&identity.1, &client.1]);
            wanted.push(Wanted {
                what: What::Budget {
                    identity: identity.0,
                    client: client.0,
                },
                counter: self.counter(key, budget, self.window),
            });
        }
    }

    fn failures(&self, (of, digest): (u64, Digest), add: u32) -> Wanted {
        Wanted {
            what: What::Failures(of),
            counter: self.counter(digest, add, self.window),
        }
    }

    fn logins(&self, identity: (u64, Digest), client: (u64, Digest)) -> Wanted {
        let key = self.digest("login", &[&identity.1, &client.1]);
        Wanted {
            what: What::Logins {
                identity: identity.0,
                client: client.0,
            },
            counter: Counter {
                renewed: true,
                ..self.counter(key, 0, LIFETIME)
            },
        }
    }

    fn counter(&self, digest: Digest, add: u32, lifetime: Duration) -> Counter {
        let mut key = String::with_capacity(self.prefix.len() + 2 * digest.len());
        key.push_str(&self.prefix);
        for byte in digest {
            key.push_str(&format!("{byte:02x}"));
        }
        Counter {
            key: key.into_bytes(),
            add,
            lifetime,
            renewed: false,
        }
    }

    /// The digest of `parts`, for this `kind` of count.
    fn digest(&self, kind: &str, parts: &[&[u8]]) -> Digest {
        let mut digest = [0; 16];
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&*self.key) {
            for part in [&[kind.as_bytes()], parts].concat() {
                mac.update(&(part.len() as u64).to_be_bytes());
                mac.update(part);
            }
            let whole = mac.finalize().into_bytes();
            for (to, from) in digest.iter_mut().zip(whole) {
                *to = from;
            }
        }
        digest
    }
}
