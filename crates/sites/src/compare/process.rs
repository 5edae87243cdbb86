//! Runs a site's own software, and holds a conversation with it.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::Software;
use super::protocol::{
    About, Answer, Gathering, LONGEST_LIST, Lines, Listing, Question, TooMuch, Unlisted, line, read,
};
use crate::init::{child, duration};

/// How much of its complaints is kept.
const COMPLAINTS: usize = 4096;
/// How many lines may wait to be read. A software that is faster waits.
const WAITING: usize = 16;
/// How long is waited for the end of a software that has closed its output.
const PARTING: Duration = Duration::from_secs(2);

/// A site's own software, running. It is ended when this is dropped, with all that it has started.
pub struct OwnSoftware {
    /// What it says of itself.
    pub about: About,
    conversation: Conversation,
}

struct Conversation {
    child: Child,
    /// Lines that a thread writes: one that does not read holds up nobody.
    questions: Sender<Zeroizing<Vec<u8>>>,
    answers: Receiver<Result<Zeroizing<Vec<u8>>, TooMuch>>,
    complaints: Option<Receiver<Vec<u8>>>,
    /// The interpreter, and the option that names another.
    name: String,
    option: &'static str,
    timeout: Duration,
}

impl OwnSoftware {
    /// Starts `software`, and waits until it has loaded the site.
    ///
    /// # Errors
    /// When there is no such interpreter, the site does not load, or what runs there does not
    /// answer, with what it complained of.
    pub fn start(software: &Software) -> anyhow::Result<Self> {
        let mut conversation = Conversation::start(software)?;
        conversation.send(line(&software.script)?);
        let about = conversation.receive("loaded the site")?;
        Ok(Self {
            about,
            conversation,
        })
    }

    /// Its answer to `question`.
    ///
    /// # Errors
    /// When it ends, falls silent, or says what is no answer.
    pub fn ask<T: DeserializeOwned>(
        &mut self,
        question: &Question<'_>,
    ) -> anyhow::Result<Answer<T>> {
        self.conversation.send(line(question)?);
        self.conversation.receive("answered")
    }

    /// Its answer to [`Question::List`], however many lines that takes.
    ///
    /// # Errors
    /// As of [`OwnSoftware::ask`], for each line; and when there is more than can be kept.
    pub fn list(&mut self, question: &Question<'_>) -> anyhow::Result<Answer<Listing>> {
        self.conversation.send(line(question)?);
        let mut list = Gathering::new(LONGEST_LIST);
        loop {
            let line = self.conversation.line("listed its accounts and sessions")?;
            match list.push(&line) {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(Unlisted::NotAnAnswer(error)) => {
                    return Err(self.conversation.not_an_answer(&error));
                }
                Err(Unlisted::TooLong) => {
                    return Err(self.conversation.failure(
                        "lists more than 1 GiB of accounts and sessions; --accounts and --sessions \
                         name how many are compared",
                    ));
                }
            }
        }
    }
}

impl Conversation {
    fn start(software: &Software) -> anyhow::Result<Self> {
        let name = software.interpreter.display().to_string();
        let mut child = Command::new(&software.interpreter)
            .args(&software.arguments)
            .envs(
                software
                    .environment
                    .iter()
                    .map(|(key, value)| (key, value.as_str())),
            )
            .current_dir(&software.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // With all that it starts, it can be ended.
            .process_group(0)
            .spawn()
            .with_context(|| {
                format!(
                    "cannot run {name}; {} names the site's own",
                    software.option
                )
            })?;
        let (answers, receiver) = sync_channel(WAITING);
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || listen(output, &answers));
        }
        let complaints = child.stderr.take().map(keep_end);
        let (questions, lines) = channel();
        if let Some(input) = child.stdin.take() {
            thread::spawn(move || write(input, &lines));
        }
        Ok(Self {
            questions,
            child,
            answers: receiver,
            complaints,
            name,
            option: software.option,
            timeout: software.timeout,
        })
    }

    fn send(&self, line: Zeroizing<Vec<u8>>) {
        // One that does not read says why when it ends.
        drop(self.questions.send(line));
    }

    /// The next answer. `doing` is what it has not done where there is none in time.
    fn receive<T: DeserializeOwned>(&mut self, doing: &str) -> anyhow::Result<T> {
        let line = self.line(doing)?;
        read(&line).map_err(|error| self.not_an_answer(&error))
    }

    fn not_an_answer(&mut self, error: &serde_json::Error) -> anyhow::Error {
        let place = format!("says what is not an answer (column {})", error.column());
        self.failure(&place)
    }

    /// The next line. `doing` is what the software has not done where there is none in time.
    fn line(&mut self, doing: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        match self.answers.recv_timeout(self.timeout) {
            Ok(Ok(line)) => Ok(line),
            Ok(Err(TooMuch)) => Err(self.failure("prints more than answers")),
            Err(RecvTimeoutError::Timeout) => {
                let long = duration(self.timeout);
                let problem =
                    format!("has not {doing} within {long}; --timeout gives it more time");
                Err(self.failure(&problem))
            }
            Err(RecvTimeoutError::Disconnected) => {
                let problem = match self.parting() {
                    Some(signal) => format!("was ended by signal {signal}"),
                    None => format!(
                        "has ended before it {doing}; {} names the site's own",
                        self.option
                    ),
                };
                Err(self.failure(&problem))
            }
        }
    }

    /// Waits for the end of the software, and gives the signal that ended it.
    fn parting(&mut self) -> Option<i32> {
        let started = Instant::now();
        while started.elapsed() < PARTING {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.signal();
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// Ends the software, and says what it complained of.
    fn failure(&mut self, problem: &str) -> anyhow::Error {
        child::end(&self.child);
        let complaints = self.complaints.take();
        let complaints = complaints.and_then(|it| it.recv_timeout(PARTING).ok());
        let complaints = child::words(&complaints.unwrap_or_default());
        anyhow!("{} {problem}{complaints}", self.name)
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        child::end(&self.child);
        drop(self.child.wait());
    }
}

/// Writes `lines` until there are no more, or nobody reads them.
fn write(mut input: impl Write, lines: &Receiver<Zeroizing<Vec<u8>>>) {
    while let Ok(line) = lines.recv() {
        if input.write_all(&line).and_then(|()| input.flush()).is_err() {
            return;
        }
    }
}

/// Passes the answers in `output` on to its end.
fn listen(mut output: impl Read, answers: &SyncSender<Result<Zeroizing<Vec<u8>>, TooMuch>>) {
    let mut lines = Lines::default();
    let mut buffer = Zeroizing::new(vec![0; 64 << 10]);
    loop {
        let read = match output.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        match lines.push(buffer.get(..read).unwrap_or_default()) {
            Ok(found) => {
                for line in found {
                    if answers.send(Ok(line)).is_err() {
                        return;
                    }
                }
            }
            Err(TooMuch) => {
                drop(answers.send(Err(TooMuch)));
                return;
            }
        }
    }
}

/// Reads `pipe` to its end, so that no writer blocks on it, and keeps the last bytes.
fn keep_end(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            kept.extend_from_slice(buffer.get(..read).unwrap_or_default());
            let surplus = kept.len().saturating_sub(COMPLAINTS);
            kept.drain(..surplus);
        }
        drop(sender.send(kept));
    });
    receiver
}
