//! The way from a question to its verdict.

mod costliest;

use std::sync::Arc;
use std::time::SystemTime;

use hallpass_passwords::{
    Description, Outcome, Rules, describe_cost, identify, is_affordable, spend_with, verify,
};
use hallpass_stores::sql::{Database, Queries};
use hallpass_stores::{Deadline, Unavailable};
use sha2::{Digest, Sha256};

use self::costliest::Costliest;
use crate::configuration::{Access, Configuration, Passwords};
use crate::memory::Held;
use crate::site::{Directory, Site};
use crate::{
    Account, Conditions, Credential, Identity, Question, Reason, Requirement, Secret, Session,
    Shared, Verdict,
};

/// The longest name that is looked up, in bytes. Django's own are 150 characters at most, and an
/// e-mail address 254.
const LONGEST_NAME: usize = 1024;

/// Answers questions about one site, one at a time.
///
/// Opens nothing until it is asked, and keeps what it opened for the next question.
#[derive(Debug)]
pub struct Authenticator {
    site: Site,
    database: Database,
    access: Access,
    passwords: Passwords,
    longest_password: usize,
    costliest: Costliest,
    shared: Option<Arc<Shared>>,
}

impl Authenticator {
    /// An authenticator for the site that `configuration` describes.
    #[must_use]
    pub fn new(configuration: &Configuration) -> Self {
        Self {
            site: Site::new(configuration),
            database: Database::new(&configuration.database),
            access: configuration.access.clone(),
            passwords: configuration.passwords.clone(),
            longest_password: configuration.limits.max_password,
            costliest: Costliest::default(),
            shared: None,
        }
    }

    /// Counts wrong passwords and memory together with the other authenticators of a program.
    #[must_use]
    pub fn sharing(self, shared: Arc<Shared>) -> Self {
        Self {
            shared: Some(shared),
            ..self
        }
    }

    /// The verdict on `question`, at the time `now`. Stores give up at `deadline`; a hash that has
    /// been started is finished.
    pub fn answer(&mut self, question: &Question, now: SystemTime, deadline: Deadline) -> Verdict {
        let verdict = match &question.credential {
            Credential::Password { name, password } => {
                self.throttled_password(name, password, question, now, deadline)
            }
            Credential::Session { token, owner } => {
                self.session(token, owner.as_deref(), question, now, deadline)
            }
            Credential::Vouched { name } => self.vouched(name, question, deadline),
        };
        verdict.map_or_else(Verdict::from, |answer| match answer {
            Ok(identity) => Verdict::Granted(Box::new(identity)),
            Err(reason) => Verdict::Denied(reason),
        })
    }

    /// The account that `name` means, and the groups it is in, whatever may be wrong with it.
    ///
    /// # Errors
    /// [`Unavailable`] when the site's database cannot be asked.
    pub fn account(
        &mut self,
        name: &str,
        deadline: Deadline,
    ) -> Result<Option<(Account, Vec<String>)>, Unavailable> {
        if malformed_name(name) {
            return Ok(None);
        }
        let directory = &mut *self.site.directory;
        self.database.ask(deadline, |queries| {
            let Some(account) = directory.by_name(queries, name)? else {
                return Ok(None);
            };
            let groups = groups(directory, queries, &account)?;
            Ok(Some((account, groups)))
        })
    }

    /// The costliest hash that the newest accounts have, and whose rules it goes by; `None` where
    /// none of them has a password.
    ///
    /// # Errors
    /// [`Unavailable`] when the site's database cannot be asked.
    pub fn costliest(
        &mut self,
        deadline: Deadline,
    ) -> Result<Option<(Rules, String)>, Unavailable> {
        let (rules, limits) = (self.site.rules, &self.passwords.limits);
        let (directory, database) = (&mut *self.site.directory, &mut self.database);
        self.costliest.learn(rules, limits, None, || {
            database.ask(deadline, |queries| directory.some_hashes(queries))
        })?;
        Ok(self.costliest.seen().map(|seen| (rules, seen.to_owned())))
    }

    /// What the stored hash of `account` says of itself.
    #[must_use]
    pub fn describe(&self, account: &Account) -> Option<Description> {
        identify(self.site.rules, account.encoded.as_deref()?)
    }

    fn throttled_password(
        &mut self,
        name: &str,
        password: &Secret,
        question: &Question,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Result<Identity, Reason>, Unavailable> {
        let Some(shared) = self.shared.clone() else {
            return self.password(name, password, question, deadline);
        };
        let throttle = &shared.throttle;
        if !throttle.admits(name, question.client, now) {
            return Ok(Err(Reason::Throttled));
        }
        let answer = self.password(name, password, question, deadline)?;
        match &answer {
            Ok(_) | Err(Reason::NotPermitted) => throttle.succeeded(name),
            // Nothing was guessed.
            Err(Reason::Malformed) => {}
            Err(_) => throttle.failed(name, question.client, now),
        }
        Ok(answer)
    }

    fn password(
        &mut self,
        name: &str,
        password: &Secret,
        question: &Question,
        deadline: Deadline,
    ) -> Result<Result<Identity, Reason>, Unavailable> {
        let password = password.expose();
        if malformed_name(name)
            || password.len() > self.longest_password
            || password.contains(&0)
            || std::str::from_utf8(password).is_err()
        {
            return Ok(Err(Reason::Malformed));
        }
        let directory = &mut *self.site.directory;
        // What the account must be is looked up first, so that the database is not held while the
        // hash is computed, and so that a group costs a wrong password no less than a right one.
        let found = self.database.ask(deadline, |queries| {
            let Some(account) = directory.by_name(queries, name)? else {
                return Ok(None);
            };
            let admitted = admit(directory, queries, &account, &self.access, question)?;
            Ok(Some((account, admitted)))
        })?;
        let Some((account, admitted)) = found else {
            self.spend(password, None, deadline)?;
            return Ok(Err(Reason::UnknownUser));
        };
        let encoded = account.encoded.as_deref().unwrap_or_default();
        let outcome = self.verify(password, encoded, deadline)?;
        let denied = match outcome {
            Outcome::Match => match admitted {
                Ok(identity) => return Ok(Ok(identity)),
                Err(reason) => reason,
            },
            Outcome::Mismatch => Reason::WrongPassword,
            Outcome::Unusable => Reason::UnusablePassword,
            Outcome::Unsupported if encoded.is_empty() => Reason::UnusablePassword,
            Outcome::Unsupported => Reason::UnsupportedHash,
        };
        let checked = matches!(outcome, Outcome::Match | Outcome::Mismatch).then_some(encoded);
        self.spend(password, checked, deadline)?;
        Ok(Err(denied))
    }

    fn verify(
        &self,
        password: &[u8],
        encoded: &str,
        deadline: Deadline,
    ) -> Result<Outcome, Unavailable> {
        let (rules, limits) = (self.site.rules, &self.passwords.limits);
        if let Some(allowed) = &self.site.algorithms
            && let Some(description) = identify(rules, encoded)
            && !encoded.starts_with('!')
            && !allowed.iter().any(|name| name == description.algorithm)
        {
            return Ok(Outcome::Unsupported);
        }
        let held = is_affordable(rules, encoded, limits).then_some(encoded);
        let _held = hold(self.shared.as_deref(), held, deadline)?;
        Ok(verify(rules, password, encoded, limits))
    }

    /// Makes a denial cost what the site's costliest hash costs, whatever `checked`, the hash
    /// that has been computed already, did cost: the time tells nobody which accounts there are.
    fn spend(
        &mut self,
        password: &[u8],
        checked: Option<&str>,
        deadline: Deadline,
    ) -> Result<(), Unavailable> {
        let limits = &self.passwords.limits;
        let costliest = match &self.passwords.dummy {
            Some(dummy) => dummy,
            None => {
                let (directory, database) = (&mut *self.site.directory, &mut self.database);
                self.costliest.learn(self.site.rules, limits, checked, || {
                    database.ask(deadline, |queries| directory.some_hashes(queries))
                })?
            }
        };
        let _held = hold(self.shared.as_deref(), Some(costliest), deadline)?;
        spend_with(self.site.rules, password, costliest, checked, limits);
        Ok(())
    }

    fn session(
        &mut self,
        token: &Secret,
        owner: Option<&str>,
        question: &Question,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Result<Identity, Reason>, Unavailable> {
        let Site {
            directory,
            sessions,
            ..
        } = &mut self.site;
        self.database.ask(deadline, |queries| {
            let login = match sessions.read(queries, token.expose(), now)? {
                Ok(login) => login,
                Err(reason) => return Ok(Err(reason)),
            };
            let Some(account) = directory.by_key(queries, &login.key)? else {
                return Ok(Err(Reason::UnknownUser));
            };
            if !account.active {
                return Ok(Err(Reason::Inactive));
            }
            if !sessions.confirms(&login, &account) {
                return Ok(Err(Reason::StaleSession));
            }
            if let Some(owner) = owner {
                let named = directory.by_name(queries, owner)?;
                if named.is_none_or(|named| named.id != account.id) {
                    return Ok(Err(Reason::WrongUser));
                }
            }
            let directory = &mut **directory;
            let admitted = admit(directory, queries, &account, &self.access, question)?;
            Ok(admitted.map(|identity| Identity {
                session: Some(Session {
                    digest: digest(token.expose()),
                    expires: login.expires,
                    decoded: login.decoded,
                }),
                ..identity
            }))
        })
    }

    fn vouched(
        &mut self,
        name: &str,
        question: &Question,
        deadline: Deadline,
    ) -> Result<Result<Identity, Reason>, Unavailable> {
        if malformed_name(name) {
            return Ok(Err(Reason::Malformed));
        }
        let directory = &mut *self.site.directory;
        self.database.ask(deadline, |queries| {
            let Some(account) = directory.by_name(queries, name)? else {
                return Ok(Err(Reason::UnknownUser));
            };
            admit(directory, queries, &account, &self.access, question)
        })
    }
}

/// Holds the memory that a check of `encoded` takes, together with the other threads of the program.
fn hold<'a>(
    shared: Option<&'a Shared>,
    encoded: Option<&str>,
    deadline: Deadline,
) -> Result<Option<Held<'a>>, Unavailable> {
    let memory = encoded
        .and_then(describe_cost)
        .map_or(0, |cost| cost.memory);
    match shared {
        Some(shared) if memory > 0 => shared.memory.hold(memory, deadline).map(Some),
        _ => Ok(None),
    }
}

/// Whether an account whose owner has proved who they are may in.
fn admit(
    directory: &mut dyn Directory,
    queries: &mut Queries<'_>,
    account: &Account,
    access: &Access,
    question: &Question,
) -> Result<Result<Identity, Reason>, Unavailable> {
    if !account.active {
        return Ok(Err(Reason::Inactive));
    }
    let conditions = [&access.conditions, &question.conditions];
    let groups = if question.wants_groups || conditions.iter().any(|these| these.name_groups()) {
        directory.groups(queries, account)?
    } else {
        Vec::new()
    };
    for conditions in conditions {
        let mut met = |requirement: &Requirement| {
            Ok(match requirement {
                Requirement::Group(name) => groups.contains(name),
                Requirement::Permission(permission) => {
                    account.superuser || directory.holds(queries, account, permission)?
                }
                Requirement::Staff => account.staff,
                Requirement::Superuser => account.superuser,
            })
        };
        let mut permitted = conditions.any.is_empty();
        for requirement in &conditions.any {
            permitted = permitted || met(requirement)?;
        }
        for requirement in &conditions.all {
            permitted = permitted && met(requirement)?;
        }
        if !permitted {
            return Ok(Err(Reason::NotPermitted));
        }
    }
    let groups = if question.wants_groups {
        groups
    } else {
        Vec::new()
    };
    Ok(Ok(Identity {
        groups,
        ..account.identity()
    }))
}

/// The groups of an account; an inactive one is in none.
fn groups(
    directory: &mut dyn Directory,
    queries: &mut Queries<'_>,
    account: &Account,
) -> Result<Vec<String>, Unavailable> {
    if account.active {
        directory.groups(queries, account)
    } else {
        Ok(Vec::new())
    }
}

impl Conditions {
    fn name_groups(&self) -> bool {
        let names_group = |requirement| matches!(requirement, &Requirement::Group(_));
        self.any.iter().any(names_group) || self.all.iter().any(names_group)
    }
}

fn malformed_name(name: &str) -> bool {
    name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control)
}

/// Names a session for others: half of a SHA-256, from which no token can be found.
fn digest(token: &[u8]) -> String {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(b"hallpass session\0")
        .chain_update(token)
        .finalize()
        .into();
    let half = hash.first_chunk().copied().unwrap_or_default();
    format!("{:032x}", u128::from_be_bytes(half))
}
