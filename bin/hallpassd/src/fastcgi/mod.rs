//! Serves FastCGI as an authorizer, for Apache's mod_authnz_fcgi and others: one request at a time
//! on each connection.

mod answer;
pub(crate) mod conversation;
mod pairs;
pub(crate) mod record;
pub(crate) mod request;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use zeroize::Zeroize;

use self::answer::answer;
use self::conversation::{Conversation, Event};
use self::request::Request;
use crate::endpoint::{Caller, Endpoint, Shutdown};
use crate::site::Inquiry;
use crate::sockets::{Stream, readable};

/// The endpoint.
pub static ENDPOINT: Endpoint = Endpoint {
    key: "fastcgi",
    word: "fastcgi",
    has_paths: false,
    listeners: |daemon| &daemon.fastcgi,
    serve: |stream, caller, shutdown| Box::pin(serve(stream, caller, shutdown)),
};

/// How long a server may keep a new connection without a request: servers connect to send one.
const FIRST: Duration = Duration::from_secs(5);
/// How long it may take to send a request, and to take an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may keep a connection between two requests.
const IDLE: Duration = Duration::from_secs(60);
/// How many bytes are read at a time.
const PIECE: usize = 16 * 1024;

async fn serve(stream: Stream, caller: Caller, mut shutdown: Shutdown) {
    let mut connection = Connection {
        stream,
        conversation: Conversation::default(),
    };
    let mut idle_until = Instant::now() + FIRST;
    let mut until = idle_until;
    let mut in_request = false;
    loop {
        match connection.answer_all(&caller).await {
            Ok(Next::Read { ended }) => {
                // The time of a request begins with its first byte, however slowly the others come.
                // Only the end of a request gives the connection more.
                let begun = !connection.conversation.is_idle();
                let now = Instant::now();
                if ended {
                    idle_until = now + IDLE;
                }
                if !begun {
                    until = idle_until;
                } else if !in_request || ended {
                    until = now + READ_TIMEOUT;
                }
                in_request = begun;
            }
            Ok(Next::Close) => return,
            Err(error) => {
                let warning = format!("a FastCGI connection: {error}");
                caller.site().log.warning(&warning);
                return;
            }
        }
        let read = shutdown.or(timeout_at(until, connection.read())).await;
        if !matches!(read, Some(Ok(true))) {
            return;
        }
    }
}

struct Connection {
    stream: Stream,
    conversation: Conversation,
}

enum Next {
    Close,
    Read {
        /// Whether a request has ended.
        ended: bool,
    },
}

impl Connection {
    /// Answers everything that has come in.
    async fn answer_all(&mut self, caller: &Caller) -> Result<Next, anyhow::Error> {
        // Kept until the answer has been sent.
        let mut in_progress = None;
        while !self.conversation.is_over()
            && let Some(event) = self.conversation.event()?
        {
            if let Event::Ask(parameters) = event {
                let request = Request::parse(&parameters)?;
                in_progress = Some(caller.slot.begin_request());
                tokio::select! {
                    answer = ask(&request, caller) => self.conversation.answer(&answer),
                    close = self.aborted() => if close? {
                        return Ok(Next::Close);
                    }
                }
            }
        }
        let output = self.conversation.output();
        let written = timeout(READ_TIMEOUT, self.stream.write_all(&output)).await;
        drop(in_progress);
        match written {
            Ok(Ok(())) if !self.conversation.is_over() => Ok(Next::Read {
                ended: self.conversation.has_ended_request(),
            }),
            _ => Ok(Next::Close),
        }
    }

    /// Returns when the request in progress needs no answer any more. True if the connection is to
    /// be closed, because the server has hung up, or asks for more meanwhile than it reads; false
    /// if the server has only aborted the request.
    async fn aborted(&mut self) -> Result<bool, conversation::Error> {
        loop {
            if !self.read().await {
                return Ok(true);
            }
            while let Some(event) = self.conversation.event()? {
                if event == Event::Abort {
                    return Ok(false);
                }
            }
            if self.conversation.is_overfull() {
                return Ok(true);
            }
        }
    }

    /// Reads the bytes that have arrived. Returns whether there were any.
    async fn read(&mut self) -> bool {
        if readable(&self.stream).await.is_err() {
            return false;
        }
        let mut piece = vec![0; PIECE];
        match self.stream.read(&mut piece).await {
            Ok(count) if count > 0 => {
                let bytes = piece.get_mut(..count).unwrap_or_default();
                self.conversation.receive(bytes);
                // It may hold a password.
                bytes.zeroize();
                true
            }
            _ => false,
        }
    }
}

async fn ask(request: &Request<'_>, caller: &Caller) -> Vec<u8> {
    let site = caller.site();
    let daemon = &site.configuration.daemon;
    let client = request.client(site.trusts(caller.peer));
    let inquiry = Inquiry {
        vouches: daemon.vouches(&caller.listener),
        ..Inquiry::new(ENDPOINT.word, request.shown(&site.accepting()), client)
    };
    let verdict = site.decide(inquiry).await;
    let (login_url, challenge) = (daemon.login_url.as_deref(), site.challenge());
    answer(&verdict, request, login_url, challenge.as_deref())
}
