//! Whether a site's stores answer.

use std::time::SystemTime;

use hallpass_core::{
    Authenticator, ClaimedName, Configuration, Credential, Deadline, Request, Secret, Unavailable,
    Verdict,
};

/// Whether a site's stores answer.
#[derive(Debug)]
pub struct Health {
    database: Result<(), Unavailable>,
    /// `None` where the configuration does not say enough to read sessions.
    sessions: Option<Result<(), Unavailable>>,
}

impl Health {
    /// What nobody knows anything about.
    pub fn unknown(unavailable: Unavailable) -> Self {
        Self {
            database: Err(unavailable),
            sessions: None,
        }
    }

    /// Asks the stores what they are asked every day, about nobody: a name that no site gives, and
    /// a session that no site has.
    pub fn examine(
        configuration: &Configuration,
        authenticator: &mut Authenticator,
        deadline: Deadline,
    ) -> Self {
        let database = authenticator.account("hallpass readiness", SystemTime::now(), deadline);
        let sessions = configuration.reads_sessions().then(|| {
            let token = Secret::new([b'0'; 32]);
            let session = Request::new(ClaimedName::Nameless, Credential::Session(token));
            match authenticator.answer(&session, SystemTime::now(), deadline) {
                Verdict::Unavailable(unavailable) => Err(unavailable),
                _ => Ok(()),
            }
        });
        Self {
            database: database.map(drop),
            sessions,
        }
    }

    /// The stores, each with what came of asking it.
    pub fn stores(&self) -> impl Iterator<Item = (&'static str, &Result<(), Unavailable>)> {
        let sessions = self.sessions.as_ref();
        std::iter::once(("database", &self.database))
            .chain(sessions.map(|sessions| ("sessions", sessions)))
    }
}
