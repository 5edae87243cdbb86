//! Inputs of up to a mebibyte that are made to break readers, and every reader of Django's sessions.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hallpass_sessions::MAX_INPUT;
use hallpass_sessions::django::{
    self, Keyring, SESSION_SALT, SigningKey, Version, open_trusted, read_cache_file,
    read_cache_row, read_cache_value,
};
use miniz_oxide::deflate::compress_to_vec_zlib;

static KEYRINGS: LazyLock<Vec<(Version, Keyring)>> = LazyLock::new(|| {
    let versions = [(1, 4), (3, 2), (6, 1)].map(|(major, minor)| Version::new(major, minor));
    let keyring = |version| Keyring::stored(version, SESSION_SALT, [&b"secret"[..]]);
    versions.map(|version| (version, keyring(version))).to_vec()
});

/// Has every reader read `input`, and counts the logins found.
pub fn read(input: &[u8]) -> usize {
    read_payload(input) + read_container(input) + read_cached(input)
}

pub fn read_payload(input: &[u8]) -> usize {
    usize::from(matches!(django::read(input), Ok(Some(_))))
}

pub fn read_container(input: &[u8]) -> usize {
    let mut logins = 0;
    for (version, keyring) in KEYRINGS.iter() {
        for opened in [keyring.open(input), open_trusted(*version, input)] {
            logins += opened.map_or(0, |opened| read_payload(&opened.payload));
        }
    }
    logins
}

/// By the newest Django's keys alone.
fn read_signed(input: &[u8]) -> usize {
    let newest = KEYRINGS.last().map(|(_, keyring)| keyring.open(input));
    newest
        .unwrap()
        .map_or(0, |opened| read_payload(&opened.payload))
}

/// By its first bytes alone.
fn read_value(input: &[u8]) -> usize {
    usize::from(matches!(read_cache_value(input, None), Ok(Some(_))))
}

pub fn read_cached(input: &[u8]) -> usize {
    let file = read_cache_file(input).map(|file| file.login);
    [
        read_cache_value(input, None),
        read_cache_value(input, Some(1)),
        read_cache_value(input, Some(9)),
        read_cache_row(input),
        file,
    ]
    .iter()
    .filter(|found| matches!(found, Ok(Some(_))))
    .count()
}

/// Payloads of up to four mebibytes, which need what they say, and lie about what they need.
fn payloads() -> Vec<(&'static str, Vec<u8>)> {
    const FULL: usize = 4 << 20;
    let fill = |head: &[u8], unit: &[u8], tail: &[u8]| {
        let count = (FULL - 64 - head.len() - tail.len()) / unit.len();
        [head, &unit.repeat(count), tail].concat()
    };
    let fewer = |head: &[u8], unit: &[u8], count: usize, tail: &[u8]| {
        [head, &unit.repeat(count), tail].concat()
    };
    let login = b"}(U\x0d_auth_user_idU\x017U\x12_auth_user_backendU\x01bU\x01x";
    let member = b"}U\x0d_auth_user_idNs";
    let name = [b"V".as_slice(), &b"\\u005f".repeat(300_000), b"\nq\0}"].concat();
    vec![
        ("nothing", Vec::new()),
        ("lists", fill(b"", b"]", b".")),
        ("dicts", fill(b"", b"}", b".")),
        ("marks", fill(b"", b"(", b".")),
        ("numbers", fill(b"", b"N", b".")),
        ("tuples of tuples", fill(b"N", b"\x85", b".")),
        ("empty tuples", fill(b"", b")0", b"}.")),
        ("tuples of four", fill(b"", b"(NNNNt0", b"}.")),
        (
            "a large tuple",
            fewer(&[login, &b"("[..]].concat(), b"N", 200_000, b"tu."),
        ),
        ("larger tuples", fewer(b"", b"(NNNNNNNNt", 250_000, b".")),
        (
            "a deep list",
            fewer(
                login,
                b"]",
                200_000,
                &[&b"a".repeat(199_999)[..], b"u."].concat(),
            ),
        ),
        ("a full memo", fill(b"N", b"\x94", b".")),
        ("a memo of lists", fill(b"", b"]\x940", b"}.")),
        (
            "a memo from its end",
            fill(b"N", b"r\xff\xff\x03\0r\xfe\xff\x03\0", b"."),
        ),
        (
            "the memo's last place",
            b"Nr\xff\xff\x03\0r\xff\xff\xff\xff.".to_vec(),
        ),
        ("copies of copies", fill(b"]", b"2(2l", b".")),
        ("the same again", fill(b"]q\0", b"h\0a", b".")),
        ("laughs", fill(b"}q\0", b"(h\0h\0h\0h\0lq\0", b".")),
        ("a dict in itself", fill(b"}q\0", b"Nh\0s", b".")),
        ("members in dicts", fill(b"", member, b".")),
        (
            "members in one dict",
            fill(b"}", b"U\x0d_auth_user_idNs", b"."),
        ),
        ("long keys again and again", fill(&name, b"h\0Ns", b".")),
        ("long text for all", {
            let text = [&b"}X\xff\xff\x3b\0"[..], &vec![b'x'; 0x3b_ffff], b"q\x000"].concat();
            [
                &text[..],
                b"U\x0d_auth_user_idh\0sU\x12_auth_user_backendh\0s.",
            ]
            .concat()
        }),
        ("long lines", fill(b"}V", b"\\u0041", b"\nNs.")),
        ("a number without an end", fill(b"}L", b"9", b"L\nNs.")),
        ("long numbers", fill(b"", b"\x8b\xff\0\0\0", &[0; 300])),
        ("frames", fill(b"\x80\x04", b"\x95\0\0\0\0\0\0\0\0", b"}.")),
        (
            "frames that lie",
            fill(b"\x80\x04", b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f", b"}."),
        ),
        ("globals", fill(b"", b"cdatetime\ndatetime\n)R0", b"}.")),
        ("objects", fill(b"", b"ca\nb\n)\x81}b0", b"}.")),
        ("JSON arrays", fill(b"{\"a\":", b"[", b"")),
        ("JSON objects", fill(b"", b"{\"a\":", b"")),
        ("JSON text", fill(b"{\"_auth_user_id\":\"", b"\xe4", b"\"}")),
        (
            "JSON escapes",
            fill(b"{\"_auth_user_id\":\"", b"\\u00e4", b"\"}"),
        ),
        (
            "JSON names",
            fill(b"{\"a\":1", b",\"\\u005fauth_user_id\":\"1\"", b"}"),
        ),
        ("JSON numbers", fill(b"{\"_auth_user_id\":", b"9", b"}")),
        (
            "MessagePack arrays",
            fill(b"\x81\xa1a", b"\xdd\xff\xff\xff\xff", b""),
        ),
        ("MessagePack maps", fill(b"", b"\x81", b"")),
        (
            "MessagePack nothing",
            fill(b"\xdf\xff\xff\xff\xff", b"\xc0", b""),
        ),
        (
            "MessagePack text",
            fill(b"\x81\xad_auth_user_id\xdb\0\x3f\0\0", b"x", b""),
        ),
    ]
}

/// A container of the newest Django, signed with `secret`, with or without the mark of compression.
fn sealed(payload: &[u8], compressed: bool) -> Vec<u8> {
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};
    let key = Sha256::new()
        .chain_update(SESSION_SALT)
        .chain_update("signer")
        .chain_update("secret")
        .finalize();
    let dot = if compressed { "." } else { "" };
    let signed = format!("{dot}{}:1x8elk", URL_SAFE_NO_PAD.encode(payload));
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let signature = mac.chain_update(&signed).finalize().into_bytes();
    format!("{signed}:{}", URL_SAFE_NO_PAD.encode(signature)).into_bytes()
}

/// An input, and the readers that it is meant for.
pub struct Bomb {
    pub name: String,
    pub input: Vec<u8>,
    pub read: fn(&[u8]) -> usize,
}

pub fn bombs() -> Vec<Bomb> {
    let mut bombs = Vec::new();
    let mut add = |name: String, input: Vec<u8>, read: fn(&[u8]) -> usize| {
        if input.len() <= MAX_INPUT {
            bombs.push(Bomb { name, input, read });
        }
    };
    for (name, payload) in payloads() {
        let packed = compress_to_vec_zlib(&payload, 6);
        add(
            format!("{name}, signed"),
            sealed(&packed, true),
            read_signed,
        );
        add(format!("{name}, cached"), packed, read_value);
        add(
            name.to_owned(),
            payload.get(..1 << 18).unwrap_or(&payload).to_vec(),
            read,
        );
    }
    // The containers that hold no more than they weigh.
    for (name, payload) in payloads().into_iter().step_by(5) {
        let part = payload.get(..700_000).unwrap_or(&payload);
        let legacy = [&[b'0'; 40], b":".as_slice(), part].concat();
        let legacy = STANDARD.encode(legacy).into_bytes();
        let packed = compress_to_vec_zlib(&payload, 6);
        add(
            format!("{name}, signed and plain"),
            sealed(part, false),
            read_signed,
        );
        add(format!("{name}, legacy"), legacy, read_container);
        add(
            format!("{name}, a row"),
            STANDARD.encode(part).into_bytes(),
            read_cached,
        );
        add(
            format!("{name}, a file"),
            [b"N.", &packed[..]].concat(),
            read_cached,
        );
    }
    let corpus = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fuzz/corpus/django_cache_values"
    );
    for file in std::fs::read_dir(corpus).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().to_string_lossy().into_owned();
        if name.starts_with("bomb") {
            let bytes = std::fs::read(file.path()).unwrap();
            add(name, bytes, read);
        }
    }
    let sound = django::seal(b"{}", &SigningKey::new(b"secret", SESSION_SALT), 0);
    add("a container".into(), sound.into_bytes(), read);
    add("as large as can be".into(), vec![b'A'; MAX_INPUT], read);
    add("nothing but colons".into(), vec![b':'; MAX_INPUT], read);
    bombs
}
