//! Asserts what holds for every input of Apache's. Fuzz targets call these
//! functions, and the test below replays their corpora.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use hallpass_core::cookie::{Cookie, Reader};
use hallpass_core::{Identity, Requirement, Verdict};

use crate::{input, map, requirements};

/// What mod_authnz_external hands over is a name and one other line; the groups of a Require line
/// that are quoted come back; and the answer of a map is one line, whatever is in the name.
pub fn apache(bytes: &[u8]) {
    if let Ok(found) = input::lines(bytes) {
        assert!(!found.name.is_empty() && !found.name.contains(|c: char| c.is_ascii_control()));
        assert!(!found.rest.contains(&b'\n') && !found.rest.contains(&0));
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 2);
        let mut parts = bytes.split(|byte| *byte == b'\n');
        let same = input::variables(parts.next(), parts.next()).ok();
        let same = same.map(|same| (same.name, same.rest));
        assert_eq!(same, Some((found.name, found.rest)));
    }
    let text = String::from_utf8_lossy(bytes);
    let _ = requirements::parse(&text);
    groups(&text);
    let cookie = Cookie {
        name: "sessionid",
        reader: Reader::Django,
    };
    for cookie in [Some(cookie), None] {
        let shown = map::credential(bytes, cookie);
        assert!(shown.is_err() || !bytes.iter().any(u8::is_ascii_control));
    }
    let verdict = Verdict::Granted(Box::new(Identity {
        name: text.into_owned(),
        ..Identity::default()
    }));
    let answer = map::answer(&verdict);
    assert!(answer == b"NULL\n" || answer.starts_with(b"u:"));
    assert_eq!(
        answer.iter().position(|byte| *byte == b'\n'),
        Some(answer.len() - 1)
    );
}

/// Quotes each line of `text` as a group, and reads them back.
fn groups(text: &str) {
    let is_group =
        |line: &&str| matches!(line.parse(), Ok(Requirement::Group(name)) if name == *line);
    let names: Vec<&str> = text
        .lines()
        .filter(is_group)
        .filter(|line| !line.is_empty())
        .collect();
    for quote in ["\"", "'"] {
        let quoted = names.iter().map(|name| {
            let name = name
                .replace('\\', "\\\\")
                .replace(quote, &format!("\\{quote}"));
            format!("{quote}{name}{quote}")
        });
        let found = requirements::parse(&quoted.collect::<Vec<_>>().join(" "));
        let group = |name: &&str| Requirement::Group((*name).to_owned());
        assert_eq!(found, Ok(names.iter().map(group).collect()));
    }
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn properties_hold_for_the_corpora() {
    replay::replay("apache", apache);
}
