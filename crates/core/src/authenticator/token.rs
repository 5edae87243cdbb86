//! Answers requests that present a token which the site gave to a program.

use std::time::SystemTime;

use hallpass_sites::{Accounts, Stop};
use hallpass_stores::Deadline;
use hallpass_stores::sql::Queries;

use super::Authenticator;
use crate::request::malformed_name;
use crate::throttle::Attempt;
use crate::{Identity, Reason, Request, Secret};

impl Authenticator {
    /// Finds the account of an API token, and admits it.
    pub(super) fn token(
        &mut self,
        token: &Secret,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Identity, Stop> {
        let token = std::str::from_utf8(token.expose()).unwrap_or_default();
        if malformed_name(token) {
            return Err(Reason::NoSession.into());
        }
        let attempt = match self.name_in(token) {
            Some(name) => self.admitted_attempt(name, request, now)?,
            None => None,
        };
        let find = |accounts: &mut dyn Accounts, queries: &mut Queries<'_>| {
            accounts.by_token(queries, token)
        };
        let found = self.find(find, None, Reason::NoSession, request, now, deadline);
        if let (Some(shared), Some(attempt)) = (&self.shared, attempt) {
            let right = match &found {
                Ok(_) | Err(Stop::Denied(Reason::NotPermitted)) => true,
                Err(Stop::Denied(_)) => false,
                Err(Stop::Unavailable(_)) => return found,
            };
            shared.throttle.exchange(&attempt, right, now);
            if !shared.throttle.settle(&attempt, right, now) {
                return Err(Reason::Throttled.into());
            }
        }
        found
    }

    /// The name in a token that is a name and a password. A guess of one is counted, because the site may
    /// have made its hash slow; other tokens are too long to be guessed, and cost a row to look up.
    fn name_in<'a>(&self, token: &'a str) -> Option<&'a str> {
        let (name, password) = token.rsplit_once(':')?;
        let accounts = &self.site.accounts;
        (!name.is_empty() && accounts.is_for_programs(password.as_bytes())).then_some(name)
    }

    /// The attempt that a wrong password for `name` counts as; `None` where nothing is counted.
    ///
    /// # Errors
    /// [`Reason::Throttled`] where no more are admitted.
    pub(super) fn admitted_attempt(
        &self,
        name: &str,
        request: &Request,
        now: SystemTime,
    ) -> Result<Option<Attempt>, Reason> {
        let Some(shared) = self.shared.as_deref() else {
            return Ok(None);
        };
        let attempt = shared.throttle.attempt(name, request.client.address);
        if shared.throttle.admits(&attempt, now) {
            shared.throttle.look(&attempt, now);
        }
        match shared.throttle.admits(&attempt, now) {
            true => Ok(Some(attempt)),
            false => Err(self.refuses("throttle", Reason::Throttled)),
        }
    }
}
