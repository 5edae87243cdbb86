//! Changes accounts, for hosts that let their users do so.

use std::time::SystemTime;

use hallpass_stores::Deadline;
use hallpass_stores::sql::{self, Changes};

use super::{Authenticator, Found, admit};
use crate::configuration::Access;
use crate::request::malformed_name;
use crate::{Account, ClaimedName, Credential, Identity, Reason, Request, Secret, Verdict};
use hallpass_sites::{Accounts, Stop};

/// What is to become of an account.
#[derive(Debug)]
pub enum Change {
    /// The account gets another password.
    SetPassword {
        /// The name as typed.
        name: String,
        /// The password as typed.
        password: Secret,
    },
    /// There is to be such an account, and it may be used.
    Register {
        /// The name as typed.
        name: String,
        /// The password as typed.
        password: Secret,
    },
    /// The account is switched off.
    Deactivate {
        /// The name as typed.
        name: String,
    },
}

impl Change {
    /// The name that was given, for the log.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::SetPassword { name, .. }
            | Self::Register { name, .. }
            | Self::Deactivate { name } => name,
        }
    }
}

impl Authenticator {
    /// Makes `change` at the time `now`, in one transaction on a connection of its own. Granted
    /// with the account that was changed; denied, or unavailable, where nothing was.
    ///
    /// The old password is not asked for. An account that could not log in is not changed.
    pub fn change(&mut self, change: &Change, now: SystemTime, deadline: Deadline) -> Verdict {
        self.try_change(change, now, deadline).into()
    }

    fn try_change(
        &mut self,
        change: &Change,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Identity, Stop> {
        if malformed_name(change.name()) {
            return Err(Reason::Malformed.into());
        }
        // Where the site wants no password to count, none is written either.
        let sets = !matches!(change, Change::Deactivate { .. });
        if sets && !self.access.passwords {
            return Err(Reason::NotPermitted.into());
        }
        let encoded = match change {
            Change::Deactivate { .. } => String::new(),
            Change::SetPassword { password, .. } | Change::Register { password, .. } => {
                self.encode(password)?
            }
        };
        let accounts = &mut *self.site.accounts;
        let access = &self.access;
        let mut make = |changes: &mut Changes<'_>| -> Result<Identity, Stop> {
            match change {
                Change::SetPassword { name, .. } => {
                    let account = existing(accounts, access, changes, name, now)?;
                    let refused = accounts.refuses_passwords(changes.queries(), &account)?;
                    if refused.is_some() {
                        return Err(Reason::NotPermitted.into());
                    }
                    let writable = accounts.writable().ok_or(Reason::NotPermitted)?;
                    writable.set_password(changes, &account, &encoded)?;
                    Ok(Identity::from(&account))
                }
                Change::Deactivate { name } => {
                    let account = existing(accounts, access, changes, name, now)?;
                    let writable = accounts.writable().ok_or(Reason::NotPermitted)?;
                    writable.deactivate(changes, &account)?;
                    Ok(Identity::from(&account))
                }
                Change::Register { name, .. } => {
                    let writable = accounts.writable().ok_or(Reason::NotPermitted)?;
                    Ok(Identity {
                        name: writable.register(changes, name, &encoded, now)?,
                        ..Identity::default()
                    })
                }
            }
        };
        let made = sql::change(&self.settings, deadline, |changes| {
            Stop::settle(make(changes))
        });
        Ok(made??)
    }

    /// `password` as the site would keep it.
    fn encode(&mut self, password: &Secret) -> Result<String, Stop> {
        if password.expose().is_empty() || self.malformed_password(password.expose()) {
            return Err(Reason::Malformed.into());
        }
        let writable = self.site.accounts.writable();
        writable
            .ok_or(Reason::NotPermitted)?
            .encode(password.expose())
    }
}

/// The account that `name` means, if it is one that may log in.
fn existing(
    accounts: &mut dyn Accounts,
    access: &Access,
    changes: &mut Changes<'_>,
    name: &str,
    now: SystemTime,
) -> Result<Account, Stop> {
    if access.lookup.login.is_empty() {
        return Err(Reason::UnknownUser.into());
    }
    let queries = changes.queries();
    let account = accounts
        .by_name(queries, name)?
        .ok_or(Reason::UnknownUser)?;
    let request = Request::new(ClaimedName::Named(name.to_owned()), Credential::Vouched);
    let found = Found {
        account: &account,
        by: Some(name),
    };
    admit(accounts, queries, found, access, &request, now)?;
    Ok(account)
}
