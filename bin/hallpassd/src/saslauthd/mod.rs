//! Serves saslauthd's protocol, for Postfix, Cyrus, OpenLDAP and others: one request a connection.

pub(crate) mod protocol;

use std::time::Duration;

use hallpass_core::{Secret, Verdict};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use zeroize::Zeroizing;

use self::protocol::{Request, answer, parse};
use crate::endpoint::{Caller, Endpoint, Shutdown};
use crate::sasl;
use crate::slots::InProgress;
use crate::sockets::Stream;

/// The endpoint.
pub static ENDPOINT: Endpoint = Endpoint {
    key: "saslauthd",
    word: "saslauthd",
    has_paths: false,
    listeners: |daemon| &daemon.saslauthd,
    serve: |stream, caller, shutdown| Box::pin(serve(stream, caller, shutdown)),
};

/// How long a client may take to ask, and to hang up.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Room for the longest request.
const ROOM: usize = 48 * 1024;

/// Answers the request of one connection. Where there is no verdict, the connection is closed
/// without an answer, which clients distinguish from a refusal.
async fn serve(mut stream: Stream, caller: Caller, mut shutdown: Shutdown) {
    let Some(Ok(Ok(request))) = shutdown.or(timeout(READ_TIMEOUT, read(&mut stream))).await else {
        return;
    };
    let in_progress = caller.slot.begin_request();
    let granted = match request {
        Some(request) => ask(&request, &caller).await,
        None => Some(false),
    };
    let Some(granted) = granted else {
        return;
    };
    drop(
        timeout(
            READ_TIMEOUT,
            finish(&mut stream, answer(granted), in_progress),
        )
        .await,
    );
}

/// Sends the answer and waits until the client hangs up: a connection that is closed with unread
/// bytes of the client's would take the answer with it.
async fn finish(
    stream: &mut Stream,
    answer: &[u8],
    in_progress: InProgress,
) -> std::io::Result<()> {
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    drop(in_progress);
    let mut rest = [0; 256];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// Reads a request; `None` for an invalid one.
async fn read(stream: &mut Stream) -> std::io::Result<Option<Request>> {
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

/// Whether the login is granted; `None` where that is unavailable.
async fn ask(request: &Request, caller: &Caller) -> Option<bool> {
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
    let name = match realm {
        "" => name.to_owned(),
        realm => format!("{name}@{realm}"),
    };
    let password = Secret::new(&*request.password);
    let service = Some(service);
    let site = caller.site();
    let (peer, client) = (caller.peer, request.client);
    let inquiry = sasl::login(&ENDPOINT, &site, peer, &name, password, service, client);
    match site.decide(inquiry).await {
        Verdict::Granted(_) => Some(true),
        Verdict::Denied(_) => Some(false),
        Verdict::Unavailable(_) => None,
    }
}
