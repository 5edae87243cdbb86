//! The loop: a line in, a line out, one at a time and in order, until the input ends.

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::Instant;

use clap::Parser;
use clap::error::ErrorKind;
use hallpass_core::{Reason, Unavailable, Verdict};
use hallpass_program::log::Decision;
use hallpass_program::{ConditionArguments, on_terminate};
use zeroize::Zeroizing;

use crate::answer::Answer;
use crate::line::{Decoder, Line, split_channel};
use crate::options::{Asked, Options};
use crate::question::{self, Input, Malformed};
use crate::site::{Site, Source};

/// How many lines are read ahead. With `concurrency=`, Squid does not wait for answers.
const MOST_WAITING: usize = 64;

/// What the loop waits for.
enum Event {
    Line(Line, Instant),
    End,
}

pub fn main() -> ExitCode {
    let mut server = match Options::try_parse() {
        Ok(options) if options.common.check_config => return options.common.check(2),
        Ok(options) => Server {
            asked: Some(options.asked.unwrap_or(Asked::Basic {
                client: false,
                conditions: ConditionArguments::default(),
            })),
            site: Site::new(Source::File(options.common)),
        },
        Err(error) => {
            let asked = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            if asked || std::io::stdin().is_terminal() {
                error.exit();
            }
            // Helpers that end at once, again and again, end Squid.
            Server {
                asked: None,
                site: Site::new(Source::Unusable(error.kind().to_string())),
            }
        }
    };
    let (events, received) = mpsc::sync_channel(MOST_WAITING);
    let terminate = events.clone();
    let log = &server.site.log;
    if let Err(error) = on_terminate(move || drop(terminate.send(Event::End))) {
        log.warning(&format!("cannot catch SIGTERM: {error}"));
    }
    let reader = thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || read(&events));
    if let Err(error) = reader {
        log.error(&format!("cannot start a thread: {error}"));
        return ExitCode::FAILURE;
    }
    for event in received {
        let Event::Line(line, arrived) = event else {
            break;
        };
        let answer = server.answer(&line, arrived);
        let mut output = std::io::stdout();
        let written = output.write_all(answer.as_bytes());
        if let Err(error) = written.and_then(|()| output.flush()) {
            let log = &server.site.log;
            log.error(&format!("cannot write the answer: {error}"));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Reads lines until the input ends. What is left of a line then was never asked.
fn read(events: &SyncSender<Event>) {
    let mut decoder = Decoder::default();
    let mut input = std::io::stdin().lock();
    let mut bytes = Zeroizing::new([0; 16 * 1024]);
    loop {
        let read = match input.read(&mut *bytes) {
            Ok(0) => break,
            Ok(count) => bytes.get(..count).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let send = |line| events.send(Event::Line(line, Instant::now())).is_ok();
        if !decoder.push(read, send) {
            return;
        }
    }
    // The loop may have ended already.
    drop(events.send(Event::End));
}

struct Server {
    /// What is asked; `None` when the command line does not say.
    asked: Option<Asked>,
    site: Site,
}

impl Server {
    /// The answer to `line`, its end included.
    fn answer(&mut self, line: &Line, arrived: Instant) -> String {
        let Some(asked) = &self.asked else {
            let channel = split_channel(&line.bytes).map(|(channel, _)| channel);
            return Answer::Unknown.encode(channel);
        };
        let split = question::channel(asked, line);
        let channel = split.as_ref().ok().and_then(|(channel, _)| *channel);
        let input = split.and_then(|(_, rest)| match line.whole {
            true => Input::parse(asked, rest),
            false => Err(Malformed),
        });
        let user = input.as_ref().ok().and_then(Input::user);
        let user = user.map(str::to_owned);
        let client = input.as_ref().ok().and_then(|input| input.client);
        let verdict = match (input, self.site.open()) {
            (Err(Malformed), _) => Verdict::Denied(Reason::Malformed),
            (Ok(_), Err(unavailable)) => unavailable.into(),
            (Ok(_), Ok(site))
                if matches!(asked, Asked::Session(_)) && !site.configuration.reads_sessions() =>
            {
                let message = "sessions cannot be read without secret_key in the configuration";
                Unavailable::new(message).into()
            }
            (Ok(input), Ok(site)) => match input.question(site.configuration.session_cookie()) {
                Ok(question) => site.ask(question, arrived),
                Err(reason) => Verdict::Denied(reason),
            },
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
