//! Dovecot's place: Postfix, Exim, Prosody and others ask, many questions on a connection.

pub(crate) mod protocol;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hallpass_core::{ClaimedName, Client, Credential, Verdict};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use zeroize::{Zeroize, Zeroizing};

use self::protocol::{Conversation, Event, Login, Number, greeting};
use crate::connections::{Caller, Ended};
use crate::crowd::InProgress;
use crate::door::Door;
use crate::sasl::without_realm;
use crate::site::{Asking, Shown, Site};

/// How long a host may take to take what is sent.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a host may take to say who it is.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long it may keep a connection on which nothing is said. Hosts connect anew.
const IDLE: Duration = Duration::from_secs(600);
/// How many bytes are read at a time.
const PIECE: usize = 4096;

/// Connections have numbers of their own.
static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

/// A login that has been decided.
struct Decided {
    number: Number,
    name: String,
    verdict: Verdict,
    /// To be kept until the answer has been sent.
    in_progress: InProgress,
}

/// Serves one connection until it is closed or broken, or the daemon is told to end, and then until
/// what was asked is answered.
pub async fn serve<S>(mut stream: S, site: &Arc<Site>, caller: &Caller, mut ended: Ended)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut cookie = [0; 16];
    if let Err(error) = getrandom::fill(&mut cookie) {
        site.log
            .error(&format!("the system gives no random numbers: {error}"));
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
    let mut asked: BTreeMap<Number, AbortHandle> = BTreeMap::new();
    let mut ending = false;
    let mut until = Instant::now() + HANDSHAKE;
    while !(ending && deciding.is_empty()) {
        let mut in_progress = None;
        tokio::select! {
            () = ended.wait(), if !ending => ending = true,
            () = sleep_until(until), if deciding.is_empty() => return,
            Some(decided) = deciding.join_next() => {
                // One that was cancelled has no verdict.
                if let Ok(decided) = decided {
                    asked.remove(&decided.number);
                    tell(&mut conversation, &decided);
                    in_progress = Some(decided.in_progress);
                }
            }
            read = stream.read(&mut piece), if !ending => match read {
                Ok(count) if count > 0 => {
                    let bytes = piece.get_mut(..count).unwrap_or_default();
                    conversation.receive(bytes);
                    // A password may be in it, and the next piece long in coming.
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
                    let trusted = site.trusts(caller.peer);
                    let decision = decide(Arc::clone(site), login, trusted, caller.place.asking());
                    asked.insert(number, deciding.spawn(decision));
                }
                Ok(Some(Event::Cancel(number))) => {
                    if let Some(decision) = asked.remove(&number) {
                        decision.abort();
                    }
                }
                Err(error) => {
                    site.log
                        .warning(&format!("a connection for Dovecot: {error}"));
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

/// Sends `text`; whether it was taken.
async fn send<S: AsyncWrite + Unpin>(stream: &mut S, text: &str) -> bool {
    let sent = timeout(PATIENCE, stream.write_all(text.as_bytes())).await;
    matches!(sent, Ok(Ok(())))
}

async fn decide(site: Arc<Site>, login: Login, trusted: bool, in_progress: InProgress) -> Decided {
    let Login {
        number,
        name,
        password,
        client,
        service,
    } = login;
    let local = without_realm(&name, &site.configuration.daemon.sasl_realms);
    let whole_name = (local != name).then(|| name.clone());
    let local = ClaimedName::Named(local.to_owned());
    let shown = Shown::of(local, Credential::Password(password));
    let asking = Asking {
        host: service.as_deref(),
        for_paths: true,
        whole_name,
        ..Asking::new(Door::DovecotAuth, Client::at(client.filter(|_| trusted)))
    };
    let verdict = site.decide(Ok(shown), asking).await;
    Decided {
        number,
        name,
        verdict,
        in_progress,
    }
}

fn tell(conversation: &mut Conversation, decided: &Decided) {
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
