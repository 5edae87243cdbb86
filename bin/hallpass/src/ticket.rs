//! Issues and verifies tickets from the shell.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use anyhow::Context;
use hallpass_core::{ClaimedName, Credential, Request, Secret, Verdict};
use hallpass_runtime::{CommandLine, SiteClient};
use serde_json::json;

use crate::options::TicketCommand;
use crate::terminal::{self, line};

/// Issues a ticket for a live session, or prints whose session a ticket stands for.
pub fn run(
    common: &CommandLine,
    command: TicketCommand,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let configuration = Arc::new(common.configuration()?);
    let path = configuration.path.display();
    let tickets = configuration
        .tickets
        .as_ref()
        .with_context(|| format!("{path}: tickets.key: is missing; it switches tickets on"))?;
    let mut site = SiteClient::of_stores(Arc::clone(&configuration));
    let deadline = site.deadline(started);
    match command {
        TicketCommand::Issue { session } => {
            let typed = typed(&session)?;
            let session = Credential::Session(Secret::new(typed.expose()));
            let request = Request::new(ClaimedName::Nameless, session);
            let verdict = site.ask(request, deadline);
            let Verdict::Granted(_) = &verdict else {
                return Ok(terminal::verdict(&verdict, started.elapsed(), as_json));
            };
            let ticket = tickets.tickets().issue(&typed, SystemTime::now())?;
            if as_json {
                line(&json!({ "verdict": verdict.word(), "ticket": ticket }).to_string());
            } else {
                line(&ticket);
            }
            Ok(ExitCode::SUCCESS)
        }
        TicketCommand::Verify { ticket } => {
            let ticket = Credential::Ticket(typed(&ticket)?);
            let request = Request {
                wants_groups: true,
                ..Request::new(ClaimedName::Nameless, ticket)
            };
            let verdict = site.ask(request, deadline);
            Ok(terminal::verdict(&verdict, started.elapsed(), as_json))
        }
    }
}

/// The argument, or standard input for `-`.
fn typed(given: &str) -> anyhow::Result<Secret> {
    if given == "-" {
        terminal::standard_input()
    } else {
        Ok(Secret::new(given))
    }
}
