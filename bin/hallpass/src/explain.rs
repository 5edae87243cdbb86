//! Explains a verdict: every step from the credential on, what was read and what was decided.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use anyhow::bail;
use hallpass_core::basic::{self, Basic};
use hallpass_core::{
    Authenticator, ClaimedName, Client, Configuration, Credential, Deadline, Request, Secret,
    Trace, TraceEvent, Tracer, Unavailable,
};
use hallpass_runtime::exit_after;
use serde_json::{Value, json};

use crate::terminal::{self, add, line, plain, wrap};

/// The column at which text begins.
const INDENT: usize = 24;

/// Collects steps in order.
#[derive(Default)]
pub struct Steps(Mutex<Vec<TraceEvent>>);

impl Steps {
    /// Takes those that have been collected.
    pub fn take(&self) -> Vec<TraceEvent> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Trace for Steps {
    fn step(&self, step: TraceEvent) {
        let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        steps.push(step);
    }
}

/// Answers `request`, and prints every step before the verdict.
pub fn answer(configuration: &Configuration, request: &Request, as_json: bool) -> ExitCode {
    let started = Instant::now();
    let steps = Arc::new(Steps::default());
    let deadline = Deadline::after(configuration.limits.deadline);
    let verdict = match exit_after(deadline, terminal::UNAVAILABLE) {
        Ok(()) => Authenticator::new(configuration)
            .traced(Tracer::new(steps.clone()))
            .answer(request, SystemTime::now(), deadline),
        Err(error) => Unavailable::new(format!("cannot set an alarm: {error}")).into(),
    };
    let steps = steps.take();
    if as_json {
        let mut object = terminal::object(&verdict, started.elapsed());
        add(&mut object, "steps", steps.iter().map(value).collect());
        line(&object.to_string());
        return terminal::exit_code(&verdict);
    }
    // The verdict is printed by itself.
    for step in steps.iter().filter(|step| step.subject != "verdict") {
        let mark = match step.holds {
            None => "",
            Some(true) => "yes",
            Some(false) => "no",
        };
        let head = format!("{mark:<5}{:<19}", step.subject);
        let mut rows = wrap(&plain(&step.said), terminal::WIDTH - INDENT).into_iter();
        line(&format!("{head}{}", rows.next().unwrap_or_default()));
        rows.for_each(|row| line(&format!("{:INDENT$}{row}", "")));
    }
    terminal::verdict(&verdict, started.elapsed(), false)
}

fn value(step: &TraceEvent) -> Value {
    json!({ "step": step.subject, "holds": step.holds, "said": step.said })
}

/// The credential in an HTTP request.
pub struct Shown {
    pub name: ClaimedName,
    pub credential: Credential,
    pub client: Client,
}

/// Reads the credential in an HTTP request, whose headers are on standard input: the site's cookie,
/// else `Authorization: Basic`, as `hallpassd` does.
///
/// # Errors
/// When there is neither, or a name that web servers might read differently.
pub fn of_request(configuration: &Configuration) -> anyhow::Result<Shown> {
    let request = terminal::standard_input()?;
    let (mut cookies, mut authorizations): (Vec<&[u8]>, Vec<&[u8]>) = (Vec::new(), Vec::new());
    let mut client = Client::default();
    let text = |value: &[u8]| Some(String::from_utf8_lossy(value).into_owned());
    for line in request.expose().split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"cookie") {
            cookies.push(value);
        } else if name.eq_ignore_ascii_case(b"user-agent") {
            client.browser = text(value);
        } else if name.eq_ignore_ascii_case(b"x-forwarded-for") {
            client.forwarded_for = text(value);
        } else if name.eq_ignore_ascii_case(b"authorization") {
            authorizations.push(value);
        }
    }
    let bearer = authorizations.first().and_then(|one| {
        let scheme = one.get(..7)?.eq_ignore_ascii_case(b"bearer ");
        one.get(7..).filter(|_| scheme).map(<[u8]>::trim_ascii)
    });
    let Ok(basic) = basic::read_all(authorizations) else {
        bail!("the request has an Authorization header that servers may read differently");
    };
    let (name, password) = match basic {
        Some(Basic { name, password }) => (ClaimedName::Named(name), Some(password)),
        None => (ClaimedName::Nameless, None),
    };
    let session = configuration.session_in(cookies);
    // A ticket is explained by the session that it stands for.
    let in_header = configuration
        .jwt
        .as_ref()
        .is_some_and(|jwt| jwt.cookie.is_none());
    let bearer = bearer.filter(|_| in_header);
    let signed = bearer.map(|token| Credential::Jwt(Secret::new(token)));
    let other = password.map(Credential::Password).or(signed);
    let Some(credential) = session.or(other) else {
        bail!("the request has neither the site's cookie nor Authorization: Basic")
    };
    Ok(Shown {
        name,
        credential,
        client,
    })
}
