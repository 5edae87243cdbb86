//! The way from a change to what came of it.

use std::time::SystemTime;

use hallpass_stores::sql::{self, Changes};
use hallpass_stores::{Deadline, Unavailable};

use super::{Authenticator, Found, admit, malformed_name};
use crate::configuration::Access;
use crate::site::Directory;
use crate::{Account, Change, ClaimedName, Credential, Identity, Reason, Request, Secret, Verdict};

impl Authenticator {
    /// Makes `change` at the time `now`, in one transaction on a connection of its own. Granted
    /// with the account that was changed; denied, or unavailable, where nothing was.
    ///
    /// Nobody is asked for a password, and nobody is changed who could not log in.
    pub fn change(&mut self, change: &Change, now: SystemTime, deadline: Deadline) -> Verdict {
        match self.try_change(change, now, deadline) {
            Ok(Ok(identity)) => Verdict::Granted(Box::new(identity)),
            Ok(Err(reason)) => Verdict::Denied(reason),
            Err(unavailable) => unavailable.into(),
        }
    }

    fn try_change(
        &mut self,
        change: &Change,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Result<Identity, Reason>, Unavailable> {
        if malformed_name(change.name()) {
            return Ok(Err(Reason::Malformed));
        }
        // Where the site wants no password to count, none is written either.
        let sets = !matches!(change, Change::Deactivate { .. });
        if sets && !self.access.passwords {
            return Ok(Err(Reason::NotPermitted));
        }
        let encoded = match change {
            Change::Deactivate { .. } => String::new(),
            Change::SetPassword { password, .. } | Change::Register { password, .. } => {
                match self.encode(password)? {
                    Ok(encoded) => encoded,
                    Err(reason) => return Ok(Err(reason)),
                }
            }
        };
        let directory = &mut *self.site.directory;
        let access = &self.access;
        sql::change(&self.settings, deadline, |changes| match change {
            Change::SetPassword { name, .. } => {
                match existing(directory, access, changes, name, now)? {
                    Ok(account) => {
                        let refused = directory.refuses_passwords(changes.queries(), &account)?;
                        if refused.is_some() {
                            return Ok(Err(Reason::NotPermitted));
                        }
                        let done = directory.set_password(changes, &account, &encoded)?;
                        Ok(done.map(|()| account.identity()))
                    }
                    Err(reason) => Ok(Err(reason)),
                }
            }
            Change::Deactivate { name } => match existing(directory, access, changes, name, now)? {
                Ok(account) => {
                    let done = directory.deactivate(changes, &account)?;
                    Ok(done.map(|()| account.identity()))
                }
                Err(reason) => Ok(Err(reason)),
            },
            Change::Register { name, .. } => {
                let done = directory.register(changes, name, &encoded, now)?;
                Ok(done.map(|name| Identity {
                    name,
                    ..Identity::default()
                }))
            }
        })
    }

    /// `password` as the site would keep it.
    fn encode(&self, password: &Secret) -> Result<Result<String, Reason>, Unavailable> {
        if password.expose().is_empty() || self.malformed_password(password.expose()) {
            return Ok(Err(Reason::Malformed));
        }
        self.site.directory.encode(password.expose())
    }
}

/// The account that `name` means, if it is one that may log in.
fn existing(
    directory: &mut dyn Directory,
    access: &Access,
    changes: &mut Changes<'_>,
    name: &str,
    now: SystemTime,
) -> Result<Result<Account, Reason>, Unavailable> {
    let queries = changes.queries();
    let Some(account) = directory.by_name(queries, name)? else {
        return Ok(Err(Reason::UnknownUser));
    };
    let request = Request::new(ClaimedName::Named(name.to_owned()), Credential::Vouched);
    let found = Found::by_name(&account, name);
    let admitted = admit(directory, queries, found, access, &request, now)?;
    Ok(admitted.map(|_| account))
}
