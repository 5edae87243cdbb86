//! Asks the site, and prints its answers.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use hallpass_core::{
    Account, Authenticator, ClaimedName, Client, Conditions, Configuration, Credential, Deadline,
    Identity, Reason, Request, Requirement, Secret, Unavailable, Verdict,
};
use hallpass_passwords::ParseError;
use hallpass_runtime::{CommandLine, SiteClient, exit_after};

use crate::explain::{self, Shown};
use crate::hash::UNUSABLE;
use crate::init::OWN_ROLE;
use crate::options::{ConditionOptions, ExplainCommand, ShownSession};
use crate::terminal::{self, add, complain, line, plain};

/// The site to ask, and how to answer.
pub struct Asker {
    configuration: Arc<Configuration>,
    json: bool,
    /// Whether to explain each verdict.
    explain: bool,
}

impl Asker {
    pub fn new(common: &CommandLine, json: bool) -> anyhow::Result<Self> {
        let configuration = common.configuration()?;
        for warning in &configuration.warnings {
            complain(&format!("warning: {warning}"));
        }
        Ok(Self {
            configuration: Arc::new(configuration),
            json,
            explain: false,
        })
    }

    /// Sets whether to explain each verdict.
    pub fn explaining(self, explain: bool) -> Self {
        Self { explain, ..self }
    }

    /// Prints the steps to a verdict.
    pub fn explain(&self, command: ExplainCommand) -> anyhow::Result<ExitCode> {
        match command {
            ExplainCommand::Check { user, conditions } => self.check(user, conditions),
            ExplainCommand::Session { shown, conditions } => self.session(&shown, conditions),
            ExplainCommand::User { user, conditions } => {
                Ok(self.ask(ClaimedName::Named(user), Credential::Vouched, conditions))
            }
            ExplainCommand::Request { conditions } => {
                let shown = explain::of_request(&self.configuration)?;
                Ok(self.ask_for(shown, conditions))
            }
        }
    }

    pub fn check(&self, user: String, conditions: ConditionOptions) -> anyhow::Result<ExitCode> {
        let credential = Credential::Password(terminal::password()?);
        Ok(self.ask(ClaimedName::Named(user), credential, conditions))
    }

    /// The session on the command line; `-` reads it from standard input.
    pub fn session(
        &self,
        shown: &ShownSession,
        conditions: ConditionOptions,
    ) -> anyhow::Result<ExitCode> {
        let (token, header) = (shown.token.as_deref(), shown.cookie.as_deref());
        let typed = match header.or(token) {
            None | Some("-") => terminal::standard_input()?,
            Some(given) => Secret::new(given),
        };
        let credential = if header.is_some() {
            let found = self.configuration.session_in([typed.expose()]);
            // A missing cookie counts as an empty one, which is not a session.
            found.unwrap_or(Credential::Session(Secret::new("")))
        } else {
            self.configuration.session_token(typed)
        };
        let missing = self.configuration.missing_for_sessions();
        let signed = matches!(credential, Credential::Jwt(_));
        if let Some(key) = missing.filter(|_| !signed) {
            let path = self.configuration.path.display();
            anyhow::bail!("{path}: {key}: is missing; sessions need it");
        }
        Ok(self.ask(ClaimedName::Nameless, credential, conditions))
    }

    /// Whether the account holds all of `permissions`, of which any text is valid, as for the site
    /// itself.
    pub fn can(&self, user: String, permissions: Vec<String>) -> ExitCode {
        let permissions = permissions.into_iter().map(Requirement::Permission);
        let conditions = ConditionOptions {
            groups: Vec::new(),
            permission: permissions.collect(),
        };
        self.ask(ClaimedName::Named(user), Credential::Vouched, conditions)
    }

    /// Prints the SQL that creates a database user with the few rights that are needed: `role`, else
    /// the configuration's unless that one exists.
    pub fn grants(&self, role: Option<&str>) -> ExitCode {
        let mut authenticator = Authenticator::new(&self.configuration);
        let deadline = Deadline::after(self.configuration.limits.deadline);
        let sql = match role {
            Some(role) => authenticator.grants_to(role),
            None if authenticator.database_user_exists(deadline) => {
                authenticator.grants_to(OWN_ROLE)
            }
            None => authenticator.grants(),
        };
        line(sql.trim_end());
        ExitCode::SUCCESS
    }

    fn ask(
        &self,
        name: ClaimedName,
        credential: Credential,
        options: ConditionOptions,
    ) -> ExitCode {
        let client = Client::default();
        let shown = Shown {
            name,
            credential,
            client,
        };
        self.ask_for(shown, options)
    }

    fn ask_for(&self, shown: Shown, options: ConditionOptions) -> ExitCode {
        let started = Instant::now();
        let request = Request {
            name: shown.name,
            credential: shown.credential,
            conditions: Conditions {
                any: options.groups,
                all: options.permission,
            },
            wants_groups: true,
            client: shown.client,
        };
        if self.explain {
            return explain::answer(&self.configuration, &request, self.json);
        }
        let mut site = SiteClient::of_stores(Arc::clone(&self.configuration));
        let verdict = site.ask(request, site.deadline(started));
        terminal::verdict(&verdict, started.elapsed(), self.json)
    }

    /// Describes an account. An inactive one is described, too, and denied.
    pub fn user(&self, user: &str) -> ExitCode {
        let started = Instant::now();
        let found = self.account(user);
        let verdict = found.as_ref().map_or_else(Verdict::clone, Found::verdict);
        if self.json {
            let mut object = terminal::object(&verdict, started.elapsed());
            if let Ok(Found {
                account: Some(account),
                groups,
                algorithm,
                cost,
            }) = &found
            {
                for (key, value) in [
                    ("user", account.name.as_str().into()),
                    ("id", account.id.to_string().into()),
                    ("email", account.email.as_str().into()),
                    ("name", account.full_name.as_str().into()),
                    ("groups", groups.as_slice().into()),
                    ("active", account.active.into()),
                    ("staff", account.staff.into()),
                    ("superuser", account.superuser.into()),
                    ("algorithm", algorithm.as_deref().into()),
                    ("cost", cost.as_deref().into()),
                ] {
                    add(&mut object, key, value);
                }
            }
            line(&object.to_string());
        } else if let Ok(found) = &found
            && let Some(account) = &found.account
        {
            found.print(account);
        } else {
            return terminal::verdict(&verdict, started.elapsed(), false);
        }
        terminal::exit_code(&verdict)
    }

    pub fn groups(&self, user: &str) -> ExitCode {
        let started = Instant::now();
        let found = self.account(user);
        let verdict = found.as_ref().map_or_else(Verdict::clone, Found::verdict);
        if self.json {
            return terminal::verdict(&verdict, started.elapsed(), true);
        }
        match &verdict {
            Verdict::Granted(identity) => {
                identity.groups.iter().for_each(|group| line(&plain(group)));
            }
            Verdict::Denied(reason) => complain(&format!("denied: {}", reason.word())),
            Verdict::Unavailable(cause) => complain(&format!("unavailable: {cause}")),
        }
        terminal::exit_code(&verdict)
    }

    fn account(&self, user: &str) -> Result<Found, Verdict> {
        let deadline = Deadline::after(self.configuration.limits.deadline);
        exit_after(deadline, terminal::UNAVAILABLE).map_err(|error| {
            Verdict::from(Unavailable::new(format!("cannot set an alarm: {error}")))
        })?;
        let mut authenticator = Authenticator::new(&self.configuration);
        let found = authenticator.account(user, SystemTime::now(), deadline);
        let Some((account, groups)) = found? else {
            return Ok(Found::default());
        };
        let (algorithm, cost) = match authenticator.stored_hash(&account) {
            Ok(hash) => (Some(hash.algorithm().to_owned()), Some(hash.parameters())),
            Err(ParseError::Unusable)
                if account.encoded.as_ref().is_some_and(|it| !it.is_empty()) =>
            {
                (Some(UNUSABLE.to_owned()), Some(String::new()))
            }
            Err(_) => (None, None),
        };
        Ok(Found {
            account: Some(account),
            groups,
            algorithm,
            cost,
        })
    }
}

/// The known facts about an account.
#[derive(Default)]
struct Found {
    account: Option<Account>,
    groups: Vec<String>,
    algorithm: Option<String>,
    cost: Option<String>,
}

impl Found {
    fn verdict(&self) -> Verdict {
        match &self.account {
            None => Verdict::Denied(Reason::UnknownUser),
            Some(account) if !account.active => Verdict::Denied(account.inactive),
            Some(account) => {
                let mut identity = Identity::from(account);
                identity.groups.clone_from(&self.groups);
                Verdict::Granted(Box::new(identity))
            }
        }
    }

    fn print(&self, account: &Account) {
        let flag = |flag| if flag { "yes" } else { "no" };
        let hash = match (&self.algorithm, &self.cost) {
            (Some(algorithm), Some(cost)) if !cost.is_empty() => format!("{algorithm}, {cost}"),
            (Some(algorithm), _) => algorithm.clone(),
            _ => "of an unknown algorithm".to_owned(),
        };
        let groups: Vec<String> = self.groups.iter().map(|group| plain(group)).collect();
        for (label, value) in [
            ("user", plain(&account.name)),
            ("id", plain(&account.id.to_string())),
            ("name", plain(&account.full_name)),
            ("email", plain(&account.email)),
            ("active", flag(account.active).to_owned()),
            ("staff", flag(account.staff).to_owned()),
            ("superuser", flag(account.superuser).to_owned()),
            ("groups", groups.join(", ")),
            ("password", hash),
        ] {
            line(format!("{label:<10} {value}").trim_end());
        }
    }
}
