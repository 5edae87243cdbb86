//! The way from a session, or a token of a program's, to a verdict.

use std::sync::Arc;
use std::time::SystemTime;

use hallpass_stores::sql::{Queries, Row};
use hallpass_stores::{Deadline, Unavailable};
use sha2::{Digest, Sha256};

use super::admission::{Found, admit};
use super::owners::Owners;
use super::proved::{Ground, Known, Proved};
use super::{Authenticator, malformed_name, scan, trace};
use crate::cookie::{self, Cookie};
use crate::site::{Login, Site};
use crate::{Account, Client, Identity, Reason, Request, Secret, Session};

impl Authenticator {
    pub(super) fn cookies(
        &mut self,
        header: &Secret,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Result<Identity, Reason>, Unavailable> {
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
                let ask = |queries: &mut Queries<'_>| sessions.token(queries, header.expose());
                self.database.ask(deadline, ask)?
            }
        };
        match token {
            Some(token) => self.session(&token, request, now, deadline),
            None => {
                self.refuses("cookie", Reason::NoSession);
                Ok(Err(Reason::NoSession))
            }
        }
    }

    pub(super) fn session(
        &mut self,
        token: &Secret,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Result<Identity, Reason>, Unavailable> {
        let shared = self.shared.clone();
        let _scan = scan(shared.as_deref(), &self.site, request, deadline)?;
        let (site, owners, known) = (&mut self.site, &mut self.owners, &mut self.known);
        // Whoever looks on is to see everything that is read.
        let may_know = site.sessions.asks_only_database() && !self.tracer.is_active();
        let digest = digest(token.expose());
        self.database.ask(deadline, |queries| {
            let key = owners.of(token.expose()).map(str::to_owned);
            // A session that nobody has asked about before need not be known: most programs that a
            // host starts for one question never hear of it again.
            // A condition may ask for the time, which is no part of the database's state.
            let timeless = self.access.account_where.is_none();
            let state = if may_know && key.is_some() && timeless {
                queries.state()?
            } else {
                None
            };
            let mut ground = state.map(Ground::State);
            let mut proved = known.get(&digest, ground, now);
            if let (Some(key), None) = (&key, &proved) {
                if may_know && ground.is_none() {
                    ground = rows(site, queries, token, key, known)?;
                    proved = known.get(&digest, ground, now);
                } else {
                    site.foresee(queries, key)?;
                }
            }
            let proved = match proved {
                Some(proved) => proved,
                None => {
                    let read = prove(site, owners, queries, token, &request.client, now)?;
                    let (login, account) = match read {
                        Ok(proved) => proved,
                        Err(reason) => return Ok(Err(reason)),
                    };
                    // The account in the rows may be another's.
                    let rests_on = ground.filter(|ground| {
                        matches!(ground, Ground::State(_)) || key.as_ref() == Some(&login.key)
                    });
                    let proved = Arc::new(Proved {
                        account: Account {
                            encoded: None,
                            ..account
                        },
                        session: Session {
                            digest: hexadecimal(&digest),
                            expires: login.expires,
                            decoded: login.decoded,
                        },
                    });
                    if let Some(ground) = rests_on {
                        known.remember(digest, ground, &proved);
                    }
                    proved
                }
            };
            let Proved { account, session } = &*proved;
            let directory = &mut *site.directory;
            let found = Found::by_credential(account);
            let admitted = admit(directory, queries, found, &self.access, request, now)?;
            Ok(admitted.map(|identity| Identity {
                session: Some(session.clone()),
                ..identity
            }))
        })
    }

    pub(super) fn token(
        &mut self,
        token: &Secret,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Result<Identity, Reason>, Unavailable> {
        let token = match std::str::from_utf8(token.expose()) {
            Ok(token) if !malformed_name(token) => token,
            _ => return Ok(Err(Reason::NoSession)),
        };
        let shared = self.shared.clone();
        let _scan = scan(shared.as_deref(), &self.site, request, deadline)?;
        let directory = &mut *self.site.directory;
        self.database.ask(deadline, |queries| {
            let account = directory.by_token(queries, token)?;
            trace::account(queries.tracer(), account.as_ref());
            let Some(account) = account else {
                return Ok(Err(Reason::NoSession));
            };
            let found = Found::by_credential(&account);
            admit(directory, queries, found, &self.access, request, now)
        })
    }
}

/// Reads a session and the account with the primary key `key`, whose it was the last time, in one
/// statement, where it is known beforehand what is looked up. They are the ground of the answer then.
fn rows(
    site: &mut Site,
    queries: &mut Queries<'_>,
    token: &Secret,
    key: &str,
    known: &Known,
) -> Result<Option<Ground>, Unavailable> {
    let Some((session, token)) = site.sessions.look_up(token.expose()) else {
        site.foresee(queries, key)?;
        return Ok(None);
    };
    let Some((account, key)) = site.directory.look_up(queries, key)? else {
        return Ok(None);
    };
    let mut ground = None;
    let look = |row: &Row| ground = Some(known.ground(row));
    queries.together((&session, token), (&account, key), look)?;
    Ok(ground)
}

/// Reads a session, and the account of whoever is logged in to it.
fn prove(
    site: &mut Site,
    owners: &mut Owners,
    queries: &mut Queries<'_>,
    token: &Secret,
    client: &Client,
    now: SystemTime,
) -> Result<Result<(Login, Account), Reason>, Unavailable> {
    let login = site.sessions.read(queries, token.expose(), client, now)?;
    trace::session(queries.tracer(), &login);
    let login = match login {
        Ok(login) => login,
        Err(reason) => return Ok(Err(reason)),
    };
    let account = site.account_of(queries, &login)?;
    trace::account(queries.tracer(), account.as_ref());
    let Some(account) = account else {
        return Ok(Err(Reason::UnknownUser));
    };
    owners.remember(token.expose(), &login.key);
    if !account.active {
        trace::active(queries.tracer(), &account);
        return Ok(Err(account.inactive));
    }
    let confirmed = site.sessions.confirms(&login, &account);
    if !trace::confirmed(queries.tracer(), confirmed) {
        return Ok(Err(Reason::StaleSession));
    }
    Ok(Ok((login, account)))
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
