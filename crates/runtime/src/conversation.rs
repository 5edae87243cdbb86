//! The loop of a program that a host keeps running: a message in, an answer out, one at a time and
//! in order, until the input ends.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::Instant;

use zeroize::{Zeroize, Zeroizing};

use crate::{Log, on_terminate};

/// How many messages are read ahead. Most hosts wait for an answer before they ask again.
const MOST_WAITING: usize = 64;

/// Puts messages together from bytes that come in pieces of any size.
pub trait Framing {
    /// What it puts together.
    type Message;

    /// Takes the bytes that were read, and gives each message that they end to `found`, which says
    /// whether to go on.
    fn push(&mut self, bytes: &[u8], found: &mut dyn FnMut(Self::Message) -> bool) -> bool;
}

/// What answers.
pub trait Helper {
    /// What it is asked.
    type Message;

    /// The answer's bytes to `message`, which came in at `arrived`.
    fn answer(&mut self, message: Self::Message, arrived: Instant) -> Vec<u8>;

    /// Where it writes what goes wrong.
    fn log(&self) -> &Log;
}

/// What the loop waits for.
enum Event<M> {
    Message(M, Instant),
    End,
}

/// Answers what comes by standard input on standard output, each answer in one piece, until the
/// input ends or the program is told to end: then the answer in progress is finished.
pub fn converse<F>(framing: F, helper: &mut impl Helper<Message = F::Message>) -> ExitCode
where
    F: Framing + Send + 'static,
    F::Message: Send + 'static,
{
    let (events, received) = mpsc::sync_channel(MOST_WAITING);
    let terminate = events.clone();
    if let Err(error) = on_terminate(move || drop(terminate.send(Event::End))) {
        let log = helper.log();
        log.warning(&format!("cannot catch SIGTERM: {error}"));
    }
    let reader = thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || read(framing, &events));
    if let Err(error) = reader {
        let log = helper.log();
        log.error(&format!("cannot start a thread: {error}"));
        return ExitCode::FAILURE;
    }
    for event in received {
        let Event::Message(message, arrived) = event else {
            break;
        };
        let answer = helper.answer(message, arrived);
        let mut output = std::io::stdout().lock();
        if let Err(error) = output.write_all(&answer).and_then(|()| output.flush()) {
            let log = helper.log();
            log.error(&format!("cannot write the answer: {error}"));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Reads messages until the input ends. What is left of a message then was never asked.
fn read<F: Framing>(mut framing: F, events: &SyncSender<Event<F::Message>>) {
    let mut input = std::io::stdin().lock();
    let mut bytes = Zeroizing::new([0; 16 * 1024]);
    loop {
        let read = match input.read(&mut *bytes) {
            Ok(0) => break,
            Ok(count) => bytes.get_mut(..count).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let mut send = |message| events.send(Event::Message(message, Instant::now())).is_ok();
        let goes_on = framing.push(read, &mut send);
        // A password may be in it, and the next message, which would overwrite it, may be long in
        // coming.
        read.zeroize();
        if !goes_on {
            return;
        }
    }
    // The loop may have ended already.
    drop(events.send(Event::End));
}
