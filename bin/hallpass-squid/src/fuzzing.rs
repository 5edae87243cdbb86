//! Asserts what holds for every line of Squid's and every answer. Fuzz targets call these
//! functions, and the test below replays their corpora.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use hallpass_core::cookie::{self, Cookie, Reader};
use hallpass_core::{Credential, Identity, Verdict};
use hallpass_runtime::ConditionArguments;
use hallpass_runtime::lines::Line;
use zeroize::Zeroizing;

use crate::answer::Answer;
use crate::line::{split_channel, unescape, words};
use crate::options::{External, Kind};
use crate::question::{Input, channel};

/// A line's words are those that Squid wrote, a condition among them is never lost, and an answer
/// is one line whose name is read back, whatever is in it.
pub fn squid(input: &[u8]) {
    let line = input
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    if let Some((number, rest)) = split_channel(line) {
        let end = line.len() - rest.len() - 1;
        let digits = std::str::from_utf8(&line[..end]).unwrap();
        assert_eq!(
            digits.trim_start_matches('0'),
            format!("{number}").trim_start_matches('0')
        );
    }
    if let Some(words) = words(line) {
        assert_eq!(words.join(&b' '), line);
    }
    assert!(unescape(line).len() <= line.len());
    let escaped = line.iter().map(|byte| format!("%{byte:02X}"));
    assert_eq!(**unescape(escaped.collect::<String>().as_bytes()), *line);
    for external in externals() {
        for kind in [
            Kind::Group(external),
            Kind::Session {
                login: false,
                external,
            },
            Kind::Session {
                login: true,
                external,
            },
        ] {
            external_list(&kind, &external, line);
        }
    }
    for client in [false, true] {
        let conditions = ConditionArguments::default();
        question(&Kind::Basic { client, conditions }, line);
    }
    answer(&String::from_utf8_lossy(input));
}

fn externals() -> impl Iterator<Item = External> {
    let flags = [false, true];
    flags.into_iter().flat_map(move |concurrency| {
        let external = move |client| External {
            concurrency,
            client,
        };
        flags.into_iter().map(external)
    })
}

fn external_list(kind: &Kind, external: &External, line: &[u8]) {
    let Some(question) = question(kind, line) else {
        return;
    };
    let login = matches!(kind, Kind::Session { login: true, .. });
    let before = 1 + usize::from(external.concurrency) + usize::from(external.client);
    let before = before + usize::from(login);
    let listed: Vec<_> = line.split(|byte| *byte == b' ').skip(before).collect();
    let none = listed.len() == 1 && **unescape(listed[0]) == *b"-";
    let stated = if none { 0 } else { listed.len() };
    assert_eq!(question.conditions.any.len(), stated);
    // A list of groups vouches for nobody without a group.
    assert!(!matches!(question.credential, Credential::Vouched) || stated > 0);
}

fn question(kind: &Kind, line: &[u8]) -> Option<hallpass_core::Request> {
    let line = Line {
        bytes: Zeroizing::new(line.to_vec()),
        whole: true,
    };
    let (_, rest) = channel(kind, &line).ok()?;
    let cookie = Cookie {
        name: "sessionid",
        reader: Reader::Django,
    };
    Input::parse(kind, rest)
        .ok()?
        .request(|header| cookie::credential([header], Some(cookie)))
        .ok()
}

fn answer(name: &str) {
    let verdict = Verdict::Granted(Box::new(Identity {
        name: name.to_owned(),
        ..Identity::default()
    }));
    let kind = Kind::Basic {
        client: false,
        conditions: ConditionArguments::default(),
    };
    let line = Answer::new(&kind, &verdict).encode(Some(7));
    let user = line
        .strip_prefix("7 OK user=")
        .and_then(|rest| rest.strip_suffix('\n'));
    let user = user.expect("one line");
    assert!(!user.contains(|character: char| character.is_whitespace() || character.is_control()));
    assert_eq!(**unescape(user.as_bytes()), *name.as_bytes());
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn properties_hold_for_the_corpora() {
    replay::replay("squid", squid);
}
