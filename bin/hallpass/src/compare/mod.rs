//! Runs `hallpass compare`: asks the site's own software and Hallpass the same, and lists where they
//! differ.

mod hallpass;
mod made_up;
mod outcome;
mod page;
mod questions;
mod report;

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};
use hallpass_core::{Conditions, Configuration, Secret};
use hallpass_runtime::CommandLine;
use hallpass_sites::compare::{About, Answer, Listing, OwnSoftware, Question, SoftwareOptions};
use hallpass_sites::{FRAMEWORKS, Framework, LoginField};

use serde::de::DeserializeOwned;

use self::hallpass::Hallpass;
use self::page::Page;
use self::questions::{Sample, Typed};
use self::report::{Report, Stopped};
use crate::options::CompareOptions;
use crate::terminal::{self, UNAVAILABLE, complain, plain};

/// What a framework asks for to start a site's own software.
pub struct SoftwareArguments(ArgMatches);

impl Args for SoftwareArguments {
    fn augment_args(command: Command) -> Command {
        let command = SoftwareOptions::augment_args(command);
        let add = |command, framework: &&dyn Framework| framework.software_arguments(command);
        FRAMEWORKS.iter().fold(command, add)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SoftwareArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(Self(matches.clone()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl std::fmt::Debug for SoftwareArguments {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SoftwareArguments(…)")
    }
}

/// Compares, and prints the result.
pub fn run(
    common: &CommandLine,
    options: &CompareOptions,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let mut configuration = common.configuration()?;
    let mut report = Report::default();
    leave_out_access(&mut configuration, &mut report);
    let sample = sample(options)?;
    let mut site = match start(options, &configuration, common) {
        Ok(site) => site,
        Err(Failed::Usage(error)) => return Err(error),
        Err(Failed::Unavailable(error)) => return Ok(unavailable(&error, as_json)),
    };
    report.software.clone_from(&site.about().software);
    report.notes.extend(site.about().notes.iter().cloned());
    let mut hallpass = Hallpass::new(&configuration);
    let asked = questions::ask_all(&mut site, &mut hallpass, &sample, &mut report);
    drop(site);
    if let Err(Stopped(why)) = asked {
        report.stopped = Some(why);
    }
    report.print(as_json);
    Ok(report.exit_code())
}

/// What answers for the site.
pub enum Site {
    Software(Box<OwnSoftware>),
    Page(Box<Page>),
}

impl Site {
    /// What it says of itself.
    pub fn about(&self) -> &About {
        match self {
            Self::Software(software) => &software.about,
            Self::Page(page) => &page.about,
        }
    }

    /// Its answer to `question`.
    ///
    /// # Errors
    /// When the site's own software does not answer.
    pub fn ask<T: DeserializeOwned>(
        &mut self,
        question: &Question<'_>,
    ) -> anyhow::Result<Answer<T>> {
        match self {
            Self::Software(software) => software.ask(question),
            Self::Page(page) => Ok(serde_json::from_value(page.ask(question))?),
        }
    }

    /// Its answer to [`Question::List`].
    ///
    /// # Errors
    /// As of [`Site::ask`].
    pub fn list(&mut self, question: &Question<'_>) -> anyhow::Result<Answer<Listing>> {
        match self {
            Self::Software(software) => software.list(question),
            Self::Page(_) => self.ask(question),
        }
    }
}

/// Why the site's own software does not run.
enum Failed {
    Usage(anyhow::Error),
    Unavailable(anyhow::Error),
}

fn start(
    options: &CompareOptions,
    configuration: &Configuration,
    common: &CommandLine,
) -> Result<Site, Failed> {
    let Some(path) = &options.path else {
        let page = common.configuration().map_err(anyhow::Error::from);
        let page = page.and_then(|again| Page::new(again, &options.page));
        return page.map(Box::new).map(Site::Page).map_err(Failed::Usage);
    };
    let name = options.framework.as_deref();
    let name = name.unwrap_or(configuration.software);
    let framework = FRAMEWORKS.iter().find(|it| it.name() == name);
    let software = framework
        .with_context(|| format!("unknown framework {name:?}"))
        .and_then(|it| {
            let told = configuration.framework.tells_software();
            it.software(path, &options.software.0, &told)
        })
        .map_err(Failed::Usage)?
        .ok_or_else(|| {
            Failed::Usage(anyhow::anyhow!(
                "the own software of a site with framework = \"{name}\" cannot be asked; where it is \
                 of a framework that can, --framework names that; --url asks a page about sessions"
            ))
        })?;
    if let Some(warning) = &software.warning {
        complain(&format!("warning: {}", plain(warning)));
    }
    let started = OwnSoftware::start(&software);
    started
        .map(|it| Site::Software(Box::new(it)))
        .map_err(Failed::Unavailable)
}

/// `[access]` restricts on top of the site, which knows nothing of it.
fn leave_out_access(configuration: &mut Configuration, report: &mut Report) {
    let access = &mut configuration.access;
    if access.conditions != Conditions::default() {
        access.conditions = Conditions::default();
        report.note(
            "groups, permissions, staff and superuser of [access] are left out: the site does not \
             know them",
        );
    }
    if !access.passwords {
        report.note("passwords are not compared: [access] passwords = false lets nobody in by one");
    }
    if access.lookup.ignore_case {
        report.note("names in another case are not compared: [access] ignore_case takes them");
    }
    if access.lookup.login.is_empty() {
        report.note("accounts are not compared: [access] login = [] looks none up by a name");
    } else if !access.lookup.login.contains(&LoginField::Username) {
        report.note("accounts are asked about by e-mail address alone: [access] login says so");
    }
    if let Some(key) = configuration.missing_for_sessions() {
        report.note(&format!(
            "sessions are not compared: {key} is missing, so that Hallpass reads none"
        ));
    }
}

fn sample(options: &CompareOptions) -> anyhow::Result<Sample> {
    let limit = |count| if options.all { None } else { Some(count) };
    let mut tokens = Vec::new();
    if let Some(path) = &options.tokens {
        let text = if path.as_os_str() == "-" {
            if options.user.is_some() {
                bail!("--tokens - and --user both read standard input; put the tokens into a file");
            }
            terminal::standard_input()?
        } else {
            let read = std::fs::read(path);
            Secret::new(read.with_context(|| format!("cannot read {}", path.display()))?)
        };
        let lines = text.expose().split(|byte| *byte == b'\n');
        let lines = lines.map(<[u8]>::trim_ascii).filter(|it| !it.is_empty());
        tokens.extend(lines.map(Secret::new));
    }
    let typed = match &options.user {
        Some(name) => Some(Typed {
            name: name.clone(),
            password: terminal::password()?,
        }),
        None => None,
    };
    Ok(Sample {
        accounts: limit(options.accounts),
        sessions: limit(options.sessions),
        tokens,
        typed,
    })
}

fn unavailable(error: &anyhow::Error, as_json: bool) -> ExitCode {
    if as_json {
        let mut report = Report::default();
        report.stopped = Some(format!("{error:#}"));
        report.print(true);
    } else {
        complain(&format!("{error:#}"));
    }
    UNAVAILABLE.into()
}
