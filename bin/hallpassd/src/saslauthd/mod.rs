//! saslauthd's place: Postfix, Cyrus, OpenLDAP and others ask, one question a connection.

pub(crate) mod protocol;

use std::time::Duration;

use hallpass_core::{ClaimedName, Client, Credential, Secret, Verdict};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use zeroize::Zeroizing;

use self::protocol::{Request, answer, parse};
use crate::connections::{Caller, Ended};
use crate::crowd::InProgress;
use crate::door::Door;
use crate::sasl::without_realm;
use crate::site::{Asking, Shown, Site};

/// How long a client may take to ask, and to hang up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Room for the longest request.
const ROOM: usize = 48 * 1024;

/// Answers the question of one connection. Where there is no answer, the connection is closed
/// without one, which clients tell from a refusal.
pub async fn serve<S>(mut stream: S, site: &Site, caller: &Caller, mut ended: Ended)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(Ok(Ok(asked))) = ended.or(timeout(PATIENCE, read(&mut stream))).await else {
        return;
    };
    let in_progress = caller.place.asking();
    let granted = match asked {
        Some(request) => ask(&request, site, caller).await,
        None => Some(false),
    };
    let Some(granted) = granted else {
        return;
    };
    drop(timeout(PATIENCE, finish(&mut stream, answer(granted), in_progress)).await);
}

/// Sends the answer and waits until the client hangs up: a connection that is closed while
/// something of the client's is unread would take the answer with it.
async fn finish<S>(stream: &mut S, answer: &[u8], in_progress: InProgress) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    drop(in_progress);
    let mut rest = [0; 256];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// Reads a request; `None` for what is none.
async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<Option<Request>> {
    let mut bytes = Zeroizing::new(vec![0; ROOM]);
    let mut length = 0;
    loop {
        let room = bytes.get_mut(length..).unwrap_or_default();
        match stream.read(room).await? {
            // A client that hangs up waits for no answer.
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => length += count,
        }
        match parse(bytes.get(..length).unwrap_or_default()) {
            Ok(None) if length < ROOM => {}
            Ok(Some(request)) => return Ok(Some(request)),
            Ok(None) | Err(_) => return Ok(None),
        }
    }
}

/// Whether the site lets them in; `None` when that cannot be said.
async fn ask(request: &Request, site: &Site, caller: &Caller) -> Option<bool> {
    let (Ok(name), Ok(realm), Ok(service)) = (
        std::str::from_utf8(&request.name),
        std::str::from_utf8(&request.realm),
        std::str::from_utf8(&request.service),
    ) else {
        return Some(false);
    };
    if name.is_empty() || request.password.is_empty() {
        return Some(false);
    }
    // The client has split the name at its last `@`.
    let whole = match realm {
        "" => name.to_owned(),
        realm => format!("{name}@{realm}"),
    };
    let daemon = &site.configuration.daemon;
    let name = without_realm(&whole, &daemon.sasl_realms).to_owned();
    let whole_name = (whole != name).then_some(whole);
    let password = Credential::Password(Secret::new(&*request.password));
    let shown = Shown::of(ClaimedName::Named(name), password);
    let client = request.client.filter(|_| site.trusts(caller.peer));
    let asking = Asking {
        host: Some(service),
        for_paths: true,
        whole_name,
        ..Asking::new(Door::Saslauthd, Client::at(client))
    };
    let verdict = site.decide(Ok(shown), asking).await;
    match verdict {
        Verdict::Granted(_) => Some(true),
        Verdict::Denied(_) => Some(false),
        Verdict::Unavailable(_) => None,
    }
}
