//! A FastCGI authorizer: Apache's mod_authnz_fcgi and others ask, one request at a time on each
//! connection.

mod answer;
pub(crate) mod conversation;
mod pairs;
pub(crate) mod record;
pub(crate) mod request;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use zeroize::{Zeroize, Zeroizing};

use self::answer::answer;
use self::conversation::{Conversation, Event};
use self::request::Request;
use crate::connections::{Caller, Ended};
use crate::door::Door;
use crate::http::Accepting;
use crate::site::{Asking, Site};

/// How long a server may keep a new connection without a word: it connects to ask.
const FIRST: Duration = Duration::from_secs(5);
/// How long it may take to send a request, and to take an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may keep a connection between two requests.
const IDLE: Duration = Duration::from_secs(60);
/// How many bytes are read at a time.
const PIECE: usize = 16 * 1024;

/// Serves one connection until it is closed or broken, or the daemon is told to end.
pub async fn serve<S>(stream: S, site: &Site, caller: &Caller, mut ended: Ended)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = Connection {
        stream,
        conversation: Conversation::default(),
        piece: Zeroizing::new(vec![0; PIECE]),
    };
    let mut idle_until = Instant::now() + FIRST;
    let mut until = idle_until;
    let mut in_request = false;
    loop {
        match connection.answer_all(site, caller).await {
            Ok(Next::Read { ended }) => {
                // A request has its time from its first byte on, however slowly the others come.
                // Nothing but the end of one gives the connection more.
                let begun = !connection.conversation.is_idle();
                let now = Instant::now();
                if ended {
                    idle_until = now + IDLE;
                }
                if !begun {
                    until = idle_until;
                } else if !in_request || ended {
                    until = now + PATIENCE;
                }
                in_request = begun;
            }
            Ok(Next::Close) => return,
            Err(error) => {
                site.log.warning(&format!("a FastCGI connection: {error}"));
                return;
            }
        }
        let read = ended.or(timeout_at(until, connection.read())).await;
        if !matches!(read, Some(Ok(true))) {
            return;
        }
    }
}

struct Connection<S> {
    stream: S,
    conversation: Conversation,
    piece: Zeroizing<Vec<u8>>,
}

enum Next {
    Close,
    Read {
        /// Whether a request has ended.
        ended: bool,
    },
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Answers everything that has come in.
    async fn answer_all(&mut self, site: &Site, caller: &Caller) -> Result<Next, anyhow::Error> {
        // Until what is said has been sent.
        let mut in_progress = None;
        while !self.conversation.is_over()
            && let Some(event) = self.conversation.event()?
        {
            if let Event::Ask(parameters) = event {
                let request = Request::parse(&parameters)?;
                in_progress = Some(caller.place.asking());
                tokio::select! {
                    answer = ask(&request, site, caller) => self.conversation.answer(&answer),
                    close = self.aborted() => if close? {
                        return Ok(Next::Close);
                    }
                }
            }
        }
        let output = self.conversation.output();
        let written = timeout(PATIENCE, self.stream.write_all(&output)).await;
        drop(in_progress);
        match written {
            Ok(Ok(())) if !self.conversation.is_over() => Ok(Next::Read {
                ended: self.conversation.has_ended_request(),
            }),
            _ => Ok(Next::Close),
        }
    }

    /// Returns when the question that is being asked is not to be answered any more: whether the
    /// connection is to be closed, since the server has hung up or wants more told meanwhile than it
    /// is sent, or else the server has only taken the question back.
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

    /// Reads what has come in; whether anything has.
    async fn read(&mut self) -> bool {
        match self.stream.read(&mut self.piece).await {
            Ok(count) if count > 0 => {
                let bytes = self.piece.get_mut(..count).unwrap_or_default();
                self.conversation.receive(bytes);
                // A password may be in it, and the next piece long in coming.
                bytes.zeroize();
                true
            }
            _ => false,
        }
    }
}

async fn ask(request: &Request<'_>, site: &Site, caller: &Caller) -> Vec<u8> {
    let asking = Asking {
        vouches: site.configuration.daemon.vouches(&caller.at),
        ..Asking::new(Door::Fastcgi, request.client(site.trusts(caller.peer)))
    };
    let shown = request.shown(&Accepting::by(site));
    let verdict = site.decide(shown, asking).await;
    answer(&verdict, request, site)
}
