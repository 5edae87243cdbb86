//! Reads a sample of sessions, and counts how each read ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hallpass_stores::sql::{Database, Queries};
use hallpass_stores::{Trace, TraceEvent, Tracer};

use super::{Examination, Finding};
use crate::{Client, Reason, Secret};
use hallpass_sites::{Problem, Sample, Site, Stop, ask};

/// A token that no site has given out.
const NOBODYS: &str = "hallpassdoctorhallpassdoctor0000";

/// Remembers why the last session was no good.
#[derive(Default)]
struct Failed(Mutex<Option<&'static str>>);

impl Trace for Failed {
    fn step(&self, step: TraceEvent) {
        if step.holds == Some(false) {
            let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *failed = Some(step.subject);
        }
    }
}

impl Failed {
    fn take(&self) -> Option<&'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Examination<'_> {
    /// Reads a few of the newest sessions, as if a client had shown them.
    pub(super) fn sessions(&mut self) {
        if self.configuration.missing_for_sessions().is_some() {
            return;
        }
        let failed = Arc::new(Failed::default());
        let observer: Arc<dyn Trace> = failed.clone();
        let mut database =
            Database::new(&self.configuration.database).traced(Tracer::new(observer));
        let (deadline, now) = (self.deadline(), self.now);
        if self.configuration.http.is_some() {
            self.page();
            return;
        }
        let sessions = &mut *self.site.sessions;
        let Sample { tokens, elsewhere } =
            match database.ask(deadline, |queries| sessions.sample(queries)) {
                Ok(Some(sample)) => sample,
                Ok(None) => {
                    self.add(Finding::ok(
                        "sessions",
                        "sample sessions",
                        "they cannot be listed where they are; `hallpass session -` reads one",
                    ));
                    return;
                }
                // What is wrong with the tables is said already.
                Err(_) => return,
            };
        if let Some(elsewhere) = elsewhere {
            self.add(Finding::problem(
                "session-cache-key",
                "look for sessions in the cache",
                format!("there are none where they are looked for, but some under {elsewhere}…"),
                self.advice(Problem::SessionsElsewhere(&elsewhere)),
            ));
            return;
        }
        let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
        for token in &tokens {
            failed.take();
            let site = &mut self.site;
            let read = ask(&mut database, deadline, |queries| {
                read(site, queries, token, now)
            });
            let word = match read {
                Ok(()) => "live",
                Err(Stop::Denied(Reason::InvalidSession)) => match failed.take() {
                    Some("signature") => "signature",
                    Some("backend") => "backend",
                    _ => "undecodable",
                },
                Err(Stop::Denied(reason)) => reason.detail().unwrap_or(reason.word()),
                Err(Stop::Unavailable(cause)) => {
                    let mend = "read the store's log";
                    self.unavailable("sessions", "read a session", &cause, mend);
                    return;
                }
            };
            *counts.entry(word).or_insert(0) += 1;
        }
        self.judge(tokens.len(), &counts);
    }

    /// What a sample says about the configuration.
    fn judge(&mut self, all: usize, counts: &BTreeMap<&'static str, usize>) {
        let of = |word| counts.get(word).copied().unwrap_or_default();
        let tried = format!("read the {all} newest sessions");
        let opened = [
            "live",
            "anonymous-session",
            "stale-session",
            "inactive",
            "new-password",
            "other-application",
            "second-factor",
            "second-factor-set-up",
        ]
        .map(of)
        .iter()
        .sum();
        let mut found = Vec::new();
        match (of("signature"), opened) {
            (0, _) => {}
            (bad, 0) => found.push(Finding::problem(
                "session-signature",
                &tried,
                format!("{bad} are signed with another key: secret_key is not the site's"),
                self.advice(Problem::SignedWithAnotherKey),
            )),
            (bad, _) => found.push(Finding::warning(
                "session-signature",
                &tried,
                format!("{bad} are signed with another key, {opened} with this one"),
                self.advice(Problem::SomeSignedWithAnotherKey),
            )),
        }
        if of("undecodable") > 0 {
            let seen = format!("{} cannot be decoded", of("undecodable"));
            let mend = self.advice(Problem::SessionsUndecodable);
            found.push(if opened == 0 {
                Finding::problem("session-format", &tried, seen, mend)
            } else {
                Finding::warning("session-format", &tried, seen, mend)
            });
        }
        if of("backend") > 0 {
            found.push(Finding::warning(
                "session-backend",
                &tried,
                format!(
                    "{} were made by a backend that is not listed",
                    of("backend")
                ),
                self.advice(Problem::BackendNotListed),
            ));
        }
        if of("stale-session") > 0 && of("live") == 0 {
            found.push(Finding::warning(
                "session-stale",
                &tried,
                format!(
                    "all {} of people are of other passwords",
                    of("stale-session")
                ),
                self.advice(Problem::SessionsStale),
            ));
        }
        if of("unknown-user") > 0 && of("live") == 0 {
            found.push(Finding::problem(
                "session-user",
                &tried,
                format!(
                    "{} belong to accounts that do not exist",
                    of("unknown-user")
                ),
                self.advice(Problem::SessionsWithoutAccount),
            ));
        }
        if found.is_empty() && all > 0 && of("anonymous-session") == all {
            found.push(Finding::warning(
                "session-user",
                &tried,
                "nobody is logged in to any of them",
                "see that the configuration says where in a session its user is; with none \
                 logged in, log in once and look again",
            ));
        }
        if found.is_empty() {
            let counts: Vec<String> = counts
                .iter()
                .map(|(word, count)| format!("{count} {}", word.trim_end_matches("-session")))
                .collect();
            let seen = if all == 0 {
                "there are none yet; look again once somebody has logged in".to_owned()
            } else {
                counts.join(", ")
            };
            found.push(Finding::ok("sessions", tried, seen));
        }
        self.findings.extend(found);
    }

    /// Whether the site's own page refuses a session that does not exist.
    fn page(&mut self) {
        let tried = "ask the site's page about a session that does not exist";
        let (deadline, now) = (self.deadline(), self.now);
        let sessions = &mut *self.site.sessions;
        let asked = ask(&mut self.database, deadline, |queries| {
            sessions.read(queries, NOBODYS.as_bytes(), &Client::default(), now)
        });
        match asked {
            Err(Stop::Denied(_)) => self.add(Finding::ok(
                "session-page",
                tried,
                "it says that nobody is logged in",
            )),
            Ok(_) => self.add(Finding::problem(
                "session-page",
                tried,
                "it says that somebody is logged in to it",
                "have the page look at the session that it is asked about, or name another in \
                 [http] url",
            )),
            Err(Stop::Unavailable(cause)) => {
                let mend = "put the page that says who is logged in into [http] url; it answers \
                            401 where nobody is";
                self.unavailable("session-page", tried, &cause, mend);
            }
        }
    }
}

/// Whether the session would be accepted, apart from conditions.
fn read(
    site: &mut Site,
    queries: &mut Queries<'_>,
    token: &Secret,
    now: std::time::SystemTime,
) -> Result<(), Stop> {
    let client = Client::default();
    let login = site.sessions.read(queries, token.expose(), &client, now)?;
    match site.account_of(queries, &login)? {
        None => Err(Reason::UnknownUser.into()),
        Some(account) if !account.active => Err(account.inactive.into()),
        Some(account) if !site.sessions.confirms(&login, &account) => {
            Err(Reason::StaleSession.into())
        }
        Some(_) => Ok(()),
    }
}
