//! Asserts what holds for every input on descriptor 3. Fuzz targets call these
//! functions, and the test below replays their corpora.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use hallpass_core::Identity;

use crate::answer::{Question, environment};
use crate::input::{LONGEST, parse};

/// A name and a password are what stands before the first and the second NUL, and no group passes
/// for two.
pub fn checkpassword(bytes: &[u8]) {
    if let Ok(found) = parse(bytes) {
        assert!(bytes.len() <= LONGEST);
        let start = [found.name.as_bytes(), b"\0", &found.password, b"\0"].concat();
        assert!(bytes.starts_with(&start));
        assert!(!found.name.contains('\0') && !found.password.contains(&0));
    }
    let text = String::from_utf8_lossy(bytes);
    let identity = Identity {
        groups: text.lines().map(str::to_owned).collect(),
        ..Identity::default()
    };
    let changes = environment(Question::Password, &identity);
    let groups = changes
        .iter()
        .find(|(name, _)| *name == "userdb_acl_groups");
    let (_, groups) = groups.expect("the variable is set or taken out");
    for group in groups.iter().flat_map(|groups| groups.split(',')) {
        assert!(identity.groups.iter().any(|name| name == group));
    }
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn properties_hold_for_the_corpora() {
    replay::replay("checkpassword", checkpassword);
}
