//! Asks Hallpass, and keeps the steps to its last answer.

use std::sync::Arc;
use std::time::SystemTime;

use hallpass_core::{
    Account, Authenticator, ClaimedName, Conditions, Configuration, Credential, Deadline, Progress,
    Request, Requirement, Secret, TraceEvent, Tracer, Unavailable, Verdict,
};

use crate::explain::Steps;

/// What stands in for a password that is not looked at.
const RIGHT: &str = "hallpass compare";

/// Hallpass, as the configuration has it.
pub struct Hallpass<'a> {
    pub configuration: &'a Configuration,
    authenticator: Authenticator,
    steps: Arc<Steps>,
}

impl<'a> Hallpass<'a> {
    pub fn new(configuration: &'a Configuration) -> Self {
        let steps = Arc::new(Steps::default());
        let tracer = Tracer::new(steps.clone());
        Self {
            configuration,
            authenticator: Authenticator::new(configuration).traced(tracer),
            steps,
        }
    }

    /// The steps to the last answer.
    pub fn steps(&self) -> Vec<TraceEvent> {
        self.steps.take()
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.configuration.limits.deadline)
    }

    fn answer(&mut self, request: &Request) -> Verdict {
        self.steps.take();
        let deadline = self.deadline();
        self.authenticator
            .answer(request, SystemTime::now(), deadline)
    }

    /// The account that `name` means, with its groups.
    pub fn account(&mut self, name: &str) -> Verdict {
        let mut request = Request::new(ClaimedName::Named(name.to_owned()), Credential::Vouched);
        request.wants_groups = true;
        self.answer(&request)
    }

    /// Whether that account meets `requirement`.
    pub fn meets(&mut self, name: &str, requirement: Requirement) -> Verdict {
        let mut request = Request::new(ClaimedName::Named(name.to_owned()), Credential::Vouched);
        request.conditions = Conditions {
            any: Vec::new(),
            all: vec![requirement],
        };
        self.answer(&request)
    }

    /// Whom `name` and the right password let in.
    pub fn login(&mut self, name: &str) -> Verdict {
        self.steps.take();
        let credential = Credential::Password(Secret::new(RIGHT));
        let request = Request::new(ClaimedName::Named(name.to_owned()), credential);
        let (now, deadline) = (SystemTime::now(), self.deadline());
        match self.authenticator.begin(&request, now, deadline) {
            Progress::Answered(verdict) => verdict,
            Progress::Pending(pending) => pending.verdict_if_right(now),
        }
    }

    /// Whom `name` and `password` let in.
    pub fn password(&mut self, name: &str, password: &Secret) -> Verdict {
        let credential = Credential::Password(Secret::new(password.expose()));
        self.answer(&Request::new(
            ClaimedName::Named(name.to_owned()),
            credential,
        ))
    }

    /// Whose the session `token` is.
    pub fn session(&mut self, token: &[u8]) -> Verdict {
        let credential = Credential::Session(Secret::new(token));
        self.answer(&Request::new(ClaimedName::Nameless, credential))
    }

    /// Gives `take` the accounts in the order of their primary keys, page by page: one page, or all.
    pub fn pages(
        &mut self,
        all: bool,
        mut take: impl FnMut(&[Account]),
    ) -> Result<(), Unavailable> {
        let mut last = None;
        loop {
            let deadline = self.deadline();
            let page = self.authenticator.accounts_after(last.as_ref(), deadline)?;
            take(&page);
            match page.last() {
                Some(account) if all => last = Some(account.id.clone()),
                _ => return Ok(()),
            }
        }
    }

    /// The tokens of a few sessions, where they can be listed.
    pub fn sessions(&mut self) -> Result<Vec<Secret>, Unavailable> {
        let deadline = self.deadline();
        self.authenticator.sample_sessions(deadline)
    }
}
