//! No input panics, and nothing damaged is believed.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

mod django_bombs;

use std::path::Path;

use hallpass_sessions::django::{
    self, Keyring, SESSION_SALT, SigningKey, Version, read_cache_value, seal,
};
use hallpass_sessions::{Invalid, MAX_INPUT};

const LOGIN: &[u8] = br#"{"_auth_user_id":"7","_auth_user_backend":"b","_auth_user_hash":"h"}"#;

#[test]
fn more_than_a_mebibyte_is_not_looked_at() {
    let large = vec![b'A'; MAX_INPUT + 1];
    let too_large = Err(Invalid::TooLarge(MAX_INPUT));
    assert_eq!(read_cache_value(&large, None), too_large);
    assert_eq!(read_cache_value(&large, Some(1)), too_large);
    assert_eq!(django::read_cache_row(&large), too_large);
    assert!(django::read_cache_file(&large).is_err());
    for version in [Version::new(1, 4), Version::new(3, 2), Version::NEWEST] {
        let keys = Keyring::stored(version, SESSION_SALT, [&b"secret"[..]]);
        assert!(keys.open(&large).is_err());
        assert!(django::open_trusted(version, &large).is_err());
    }
}

#[test]
fn a_container_that_is_damaged_anywhere_stays_shut() {
    let keys = Keyring::stored(Version::NEWEST, SESSION_SALT, [&b"secret"[..]]);
    let sealed = seal(
        LOGIN,
        &SigningKey::new(b"secret", SESSION_SALT),
        1_790_000_000,
    );
    let sealed = sealed.into_bytes();
    assert_eq!(keys.open(&sealed).unwrap().payload, LOGIN);
    assert_eq!(keys.open(&sealed).unwrap().signed_at, Some(1_790_000_000));
    for position in 0..sealed.len() {
        for bit in 0..8 {
            let mut damaged = sealed.clone();
            damaged[position] ^= 1 << bit;
            assert!(keys.open(&damaged).is_err());
        }
        assert!(keys.open(&sealed[..position]).is_err());
        let mut longer = sealed.clone();
        longer.insert(position, b'A');
        assert!(keys.open(&longer).is_err());
    }
}

#[test]
fn damage_at_every_byte_of_a_sound_sample_is_survived() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    let mut samples = 0;
    type Reader = fn(&[u8]) -> usize;
    let readers: [(&str, Reader); 3] = [
        ("django_pickles", django_bombs::read_payload),
        ("django_containers", django_bombs::read_container),
        ("django_cache_values", django_bombs::read_cached),
    ];
    for (folder, read) in readers {
        let mut files: Vec<_> = std::fs::read_dir(corpus.join(folder)).unwrap().collect();
        files.sort_by_key(|file| file.as_ref().unwrap().file_name());
        let files = files
            .into_iter()
            .map(|file| std::fs::read(file.unwrap().path()).unwrap());
        for sample in files.filter(|sample| sample.len() <= 300).take(20) {
            samples += 1;
            for position in 0..sample.len() {
                let mut damaged = sample.clone();
                damaged[position] ^= 1 << (position % 8);
                read(&damaged);
                read(&sample[..position]);
            }
        }
    }
    assert!(samples > 40, "{samples}");
}

#[test]
fn nonsense_of_every_kind_is_survived() {
    const TOKENS: &[&[u8]] = &[
        b"\x80\x02",
        b"\x80\x05",
        b"\x95\x10\0\0\0\0\0\0\0",
        b"}",
        b"]",
        b")",
        b"(",
        b"0",
        b"1",
        b"2",
        b"a",
        b"e",
        b"s",
        b"u",
        b"t",
        b"l",
        b"d",
        b"\x85",
        b"\x86",
        b"\x87",
        b"\x8f",
        b"\x90",
        b"\x91",
        b"N",
        b"\x88",
        b"K\x07",
        b"I7\n",
        b"I01\n",
        b"L7L\n",
        b"F1.5\n",
        b"\x8a\x01\x07",
        b"G\0\0\0\0\0\0\0\0",
        b"U\x0d_auth_user_id",
        b"\x8c\x12_auth_user_backend",
        b"X\x0f\0\0\0_session_expiry",
        b"U\x017",
        b"S'b'\n",
        b"Vb\n",
        b"C\x0a\x07\xf8\x07\x01\x0c\x1e\x0f\x01\xe2\x40",
        b"cdatetime\ndatetime\n",
        b"cdatetime\ntimedelta\n",
        b"cdatetime\ntimezone\n",
        b"cpytz\n_UTC\n",
        b"cpytz\n_p\n",
        b"R",
        b"b",
        b"\x81",
        b"\x92",
        b"\x93",
        b"ios\nsystem\n",
        b"o",
        b"q\0",
        b"q\x01",
        b"h\0",
        b"h\x01",
        b"\x94",
        b"p0\n",
        b"g0\n",
        b"r\x02\0\0\0",
        b"j\x02\0\0\0",
        b"P7\n",
        b"Q",
        b"\x82\x01",
        b"\x97",
        b"\x98",
        b"\x96\x01\0\0\0\0\0\0\0a",
        b".",
        b"{\"",
        b"\":",
        b"\"}",
        b",",
        b"[",
        b"\\u00e4",
        b"1e5",
        b"_auth_user_id",
        b"\x81\xad_auth_user_id",
        b"\xa17",
        b"\xdd\0\0\0\x02",
        b"\xdf\0\0\0\x01",
        b"\xc0",
        b"\x1f\x8b\x08\0",
        b"\x04\x22\x4d\x18",
        b"\x28\xb5\x2f\xfd",
        b"\xfd7zXZ\0",
        b"\x78\x9c",
        b":",
        b".e",
        b"=",
        b"AAAA",
        b"\0",
        b"\xff",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    for round in 0..20_000 {
        let input: Vec<u8> = if round % 8 == 0 {
            (0..random(64))
                .map(|_| u8::try_from(random(256)).unwrap())
                .collect()
        } else {
            (0..1 + random(24))
                .flat_map(|_| TOKENS[random(TOKENS.len())])
                .copied()
                .collect()
        };
        django_bombs::read(&input);
    }
}
