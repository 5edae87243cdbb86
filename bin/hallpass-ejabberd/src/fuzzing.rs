//! Asserts what holds for every frame of ejabberd's and every name in it. Fuzz targets call these
//! functions, and the test below replays their corpora.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::time::Duration;

use hallpass_runtime::Framing;
use hallpass_runtime::jid::unescape;

use crate::kick::listed;
use crate::protocol::{Command, Decoder, Request};

/// Frames are the same in one piece and byte by byte; a request's fields are those of its message,
/// and a name that is escaped after XEP-0106 comes back. A list of connections holds those that
/// `user_resources` names, and each once.
pub fn ejabberd(input: &[u8]) {
    let whole = frames([input]);
    assert_eq!(whole, frames(input.chunks(1)));
    for message in &whole {
        if let Some(request) = Request::parse(message) {
            assert_eq!(written(&request), *message);
            if let Ok(user) = std::str::from_utf8(request.user) {
                assert!(unescape(user).len() <= user.len());
            }
        }
    }
    if let Ok(name) = std::str::from_utf8(input) {
        connections(name);
        if !name.contains('\\') {
            assert_eq!(unescape(name), name);
        }
        // Blanks at the ends have no escape.
        let name = name.trim_matches(' ');
        assert_eq!(unescape(&escape(name)), name);
    }
}

/// No line that a client writes into its presence adds a connection.
fn connections(text: &str) {
    let (lines, resources) = text.split_once('\0').unwrap_or((text, text));
    let mut named: Vec<&str> = resources.lines().collect();
    for stream in listed(lines, resources, Duration::ZERO) {
        let place = named.iter().position(|it| *it == stream.resource);
        named.swap_remove(place.unwrap());
    }
}

fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    for piece in pieces {
        decoder.push(piece, &mut |message| {
            found.push(message.to_vec());
            true
        });
    }
    found
}

/// The message that holds `request`.
fn written(request: &Request<'_>) -> Vec<u8> {
    let word = match request.command {
        Command::Authenticate => "auth",
        Command::Exists => "isuser",
        Command::SetPassword => "setpass",
        Command::Register => "tryregister",
        Command::Remove => "removeuser",
        Command::RemoveWithPassword => "removeuser3",
    };
    let mut fields = vec![word.as_bytes(), request.user, request.server];
    if !matches!(request.command, Command::Exists | Command::Remove) {
        fields.push(request.password);
    }
    fields.join(&b':')
}

/// Escapes everything that XEP-0106 has an escape for.
fn escape(name: &str) -> String {
    let escaped = |character| match character {
        ' ' | '"' | '&' | '\'' | '/' | ':' | '<' | '>' | '@' | '\\' => {
            format!("\\{:02x}", u32::from(character))
        }
        other => other.to_string(),
    };
    name.chars().map(escaped).collect()
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn properties_hold_for_the_corpora() {
    replay::replay("ejabberd", ejabberd);
}
