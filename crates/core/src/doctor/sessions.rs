//! Reads a sample of sessions, and counts how each read ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use hallpass_stores::sql::{Database, Queries};
use hallpass_stores::{Trace, TraceEvent, Tracer};

use super::{Examination, Finding, Status, counted};
use crate::{Client, Reason, Secret};
use hallpass_sites::{Elsewhere, Problem, Sample, Site, Stop, ask};

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
        let shown = database.ask(deadline, |queries| sessions.overlooked(queries, now));
        let shown = shown.unwrap_or_default();
        // What is wrong with all sessions shows in the sample again.
        let is_wrong = shown.iter().any(|rule| rule.problem);
        self.add_overlooked(shown);
        if is_wrong {
            return;
        }
        let sessions = &mut *self.site.sessions;
        let sample = match database.ask(deadline, |queries| sessions.sample(queries)) {
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
        if let Some(elsewhere) = &sample.elsewhere {
            self.elsewhere(elsewhere);
            return;
        }
        let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut stale = BTreeSet::new();
        for token in &sample.tokens {
            failed.take();
            let site = &mut self.site;
            let read = ask(&mut database, deadline, |queries| {
                read(site, queries, token, now, &mut stale)
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
        self.judge(&sample, &counts, stale.len());
    }

    /// Finds that the cache has sessions in another place.
    fn elsewhere(&mut self, elsewhere: &Elsewhere) {
        let tried = "look for sessions in the cache";
        let (check, place, problem) = match elsewhere {
            Elsewhere::Keys(begin) => {
                let place = format!("under {begin}…");
                (
                    "session-cache-key",
                    place,
                    Problem::SessionsElsewhere(begin),
                )
            }
            Elsewhere::Database(number) => {
                let place = format!("in the database {number} of the same Redis");
                (
                    "session-cache-database",
                    place,
                    Problem::SessionsInDatabase(*number),
                )
            }
        };
        let seen = format!("there are none where they are looked for, but some {place}");
        self.add(Finding::problem(check, tried, seen, self.advice(problem)));
    }

    /// What a sample says about the configuration.
    fn judge(
        &mut self,
        sample: &Sample,
        counts: &BTreeMap<&'static str, usize>,
        stale_accounts: usize,
    ) {
        let of = |word| counts.get(word).copied().unwrap_or_default();
        let all = sample.tokens.len();
        let tried = match (all, sample.unordered) {
            (0, _) => "look for sessions".to_owned(),
            (1, false) => "read the newest session".to_owned(),
            (_, false) => format!("read the {all} newest sessions"),
            (_, true) => format!("read {}", counted(all, "session")),
        };
        let opened: usize = [
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
                format!(
                    "{} signed with another key: secret_key is not the site's",
                    are(bad)
                ),
                self.advice(Problem::SignedWithAnotherKey),
            )),
            (bad, _) => found.push(Finding::warning(
                "session-signature",
                &tried,
                format!(
                    "{} signed with another key, {opened} with this one",
                    are(bad)
                ),
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
            let finding = Finding::warning(
                "session-backend",
                &tried,
                format!("{} of a backend that is not listed", are(of("backend"))),
                self.advice(Problem::BackendNotListed),
            );
            // Where no session is good, everybody is locked out.
            let status = match of("live") {
                0 => Status::Problem,
                _ => Status::Warning,
            };
            found.push(Finding { status, ..finding });
        }
        let is_problem =
            |it: &Finding| it.check == "password-hashes" && it.status == Status::Problem;
        // What is not a hash of a password is not what sessions are bound to.
        let hashes_are_known = !self.findings.iter().any(is_problem);
        if of("stale-session") > 0 && of("live") == 0 && hashes_are_known {
            let seen = match of("stale-session") {
                1 => "the only one of an account was made with another password".to_owned(),
                count => format!("all {count} of accounts were made with other passwords"),
            };
            // Those of one account may be left over from before its password was changed.
            let status = match stale_accounts {
                0 | 1 => Status::Warning,
                _ => Status::Problem,
            };
            let advice = self.advice(Problem::SessionsStale);
            let finding = Finding::warning("session-stale", &tried, seen, advice);
            found.push(Finding { status, ..finding });
        }
        let of_ours = opened - of("other-application");
        if sample.people && of("no-session") > 0 && of_ours == 0 {
            found.push(Finding::problem(
                "session-data",
                &tried,
                format!(
                    "the rows of {} are live, and none has its data in the session store",
                    counted(of("no-session"), "session")
                ),
                self.advice(Problem::SessionsWithoutData),
            ));
        }
        if of("unknown-user") > 0 && of("live") == 0 {
            found.push(Finding::problem(
                "session-user",
                &tried,
                match of("unknown-user") {
                    1 => "1 belongs to an account that does not exist".to_owned(),
                    count => format!("{count} belong to accounts that do not exist"),
                },
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
                .map(|(word, count)| format!("{count} {}", shown(word)))
                .collect();
            let seen = match (all, sample.partial) {
                (0, false) => {
                    "there are none yet; look again once somebody has logged in".to_owned()
                }
                (0, true) => "cannot tell: the store has too many keys to look at all of them, and \
                              none of those that were is a session's; `hallpass session -` reads one"
                    .to_owned(),
                _ => counts.join(", "),
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

/// `1 is`, `2 are`.
fn are(count: usize) -> String {
    match count {
        1 => "1 is".to_owned(),
        _ => format!("{count} are"),
    }
}

/// The end of a session's reading, as it is shown after a number.
fn shown(word: &str) -> &str {
    match word {
        "no-session" => "without data",
        "inactive" => "of inactive accounts",
        "unknown-user" => "of unknown accounts",
        "new-password" => "of accounts that must choose a new password",
        "other-application" => "of another application of the site",
        "second-factor" => "without the account's second factor",
        "second-factor-set-up" => "of accounts that must set up a second factor",
        word => word.trim_end_matches("-session"),
    }
}

/// Whether the session would be accepted, apart from conditions. An account with another password
/// since the session was made is added to `stale`.
fn read(
    site: &mut Site,
    queries: &mut Queries<'_>,
    token: &Secret,
    now: std::time::SystemTime,
    stale: &mut BTreeSet<String>,
) -> Result<(), Stop> {
    let client = Client::default();
    let login = site.sessions.read(queries, token.expose(), &client, now)?;
    match site.account_of(queries, &login)? {
        None => Err(Reason::UnknownUser.into()),
        Some(account) if !account.active => Err(account.inactive.into()),
        Some(account) if !site.sessions.confirms(&login, &account) => {
            stale.insert(account.id.text);
            Err(Reason::StaleSession.into())
        }
        Some(_) => Ok(()),
    }
}
