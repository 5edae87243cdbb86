//! Answers requests that present a token which the site signed.

use std::time::SystemTime;

use hallpass_sites::{Accounts, Stop};
use hallpass_stores::Deadline;
use hallpass_stores::sql::Queries;

use super::{Authenticator, session_digest};
use crate::jwt::{Refusal, Subject};
use crate::request::malformed_name;
use crate::{Decoding, Identity, Reason, Request, Secret, Session};

impl Authenticator {
    /// Verifies `token`, and admits the account that it names. The account is looked up each time, so
    /// that one that was closed is out before its tokens end.
    pub(super) fn jwt(
        &mut self,
        token: &Secret,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Identity, Stop> {
        let verified = match &self.jwt {
            Some(jwt) => jwt.rules.verify(token.expose(), now),
            None => Err(Refusal::Invalid("[jwt] is not configured")),
        };
        self.tracer
            .decided("jwt", verified.is_ok(), || match &verified {
                Ok(verified) => format!("signed by {}", verified.algorithm.name()),
                Err(refusal) => refusal.meaning().to_owned(),
            });
        let verified = verified.map_err(Refusal::reason)?;
        let (Subject::Name(text) | Subject::Key(text)) = &verified.subject;
        if malformed_name(text) {
            return Err(self.refuses("jwt", Reason::UnknownUser).into());
        }
        let find = |accounts: &mut dyn Accounts, queries: &mut Queries<'_>| match &verified.subject
        {
            Subject::Name(name) => accounts.by_name(queries, name),
            Subject::Key(key) => accounts.by_key(queries, key),
        };
        let by = match &verified.subject {
            Subject::Name(name) => Some(name.as_str()),
            Subject::Key(_) => None,
        };
        let identity = self.find(find, by, Reason::UnknownUser, request, now, deadline)?;
        Ok(Identity {
            session: Some(Session {
                digest: session_digest(token.expose()),
                expires: verified.expires,
                decoded: Decoding {
                    store: "a token that the site signed",
                    container: "JWT",
                    format: verified.algorithm.name(),
                },
            }),
            ..identity
        })
    }
}
