//! Answers requests that present a session.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hallpass_stores::sql::{Queries, Row};
use hallpass_stores::{Deadline, Unavailable};
use sha2::{Digest, Sha256};

use super::admission::{Found, admit};
use super::memo::{Proof, SessionMemo, Snapshot};
use super::{Authenticator, scan, trace};
use crate::cookie::{self, Cookie};
use crate::{
    Account, ClaimedName, Client, Configuration, Credential, Identity, Reason, Request, Secret,
    Session, Shared, Verdict,
};
use hallpass_sites::{Login, Site, Stop, ask};

/// The longest that an [`InlineAuthenticator`] may take: many times what it should.
const INLINE_LIMIT: Duration = Duration::from_millis(5);

impl Authenticator {
    /// The token of the session that a request with this header `Cookie` is in.
    pub(super) fn session_in(
        &mut self,
        header: &Secret,
        deadline: Deadline,
    ) -> Result<Secret, Stop> {
        let token = match &self.cookie {
            Some((name, reader)) => {
                let cookie = Cookie {
                    name,
                    reader: *reader,
                };
                cookie::value([header.expose()], cookie).map(Secret::new)
            }
            None => {
                let sessions = &mut *self.site.sessions;
                self.database
                    .ask(deadline, |queries| sessions.token(queries, header.expose()))?
            }
        };
        Ok(token.ok_or_else(|| self.refuses("cookie", Reason::NoSession))?)
    }

    /// The token of the session that `ticket` stands for.
    pub(super) fn session_behind(
        &mut self,
        ticket: &Secret,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Secret, Stop> {
        let opened = match &self.tickets {
            Some(tickets) => tickets.open(ticket.expose(), now),
            None => Err(Reason::InvalidSession),
        };
        self.tracer
            .decided("ticket", opened.is_ok(), || match &opened {
                Ok(_) => "it is one of ours, and young enough".to_owned(),
                Err(reason) => reason.meaning().to_owned(),
            });
        let token = opened?;
        match cookie::header_in(&token) {
            Some(header) => self.session_in(&header, deadline),
            None => Ok(token),
        }
    }

    /// Reads the session `token` and its account, and admits that account. What they proved the last
    /// time holds for as long as what it rests on is the same.
    pub(super) fn session(
        &mut self,
        token: &Secret,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Identity, Stop> {
        let shared = self.shared.clone();
        let _scan = scan(shared.as_deref(), &self.site, request, deadline)?;
        let (site, memo) = (&mut self.site, &mut self.memo);
        // A traced request reads everything; nothing comes from memory.
        let traced = self.tracer.is_active();
        let remembers = site.sessions.asks_only_database()
            && !self.database.keeps_sessions_elsewhere()
            && !traced
            && !self.records;
        // A condition may ask for the time, which is no part of the database's state.
        let timeless = self.access.lookup.account_where.is_none();
        let digest = digest(token.expose());
        ask(&mut self.database, deadline, |queries| {
            let mut snapshot = Snapshot::default();
            let mut proof = None;
            // What the first request for a session rests on is not asked: most programs that a host
            // starts for one request never hear of the session again.
            let last = if remembers { memo.last(&digest) } else { None };
            if let Some(last) = &last {
                if timeless {
                    snapshot.state = queries.state()?;
                    proof = memo.get(&digest, snapshot, now);
                }
                if proof.is_none() {
                    snapshot.rows = rows(site, queries, token, &last.key, memo)?;
                    proof = memo.get(&digest, snapshot, now);
                }
            }
            let proof = match proof {
                Some(proof) => proof,
                None => {
                    let login = match memo.login(&digest, now) {
                        Some(login) if !traced => login,
                        _ => {
                            let client = &request.client;
                            let login = Arc::new(login(site, queries, token, client, now)?);
                            memo.remember_login(digest, &login, now);
                            login
                        }
                    };
                    let proof = Arc::new(prove(site, queries, token, &digest, &login)?);
                    // The account in the rows may be another's.
                    if last.is_none_or(|last| last.key != proof.key) {
                        snapshot.rows = None;
                    }
                    if remembers {
                        memo.remember(digest, &proof, snapshot);
                    }
                    proof
                }
            };
            let found = Found {
                account: &proof.account,
                by: None,
            };
            let identity = admit(
                &mut *site.accounts,
                queries,
                found,
                &self.access,
                request,
                now,
            )?;
            Ok(Identity {
                session: Some(proof.session.clone()),
                ..identity
            })
        })
    }
}

/// Reads the session `token` and the account with the primary key `key`, whose it was the last time,
/// in one statement, where these two rows are all that counts. Gives the digest of both; they are
/// read from there by [`prove`].
fn rows(
    site: &mut Site,
    queries: &mut Queries<'_>,
    token: &Secret,
    key: &str,
    memo: &SessionMemo,
) -> Result<Option<u64>, Unavailable> {
    let Some((session, token)) = site.sessions.look_up(token.expose()) else {
        return Ok(None);
    };
    let Some((account, key)) = site.accounts.look_up(queries, key)? else {
        return Ok(None);
    };
    let mut digest = None;
    let look = |row: &Row| digest = Some(memo.digest_of(row));
    queries.together((&session, token), (&account, key), look)?;
    Ok(digest)
}

/// Reads who is logged in to the session `token`.
fn login(
    site: &mut Site,
    queries: &mut Queries<'_>,
    token: &Secret,
    client: &Client,
    now: SystemTime,
) -> Result<Login, Stop> {
    let login = site.sessions.read(queries, token.expose(), client, now);
    let login = Stop::settle(login)?;
    trace::session(queries.tracer(), &login);
    Ok(login?)
}

/// Reads the account of `login`, which the session `token` has, whose digest is `digest`, and whether
/// the session still holds for it.
fn prove(
    site: &mut Site,
    queries: &mut Queries<'_>,
    token: &Secret,
    digest: &[u8; 32],
    login: &Login,
) -> Result<Proof, Stop> {
    let account = site.account_of(queries, login)?;
    trace::account(queries.tracer(), account.as_ref());
    let account = account.ok_or(Reason::UnknownUser)?;
    if !account.active {
        trace::active(queries.tracer(), &account);
        return Err(account.inactive.into());
    }
    let confirmed = site.sessions.confirms(login, &account);
    if !trace::confirmed(queries.tracer(), confirmed) {
        return Err(Reason::StaleSession.into());
    }
    let lasting = site.sessions.lasting(token.expose());
    let lasting = lasting.map(|token| self::digest(token.expose()));
    Ok(Proof {
        account: Account {
            encoded: None,
            ..account
        },
        session: Session {
            digest: hexadecimal(lasting.as_ref().unwrap_or(digest)),
            expires: login.expires,
            decoded: login.decoded,
        },
        key: login.key.clone(),
    })
}

/// Answers on the thread that asks: for sessions in a SQLite file on a disk of this machine. That is
/// a few reads by a key, and takes less time than handing the request over to another thread. What
/// takes longer, because another program holds a lock for example, is left to an [`Authenticator`] on
/// a thread that may wait.
#[derive(Debug)]
pub struct InlineAuthenticator(Authenticator);

impl InlineAuthenticator {
    /// `None` where the sessions of the site that `configuration` describes are elsewhere. To be
    /// called by a thread that may wait, because it asks the file system of which kind it is.
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
        // A name may have to be looked up by a column that has no index, an e-mail address for
        // example.
        let session = matches!(
            &request.credential,
            Credential::Session(_) | Credential::Cookies(_) | Credential::Ticket(_)
        );
        if !session || request.name != ClaimedName::Nameless {
            return None;
        }
        match self.0.answer(request, now, Deadline::after(INLINE_LIMIT)) {
            Verdict::Unavailable(_) => None,
            verdict => Some(verdict),
        }
    }
}

/// Names the session `token` as [`Session::digest`] does, for who has the token alone.
#[must_use]
pub fn session_digest(token: &[u8]) -> String {
    hexadecimal(&digest(token))
}

/// A hash of a session's token, from which no token can be found.
fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"hallpass session\0")
        .chain_update(token)
        .finalize()
        .into()
}

/// Names a session for others: half of its digest.
fn hexadecimal(digest: &[u8; 32]) -> String {
    let half = digest.first_chunk().copied().unwrap_or_default();
    format!("{:032x}", u128::from_be_bytes(half))
}
