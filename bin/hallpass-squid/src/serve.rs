//! Answers each of Squid's lines with a verdict.

use std::time::Instant;

use hallpass_core::{Credential, Reason, Verdict};
use hallpass_runtime::lines::Line;
use hallpass_runtime::log::Decision;
use hallpass_runtime::{Handler, Helper, Log, SiteClient, no_sessions};

use crate::answer::Answer;
use crate::line::split_channel;
use crate::options::Kind;
use crate::question::{self, Input, Malformed};

/// Answers lines.
pub struct Server {
    /// The kind of request; `None` when the command line is wrong.
    pub kind: Option<Kind>,
    pub helper: Helper,
}

impl Handler for Server {
    type Message = Line;

    fn answer(&mut self, mut line: Line, arrived: Instant) -> Vec<u8> {
        line.drop_return();
        self.answer_to(&line, arrived).into_bytes()
    }

    fn log(&self) -> &Log {
        &self.helper.log
    }
}

impl Server {
    /// The answer to `line`, with its line end.
    fn answer_to(&mut self, line: &Line, arrived: Instant) -> String {
        let Some(kind) = &self.kind else {
            let channel = split_channel(&line.bytes).map(|(channel, _)| channel);
            return Answer::Unknown.encode(channel);
        };
        let split = question::channel(kind, line);
        let channel = split.as_ref().ok().and_then(|(channel, _)| *channel);
        let input = split.and_then(|(_, rest)| match line.whole {
            true => Input::parse(kind, rest),
            false => Err(Malformed::Line),
        });
        let user = input.as_ref().ok().and_then(Input::user);
        let user = user.map(str::to_owned);
        let client = input.as_ref().ok().and_then(|input| input.client);
        if let Err(Malformed::Condition(error)) = &input {
            self.helper
                .log
                .error(&format!("an acl line of squid.conf: {error}"));
        }
        let verdict = match (input, self.helper.site()) {
            (Err(_), _) => Verdict::Denied(Reason::Malformed),
            (Ok(_), Err(unavailable)) => unavailable.into(),
            (Ok(input), Ok(site)) => ask(site, kind, input, arrived),
        };
        self.helper.log.decision(&Decision {
            user: user.as_deref(),
            client,
            verdict: &verdict,
            took: arrived.elapsed(),
        });
        Answer::new(kind, &verdict).encode(channel)
    }
}

fn ask(site: &mut SiteClient, kind: &Kind, input: Input, arrived: Instant) -> Verdict {
    let request = input.request(|header| site.configuration.session_in([header]));
    let signed =
        matches!(&request, Ok(request) if matches!(request.credential, Credential::Jwt(_)));
    if matches!(kind, Kind::Session { .. })
        && !signed
        && let Some(unavailable) = no_sessions(&site.configuration)
    {
        return unavailable.into();
    }
    match request {
        Ok(request) => {
            let deadline = site.deadline(arrived);
            site.ask(request, deadline)
        }
        Err(reason) => Verdict::Denied(reason),
    }
}
