//! Serves Dovecot's auth-client protocol, for Postfix, Exim and Prosody. Requests on one connection
//! may overlap.

pub(crate) mod protocol;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hallpass_core::Verdict;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use zeroize::{Zeroize, Zeroizing};

use self::protocol::{Conversation, Event, Login, Number, greeting};
use crate::endpoint::{Caller, Endpoint, Shutdown};
use crate::sasl;
use crate::slots::InProgress;
use crate::sockets::Stream;

/// The endpoint.
pub static ENDPOINT: Endpoint = Endpoint {
    key: "dovecot_auth",
    word: "dovecot-auth",
    has_paths: false,
    listeners: |daemon| &daemon.dovecot_auth,
    serve: |stream, caller, shutdown| Box::pin(serve(stream, caller, shutdown)),
};

/// How long a host may take to read what is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a host may take for the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long it may keep an idle connection. Hosts reconnect.
const IDLE: Duration = Duration::from_secs(600);
/// How many bytes are read at a time.
const PIECE: usize = 4096;

/// The number of the next connection.
static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

/// A login that has been decided.
struct Decided {
    number: Number,
    name: String,
    verdict: Verdict,
    /// Kept until the answer has been sent.
    in_progress: InProgress,
}

async fn serve(mut stream: Stream, caller: Caller, mut shutdown: Shutdown) {
    let mut cookie = [0; 16];
    if let Err(error) = getrandom::fill(&mut cookie) {
        let log = &caller.site().log;
        log.error(&format!("the system gives no random numbers: {error}"));
        return;
    }
    let connection = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let hello = greeting(std::process::id(), connection, &cookie);
    if !send(&mut stream, &hello).await {
        return;
    }
    let mut conversation = Conversation::default();
    let mut piece = Zeroizing::new(vec![0; PIECE]);
    let mut deciding: JoinSet<Decided> = JoinSet::new();
    let mut open: BTreeMap<Number, AbortHandle> = BTreeMap::new();
    let mut ending = false;
    let mut until = Instant::now() + HANDSHAKE;
    while !(ending && deciding.is_empty()) {
        let mut in_progress = None;
        tokio::select! {
            () = shutdown.wait(), if !ending => ending = true,
            () = sleep_until(until), if deciding.is_empty() => return,
            Some(decided) = deciding.join_next() => {
                // One that was cancelled has no verdict.
                if let Ok(decided) = decided {
                    open.remove(&decided.number);
                    answer(&mut conversation, &decided);
                    in_progress = Some(decided.in_progress);
                }
            }
            read = stream.read(&mut piece), if !ending => match read {
                Ok(count) if count > 0 => {
                    let bytes = piece.get_mut(..count).unwrap_or_default();
                    conversation.receive(bytes);
                    // It may hold a password, and the next piece may come late.
                    bytes.zeroize();
                }
                _ => return,
            },
        }
        loop {
            match conversation.event() {
                Ok(None) => break,
                Ok(Some(Event::Ask(login))) => {
                    let number = login.number;
                    let decision = decide(caller.clone(), login, caller.slot.begin_request());
                    open.insert(number, deciding.spawn(decision));
                }
                Ok(Some(Event::Cancel(number))) => {
                    if let Some(decision) = open.remove(&number) {
                        decision.abort();
                    }
                }
                Err(error) => {
                    let log = &caller.site().log;
                    log.warning(&format!("a connection for Dovecot: {error}"));
                    return;
                }
            }
        }
        if !send(&mut stream, &conversation.output()).await {
            return;
        }
        drop(in_progress);
        if conversation.has_greeted() {
            until = Instant::now() + IDLE;
        }
    }
}

/// Sends `text`. Returns whether the host read it in time.
async fn send(stream: &mut Stream, text: &str) -> bool {
    let sent = timeout(WRITE_TIMEOUT, stream.write_all(text.as_bytes())).await;
    matches!(sent, Ok(Ok(())))
}

async fn decide(caller: Caller, login: Login, in_progress: InProgress) -> Decided {
    let Login {
        number,
        name,
        password,
        client,
        service,
    } = login;
    let service = service.as_deref();
    let site = caller.site();
    let peer = caller.peer;
    let inquiry = sasl::login(&ENDPOINT, &site, peer, &name, password, service, client);
    let verdict = site.decide(inquiry).await;
    Decided {
        number,
        name,
        verdict,
        in_progress,
    }
}

fn answer(conversation: &mut Conversation, decided: &Decided) {
    let Decided {
        number,
        name,
        verdict,
        ..
    } = decided;
    match verdict {
        Verdict::Granted(identity) => conversation.grant(*number, &identity.name),
        Verdict::Denied(_) => conversation.deny(*number, name),
        Verdict::Unavailable(_) => conversation.fail(*number, name),
    }
}
