//! Answers a host on standard input and output: messages in, answers out, in order, until the input
//! ends.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::Instant;

use zeroize::{Zeroize, Zeroizing};

use crate::{Log, on_terminate};

/// How many messages are read ahead. Most hosts wait for an answer before they ask again.
const MOST_WAITING: usize = 64;

/// Assembles messages from bytes that come in pieces of any size.
pub trait Framing {
    /// A whole message.
    type Message;

    /// Takes the bytes that were read, and passes each message that they complete to `found`, until
    /// it returns false; then returns false, too.
    fn push(&mut self, bytes: &[u8], found: &mut dyn FnMut(Self::Message) -> bool) -> bool;
}

/// Answers messages.
pub trait Handler {
    /// A whole message.
    type Message;

    /// The bytes of the answer to `message`, which arrived at `arrived`.
    fn answer(&mut self, message: Self::Message, arrived: Instant) -> Vec<u8>;

    /// The log for errors of input and output.
    fn log(&self) -> &Log;
}

enum Event<M> {
    Message(M, Instant),
    End,
}

/// Answers each message on standard input by one write to standard output, until the input ends or
/// a signal ends the program; the answer in progress is finished first.
pub fn converse<F>(framing: F, handler: &mut impl Handler<Message = F::Message>) -> ExitCode
where
    F: Framing + Send + 'static,
    F::Message: Send + 'static,
{
    let (events, received) = mpsc::sync_channel(MOST_WAITING);
    let terminate = events.clone();
    if let Err(error) = on_terminate(move || drop(terminate.send(Event::End))) {
        handler
            .log()
            .warning(&format!("cannot catch SIGTERM: {error}"));
    }
    let reader = thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || read(framing, &events));
    if let Err(error) = reader {
        handler
            .log()
            .error(&format!("cannot start a thread: {error}"));
        return ExitCode::FAILURE;
    }
    for event in received {
        let Event::Message(message, arrived) = event else {
            break;
        };
        let answer = handler.answer(message, arrived);
        let mut output = std::io::stdout().lock();
        if let Err(error) = output.write_all(&answer).and_then(|()| output.flush()) {
            handler
                .log()
                .error(&format!("cannot write the answer: {error}"));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Reads messages until the input ends. An incomplete message at the end is dropped.
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
        // The bytes may hold a password, and it may take long until others overwrite them.
        read.zeroize();
        if !goes_on {
            return;
        }
    }
    // Ignore a failed send: the conversation has already ended.
    drop(events.send(Event::End));
}
