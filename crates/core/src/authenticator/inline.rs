//! Answers that nobody need wait for.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hallpass_stores::Deadline;

use super::Authenticator;
use crate::{ClaimedName, Configuration, Credential, Request, Shared, Verdict};

/// How long an answer takes at most that is given at once: many times what it should.
const AT_ONCE: Duration = Duration::from_millis(5);

/// Answers at once what can be: whose a session is that is in a SQLite file on a disk of this
/// machine. That is a few reads by a key, and takes less time than handing the question over to
/// another thread. Whatever is in the way, another program's lock for one, is left to an
/// [`Authenticator`], and a thread that may wait.
#[derive(Debug)]
pub struct InlineAuthenticator(Authenticator);

impl InlineAuthenticator {
    /// `None` where the site that `configuration` describes is no such site. To be called by a
    /// thread that may wait: the file system is asked what it is.
    #[must_use]
    pub fn new(configuration: &Configuration, shared: Arc<Shared>) -> Option<Self> {
        let mut authenticator = Authenticator::new(configuration).sharing(shared);
        let at_once =
            authenticator.site.sessions.asks_only_database() && authenticator.database.is_at_hand();
        authenticator.database = authenticator.database.impatient();
        at_once.then_some(Self(authenticator))
    }

    /// The verdict on `request`, at the time `now`; `None` where it takes longer.
    pub fn answer(&mut self, request: &Request, now: SystemTime) -> Option<Verdict> {
        // Whether a name means the account is asked by whatever people log in by, an e-mail address
        // that no index has among it.
        let session = matches!(
            &request.credential,
            Credential::Session(_) | Credential::Cookies(_) | Credential::Ticket(_)
        );
        if !session || request.name != ClaimedName::Nameless {
            return None;
        }
        match self.0.answer(request, now, Deadline::after(AT_ONCE)) {
            Verdict::Unavailable(_) => None,
            verdict => Some(verdict),
        }
    }
}
