//! Asks both sides the same questions, one after the other, and says where the answers differ.

use std::collections::BTreeSet;

use anyhow::Error;
use hallpass_core::{Requirement, Secret, TraceEvent, Verdict, session_digest};
use hallpass_sites::LoginField;
use hallpass_sites::compare::{Account, Answer, Listing, Name, Person, Question};

use super::Site;
use super::hallpass::Hallpass;
use super::made_up::{changed_token, made_up_password, other_name, spread};
use super::outcome::{Outcome, Who, compared_groups, parting, same, told};
use super::report::{Difference, Effect, Kind, Report, Stopped};

/// How many accounts are asked about with a password that is wrong, which takes a hash each.
const WRONG_PASSWORDS: usize = 10;
/// How many names and sessions are made up, and how many e-mail addresses are tried.
const MADE_UP: usize = 50;
/// How many of the accounts that Hallpass lists are asked about, beside those that the site lists.
const OUR_OWN: usize = 50;
/// How many passwords or sessions Hallpass may give no answer about, before it counts as away.
const MOST_FAILED: usize = 20;
/// How many characters of a session's digest name it.
const NAMED: usize = 8;

/// What is asked about.
pub struct Sample {
    /// How many accounts; `None` for all.
    pub accounts: Option<usize>,
    /// How many sessions; `None` for all.
    pub sessions: Option<usize>,
    /// Sessions that the user named.
    pub tokens: Vec<Secret>,
    /// A password that the user typed.
    pub typed: Option<Typed>,
}

/// A name and its password.
pub struct Typed {
    pub name: String,
    pub password: Secret,
}

/// Asks everything.
pub fn ask_all(
    site: &mut Site,
    hallpass: &mut Hallpass<'_>,
    sample: &Sample,
    report: &mut Report,
) -> Result<(), Stopped> {
    let list = Question::List {
        accounts: sample.accounts,
        sessions: sample.sessions,
    };
    let listing = match site.list(&list).map_err(of_site)? {
        Answer::Given {
            answer: Some(listing),
            ..
        } => listing,
        Answer::Given { .. } => return Err(Stopped("the site lists nothing".to_owned())),
        Answer::Cannot { cannot } => return Err(Stopped(cannot)),
    };
    let mut both = Both {
        site,
        hallpass,
        report,
        failed: 0,
    };
    let Listing {
        accounts,
        sessions,
        unlisted,
    } = listing;
    if both.site.about().accounts {
        both.report.accounts.0 = accounts.count;
        both.accounts(accounts.names, sample)?;
        if let Some(typed) = &sample.typed {
            both.typed(typed)?;
        }
    }
    let reads_sessions = both.hallpass.configuration.reads_sessions();
    if reads_sessions && sample.sessions != Some(0) {
        let sessions = sessions.iter().map(|it| Secret::new(it.as_bytes()));
        both.sessions(sessions.collect(), sample, unlisted)?;
    }
    Ok(())
}

/// Both sides, and what has come of it so far.
struct Both<'a, 'c> {
    site: &'a mut Site,
    hallpass: &'a mut Hallpass<'c>,
    report: &'a mut Report,
    failed: usize,
}

fn of_site(error: Error) -> Stopped {
    Stopped(format!("the site's own software: {error:#}"))
}

impl Both<'_, '_> {
    fn accounts(&mut self, listed: Vec<Name>, sample: &Sample) -> Result<(), Stopped> {
        let mut names: Vec<Name> = listed;
        let mut known: BTreeSet<String> = names.iter().map(|it| it.name.clone()).collect();
        let all = sample.accounts.is_none();
        let most = sample.accounts.map_or(usize::MAX, |it| it.min(OUR_OWN));
        let listed = self.hallpass.pages(all, |ours| {
            for account in spread(ours, most) {
                if known.insert(account.name.clone()) {
                    names.push(Name {
                        name: account.name.clone(),
                        email: account.email.clone(),
                    });
                }
            }
        });
        // Not every site can list its accounts.
        if let Err(unavailable) = listed {
            self.report.note(&format!(
                "accounts that the site does not list: {unavailable}"
            ));
        }
        self.report.accounts.1 = names.len() as u64;
        let access = &self.hallpass.configuration.access;
        let (passwords, folds) = (access.passwords, access.lookup.ignore_case);
        let by_name = access.lookup.login.contains(&LoginField::Username);
        for name in names.iter().filter(|_| by_name) {
            self.twice(|both| both.account(&name.name))?;
            if passwords {
                self.login(Kind::Logins, &name.name)?;
            }
        }
        for (index, name) in spread(&names, MADE_UP).into_iter().enumerate() {
            if passwords && !name.email.is_empty() && !known.contains(&name.email) {
                self.login(Kind::Logins, &name.email)?;
            }
            let other = other_name(&name.name, index, folds);
            if !known.contains(&other) && by_name {
                self.twice(|both| {
                    let question = Question::Account { name: &other };
                    let ours = |hallpass: &mut Hallpass<'_>| hallpass.account(&other);
                    let asked = both.who::<Account>(Kind::OtherNames, &other, &question, ours)?;
                    Ok(vec![asked.outcome])
                })?;
                if passwords {
                    self.login(Kind::OtherNames, &other)?;
                }
            }
        }
        for name in spread(&names, WRONG_PASSWORDS) {
            if passwords && by_name {
                let name = &name.name;
                let password = made_up_password();
                self.twice(|both| {
                    let question = Question::Wrong { name };
                    let ours = |hallpass: &mut Hallpass<'_>| hallpass.password(name, &password);
                    let asked = both.who::<Person>(Kind::WrongPasswords, name, &question, ours)?;
                    Ok(vec![asked.outcome])
                })?;
            }
        }
        Ok(())
    }

    /// Asks about `name` and the right password.
    fn login(&mut self, kind: Kind, name: &str) -> Result<(), Stopped> {
        self.twice(|both| {
            let question = Question::Login { name };
            let ours = |hallpass: &mut Hallpass<'_>| hallpass.login(name);
            let asked = both.who::<Person>(kind, name, &question, ours)?;
            Ok(vec![asked.outcome])
        })
    }

    fn typed(&mut self, typed: &Typed) -> Result<(), Stopped> {
        let Typed { name, password } = typed;
        let Ok(text) = std::str::from_utf8(password.expose()) else {
            self.report.note("the typed password is not text");
            return Ok(());
        };
        self.twice(|both| {
            let question = Question::Password {
                name,
                password: text,
            };
            let ours = |hallpass: &mut Hallpass<'_>| hallpass.password(name, password);
            let asked = both.who::<Person>(Kind::TypedPassword, name, &question, ours)?;
            Ok(vec![asked.outcome])
        })
    }

    fn sessions(
        &mut self,
        listed: Vec<Secret>,
        sample: &Sample,
        unlisted: Option<String>,
    ) -> Result<(), Stopped> {
        let mut tokens = listed;
        // One that cannot be asked says so at the first session.
        tokens.extend(self.hallpass.sessions().unwrap_or_default());
        let given = sample.tokens.iter().map(|it| Secret::new(it.expose()));
        tokens.extend(given);
        let mut seen = BTreeSet::new();
        tokens.retain(|it| seen.insert(session_digest(it.expose())));
        self.report.sessions = tokens.len() as u64;
        if let Some(why) = unlisted {
            self.report
                .note(&format!("sessions: {why}; --tokens names some to compare"));
        } else if tokens.is_empty() {
            self.report.note("sessions: the site has none yet");
        }
        for token in &tokens {
            self.session(Kind::Sessions, token.expose())?;
        }
        for (index, token) in spread(&tokens, MADE_UP).into_iter().enumerate() {
            let changed = changed_token(token.expose(), index);
            self.session(Kind::ChangedSessions, &changed)?;
        }
        // A site without any says no to one, too.
        self.session(Kind::ChangedSessions, b"hallpasscomparehallpasscompare00")
    }

    fn session(&mut self, kind: Kind, token: &[u8]) -> Result<(), Stopped> {
        let Ok(text) = std::str::from_utf8(token) else {
            return Ok(());
        };
        let digest = session_digest(token);
        let subject = format!("session {}", digest.get(..NAMED).unwrap_or_default());
        self.twice(|both| {
            let question = Question::Session { token: text };
            let ours = |hallpass: &mut Hallpass<'_>| hallpass.session(token);
            let asked = both.who::<Person>(kind, &subject, &question, ours)?;
            Ok(vec![asked.outcome])
        })
    }

    /// Everything about the account that is called `name`.
    fn account(&mut self, name: &str) -> Result<Vec<Outcome>, Stopped> {
        let question = Question::Account { name };
        let ours = |hallpass: &mut Hallpass<'_>| hallpass.account(name);
        let asked = self.who::<Account>(Kind::Accounts, name, &question, ours)?;
        let mut outcomes = vec![asked.outcome];
        let (Some(account), Verdict::Granted(identity)) = (asked.site, asked.hallpass) else {
            return Ok(outcomes);
        };
        if let Some(mut groups) = account.groups {
            groups.sort();
            groups.dedup();
            outcomes.push(compared_groups(
                name,
                &groups,
                &identity.groups,
                asked.steps,
            ));
        }
        let flags = [
            ("is staff", account.staff, Requirement::Staff),
            ("is a superuser", account.superuser, Requirement::Superuser),
        ];
        for (words, holds, requirement) in flags {
            if let Some(holds) = holds {
                let subject = format!("{name} {words}");
                outcomes.push(self.requirement(Kind::Flags, name, &subject, holds, requirement)?);
            }
        }
        for (permission, holds) in account.permissions {
            let subject = format!("{name} holds {permission}");
            let requirement = Requirement::Permission(permission);
            let kind = Kind::Permissions;
            outcomes.push(self.requirement(kind, name, &subject, holds, requirement)?);
        }
        Ok(outcomes)
    }

    /// Whether the account `name` meets `requirement`, of which the site says `holds`.
    fn requirement(
        &mut self,
        kind: Kind,
        name: &str,
        subject: &str,
        holds: bool,
        requirement: Requirement,
    ) -> Result<Outcome, Stopped> {
        let met = match self.hallpass.meets(name, requirement) {
            Verdict::Granted(_) => true,
            Verdict::Denied(_) => false,
            Verdict::Unavailable(cause) => return Err(Stopped(format!("Hallpass: {cause}"))),
        };
        if met == holds {
            return Ok(Outcome::Agree(kind, met));
        }
        let word = |yes| if yes { "yes" } else { "no" };
        Ok(Outcome::Differ(Difference {
            kind,
            effect: if met { Effect::Wider } else { Effect::Narrower },
            subject: subject.to_owned(),
            site: word(holds).to_owned(),
            hallpass: word(met).to_owned(),
            step: parting(&self.hallpass.steps(), met),
        }))
    }

    /// Whom both sides say that a question is about.
    fn who<T: Who + serde::de::DeserializeOwned>(
        &mut self,
        kind: Kind,
        subject: &str,
        question: &Question<'_>,
        ours: impl FnOnce(&mut Hallpass<'_>) -> Verdict,
    ) -> Result<AskedWho<T>, Stopped> {
        let answer = self.site.ask::<T>(question).map_err(of_site)?;
        let hallpass = ours(self.hallpass);
        let steps = self.hallpass.steps();
        let (site, raised) = match answer {
            Answer::Given { more: true, .. } => {
                return Err(Stopped("the site goes on with an answer".to_owned()));
            }
            Answer::Given { answer, raised, .. } => (answer, raised),
            Answer::Cannot { cannot } => {
                return Ok(AskedWho::unanswered(kind, cannot));
            }
        };
        let found = match &hallpass {
            Verdict::Granted(identity) => Some(Person {
                id: identity.id.clone(),
                name: identity.name.clone(),
            }),
            Verdict::Denied(_) => None,
            Verdict::Unavailable(cause) if kind.may_fail_alone() && self.failed < MOST_FAILED => {
                self.failed += 1;
                return Ok(AskedWho::unanswered(kind, format!("Hallpass: {cause}")));
            }
            Verdict::Unavailable(cause) => return Err(Stopped(format!("Hallpass: {cause}"))),
        };
        let theirs = site.as_ref().map(Who::person);
        let effect = match (theirs, &found) {
            (None, None) => None,
            (None, Some(_)) => Some(Effect::Wider),
            (Some(_), None) => Some(Effect::Narrower),
            (Some(theirs), Some(ours)) => (!same(theirs, ours)).then_some(Effect::Other),
        };
        let outcome = match effect {
            None => Outcome::Agree(kind, found.is_some()),
            Some(effect) => {
                let nobody = || raised.map_or("nobody".to_owned(), |it| format!("fails by {it}"));
                let denied = || {
                    let word =
                        |reason: hallpass_core::Reason| reason.detail().unwrap_or(reason.word());
                    match &hallpass {
                        Verdict::Denied(reason) => word(*reason).to_owned(),
                        _ => String::new(),
                    }
                };
                Outcome::Differ(Difference {
                    kind,
                    effect,
                    subject: subject.to_owned(),
                    site: theirs.map_or_else(nobody, told),
                    hallpass: found.as_ref().map_or_else(denied, told),
                    step: parting(&steps, found.is_some()),
                })
            }
        };
        Ok(AskedWho {
            outcome,
            site,
            hallpass,
            steps,
        })
    }

    /// Asks by `ask`, and once more where there is a difference: what has changed between the
    /// answers of one side and the other is none.
    fn twice(
        &mut self,
        ask: impl Fn(&mut Self) -> Result<Vec<Outcome>, Stopped>,
    ) -> Result<(), Stopped> {
        let mut outcomes = ask(self)?;
        if outcomes.iter().any(|it| matches!(it, Outcome::Differ(_))) {
            outcomes = ask(self)?;
        }
        for outcome in outcomes {
            match outcome {
                Outcome::Agree(kind, granted) => self.report.agree(kind, granted),
                Outcome::Differ(difference) => self.report.differ(difference),
                Outcome::Unanswered(kind, why) => self.report.unanswered(kind, &why),
            }
        }
        Ok(())
    }
}

/// Whom both sides named, and what follows.
struct AskedWho<T> {
    outcome: Outcome,
    site: Option<T>,
    hallpass: Verdict,
    steps: Vec<TraceEvent>,
}

impl<T> AskedWho<T> {
    fn unanswered(kind: Kind, why: String) -> Self {
        Self {
            outcome: Outcome::Unanswered(kind, why),
            site: None,
            hallpass: Verdict::Denied(hallpass_core::Reason::UnknownUser),
            steps: Vec::new(),
        }
    }
}
