//! A line in, a line out.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use hallpass_core::{Reason, Verdict};
use hallpass_runtime::lines::{Decoder, Line};
use hallpass_runtime::log::Decision;
use hallpass_runtime::{ConditionArguments, Helper, Log, Open, Site, Source, converse};

use crate::answer::Answer;
use crate::line::split_channel;
use crate::options::{Asked, Options};
use crate::question::{self, Input, Malformed};

const PROGRAM: &str = "hallpass-squid";

/// The program, from the command line to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let mut server = match Options::try_parse() {
        Ok(options) if options.common.check_config => return options.common.check(2),
        Ok(options) => Server {
            asked: Some(options.asked.unwrap_or(Asked::Basic {
                client: false,
                conditions: ConditionArguments::default(),
            })),
            site: Site::new(PROGRAM, Source::File(options.common), |_| {}),
        },
        // Helpers that end at once, again and again, end Squid.
        Err(error) => Server {
            asked: None,
            site: Site::new(PROGRAM, Source::unusable(&error), |_| {}),
        },
    };
    converse(Decoder::default(), &mut server)
}

struct Server {
    /// What is asked; `None` when the command line does not say.
    asked: Option<Asked>,
    site: Site,
}

impl Helper for Server {
    type Message = Line;

    fn answer(&mut self, mut line: Line, arrived: Instant) -> Vec<u8> {
        line.drop_return();
        self.answer_to(&line, arrived).into_bytes()
    }

    fn log(&self) -> &Log {
        &self.site.log
    }
}

impl Server {
    /// The answer to `line`, its end included.
    fn answer_to(&mut self, line: &Line, arrived: Instant) -> String {
        let Some(asked) = &self.asked else {
            let channel = split_channel(&line.bytes).map(|(channel, _)| channel);
            return Answer::Unknown.encode(channel);
        };
        let split = question::channel(asked, line);
        let channel = split.as_ref().ok().and_then(|(channel, _)| *channel);
        let input = split.and_then(|(_, rest)| match line.whole {
            true => Input::parse(asked, rest),
            false => Err(Malformed::Line),
        });
        let user = input.as_ref().ok().and_then(Input::user);
        let user = user.map(str::to_owned);
        let client = input.as_ref().ok().and_then(|input| input.client);
        if let Err(Malformed::Condition(error)) = &input {
            self.site
                .log
                .error(&format!("an acl line of squid.conf: {error}"));
        }
        let verdict = match (input, self.site.open()) {
            (Err(_), _) => Verdict::Denied(Reason::Malformed),
            (Ok(_), Err(unavailable)) => unavailable.into(),
            (Ok(input), Ok(site)) => ask(site, asked, input, arrived),
        };
        self.site.log.decision(&Decision {
            user: user.as_deref(),
            client,
            verdict: &verdict,
            took: arrived.elapsed(),
        });
        Answer::new(asked, &verdict).encode(channel)
    }
}

fn ask(site: &mut Open, asked: &Asked, input: Input, arrived: Instant) -> Verdict {
    if matches!(asked, Asked::Session { .. })
        && let Some(unavailable) = site.no_sessions()
    {
        return unavailable.into();
    }
    match input.question(site.configuration.session_cookie()) {
        Ok(question) => {
            let deadline = site.deadline(arrived);
            site.ask(question, deadline)
        }
        Err(reason) => Verdict::Denied(reason),
    }
}
