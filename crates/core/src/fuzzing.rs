//! Asserts what holds for every configuration file, Cookie header and token. Fuzz targets call these
//! functions, and the test below replays their corpora.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::configuration::Configuration;
use crate::cookie::{Cookie, Reader, value};
use crate::jwt::{Algorithm, Keys, Rules, SubjectClaim, has_form};
use crate::{Secret, jwt::Refusal};

/// What stands for a secret in the seeds.
const CANARY: &str = "canary-canary";

/// A configuration is read, or the error names the file and never quotes a value.
pub fn configuration(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    // The file may name others, and a device could be read without end.
    if ["/dev", "/proc", "/sys", ".."]
        .iter()
        .any(|place| text.contains(place))
    {
        return;
    }
    let path = Path::new("/nonexistent/hallpass.toml");
    let read = Configuration::parse(path, text);
    let Err(error) = read else {
        return;
    };
    let error = error.to_string();
    assert!(error.starts_with("/nonexistent/hallpass.toml"), "{error}");
    // In the place of a key, or of a file's name, it is no secret.
    let values = text.matches("= \"canary-canary").count();
    if values == text.matches(CANARY).count() {
        assert!(!error.contains(CANARY), "{error}");
    }
}

/// A name, a line feed, and a Cookie header, by every reader: what PHP's finds stands in the header
/// as it is, and headers that are joined are as good as several. How many readers find a value.
pub fn cookies(input: &[u8]) -> usize {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
        return 0;
    };
    let (name, header) = (&input[..end], &input[end + 1..]);
    let name = &*String::from_utf8_lossy(name);
    let mut values = 0;
    for reader in [Reader::Django, Reader::Php, Reader::First, Reader::Last] {
        let cookie = Cookie { name, reader };
        let found = value([header], cookie);
        assert!(
            found
                .as_ref()
                .is_none_or(|found| found.len() <= header.len())
        );
        if let (Reader::Php, Some(found)) = (reader, &found) {
            let mut parts = header.windows(found.len().max(1));
            assert!(found.is_empty() || parts.any(|part| part == found));
        }
        let parts = header.split(|byte| *byte == b';');
        assert_eq!(value(parts, cookie), found);
        values += usize::from(found.is_some());
    }
    values
}

/// A JWT, a JWK Set or a key in PEM. Whatever signs it, a token is believed or refused, and one that
/// is believed has the form of a JWT; the keys of a set are for the algorithms that it fits. 1 where a
/// token is believed, 2 where a key is read.
pub fn jwt(input: &[u8]) -> u8 {
    let secret = Secret::new(&b"0123456789abcdef0123456789abcdef"[..]);
    let rules = Rules {
        algorithms: vec![Algorithm::Hs256],
        keys: Keys::secret(secret).unwrap(),
        issuer: None,
        audience: None,
        subject: SubjectClaim::Name("user".to_owned()),
        leeway: Duration::ZERO,
    };
    let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let verified = rules.verify(input, now);
    if let Ok(verified) = &verified {
        assert!(has_form(input));
        if let Some(expires) = verified.expires {
            assert_eq!(rules.verify(input, expires), Err(Refusal::Expired));
        }
    }
    let read = [Keys::set(input), Keys::public(input)]
        .into_iter()
        .flatten();
    let algorithms = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
    let mut keys = 0;
    for read in read {
        assert!(!read.fit(Algorithm::Hs256) && algorithms.iter().any(|it| read.fit(*it)));
        keys = 2;
    }
    u8::from(verified.is_ok()) | keys
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn properties_hold_for_the_corpora() {
    replay::replay("configuration", configuration);
    let values = replay::replay("cookies", cookies);
    assert!(values.len() > 15 && values.iter().sum::<usize>() > 20);
    let read = replay::replay("jwt", jwt);
    assert!(read.contains(&0) && read.contains(&1) && read.contains(&2) && read.len() >= 10);
}
