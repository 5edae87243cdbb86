//! Sessions of up to a megabyte that ask for more than they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const ROOM: usize = 1 << 20;

/// As many as fit.
fn fill(head: &[u8], part: &[u8], tail: &[u8]) -> Vec<u8> {
    let count = (ROOM - head.len() - tail.len()) / part.len();
    [head, &part.repeat(count), tail].concat()
}

/// As many numbered parts as fit.
fn fill_with(head: &[u8], part: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    let mut bomb = head.to_vec();
    for number in 0.. {
        let part = part(number);
        if bomb.len() + part.len() > ROOM {
            break;
        }
        bomb.extend_from_slice(&part);
    }
    bomb
}

fn igbinary(body: &[u8]) -> Vec<u8> {
    [b"\0\0\0\x02", body].concat()
}

/// A text that is serialized over and over.
fn nested(levels: usize) -> String {
    let mut inner = "a:1:{s:4:\"user\";i:7;}".to_owned();
    for _ in 0..levels {
        inner = format!("s:{}:\"{inner}\";", inner.len());
    }
    inner
}

fn base64s(levels: usize) -> String {
    let mut inner = "i:0;N;".repeat(9000);
    inner = format!("a:9000:{{{inner}}}");
    for _ in 0..levels {
        let text = STANDARD.encode(&inner);
        inner = format!("s:{}:\"{text}\";", text.len());
    }
    inner
}

/// All of them, by what they do.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: String| text.into_bytes();
    let strings = |number: u32| {
        let key = number.to_be_bytes();
        [b"\x11\x03".as_slice(), &key[1..], b"\0"].concat()
    };
    vec![
        ("nested arrays", fill(b"", b"a:1:{i:0;", b"")),
        (
            "nested arrays that close",
            text("a:1:{i:0;".repeat(95_000) + "N;" + &"}".repeat(95_000)),
        ),
        (
            "nested objects",
            fill(b"user|", b"O:1:\"A\":1:{s:1:\"a\";", b""),
        ),
        ("nested C", fill(b"user|", b"C:1:\"A\":1000000:{", b"")),
        ("the smallest values", fill(b"a:174000:{", b"i:0;N;", b"}")),
        ("the smallest values as variables", fill(b"", b"|N;", b"")),
        ("the smallest values of php_binary", fill(b"", b"\0N;", b"")),
        (
            "one key over and over",
            fill(b"a:131000:{", b"i:0;R:2;", b"}"),
        ),
        (
            "one object over and over",
            fill(b"a:100000:{i:0;O:1:\"A\":0:{}", b"i:0;r:2;", b"}"),
        ),
        (
            "the session in itself",
            fill(b"a:100000:{", b"i:0;R:1;", b"}"),
        ),
        (
            "references to references",
            fill_with(b"a:99999:{i:0;O:1:\"A\":0:{}", |number| {
                format!("i:{number};r:{};", number + 2).into_bytes()
            }),
        ),
        (
            "objects in each other",
            fill_with(b"a:99999:{", |number| {
                format!("i:{number};O:1:\"A\":1:{{i:0;R:1;}}").into_bytes()
            }),
        ),
        (
            "references forward",
            fill(b"a:99999:{", b"i:0;R:99999;", b"}"),
        ),
        (
            "many arrays without end",
            fill(b"a:99999999:{", b"i:0;a:9999999:{", b""),
        ),
        (
            "many promises",
            fill(b"", b"a:9223372036854775807:{i:0;", b""),
        ),
        ("a huge string", b"user|s:99999999999:\"x\";".to_vec()),
        (
            "a string without end",
            b"user|s:18446744073709551615:\"x\";".to_vec(),
        ),
        (
            "a huge escaped string",
            b"user|S:99999999999:\"x\";".to_vec(),
        ),
        ("escapes", fill(b"user|S:349000:\"", b"\\00", b"\";")),
        (
            "escaped strings",
            fill(b"a:80000:{", b"i:0;S:1:\"\\41\";", b"}"),
        ),
        ("digits", fill(b"user|i:", b"9", b";")),
        ("digits of a float", fill(b"user|d:", b"9", b";")),
        ("an exponent", b"user|d:1e999999999999999999999;".to_vec()),
        ("delimiters", fill(b"", b"|", b"")),
        ("marks", fill(b"", b"!|", b"")),
        ("quotes", fill(b"", b"\"", b"")),
        ("zeros", vec![0; ROOM]),
        ("ones", vec![0xff; ROOM]),
        ("strings in strings", text(format!("user|{}", nested(4000)))),
        (
            "strings in strings with a path",
            text(format!("user|{}", nested(7))),
        ),
        ("Base64 in Base64", text(format!("user|{}", base64s(8)))),
        ("Base64", fill(b"user|s:1048552:\"", b"QUFB", b"\";")),
        (
            "values in a string",
            text(format!(
                "user|s:{}:\"a:170000:{{{}}}\";",
                170_000 * 6 + 11,
                "i:0;N;".repeat(170_000)
            )),
        ),
        (
            "values in an object",
            text(format!(
                "user|C:1:\"A\":{}:{{a:170000:{{{}}}}}",
                170_000 * 6 + 11,
                "i:0;N;".repeat(170_000)
            )),
        ),
        (
            "tokens in tokens",
            text(format!(
                "_security_main|s:{}:\"{}\";",
                20 * 40_000,
                "O:6:\"AToken\":1:{i:0;".repeat(40_000)
            )),
        ),
        (
            "igbinary: the smallest values",
            fill(&igbinary(b"\x16\x7f\xff\xff\xff"), b"\x0d\0", b""),
        ),
        (
            "igbinary: the smallest values that end",
            fill(&igbinary(b"\x16\0\x03\xff\xf0"), b"\x0d\0", b""),
        ),
        (
            "igbinary: elements without a value",
            fill(&igbinary(b"\x16\x7f\xff\xff\xff"), b"\0", b""),
        ),
        (
            "igbinary: nested arrays",
            fill(&igbinary(b""), b"\x14\x01\x0d", b""),
        ),
        (
            "igbinary: nested objects",
            fill(
                &igbinary(b"\x17\x01A\x14\x01\x0d"),
                b"\x1a\0\x14\x01\x0d",
                b"",
            ),
        ),
        (
            "igbinary: new strings",
            fill_with(&igbinary(b"\x16\x7f\xff\xff\xff"), strings),
        ),
        (
            "igbinary: new strings of no length",
            fill(&igbinary(b"\x16\x7f\xff\xff\xff"), b"\x11\0\0", b""),
        ),
        (
            "igbinary: one string over and over",
            fill(
                &igbinary(
                    &[
                        b"\x16\0\x04\0\0\x12\x80\0".as_slice(),
                        &[b'x'; 0x8000],
                        b"\0",
                    ]
                    .concat(),
                ),
                b"\x0e\0\x0e\0",
                b"",
            ),
        ),
        (
            "igbinary: the session in itself",
            fill(&igbinary(b"\x16\x7f\xff\xff\xff"), b"\x0d\x01\0", b""),
        ),
        (
            "igbinary: references of references",
            fill(&igbinary(b"\x14\x01\x0d"), b"\x25", b"\0"),
        ),
        (
            "igbinary: references",
            fill(&igbinary(b"\x16\x7f\xff\xff\xff"), b"\x0d\x25\0", b""),
        ),
        (
            "igbinary: huge numbers",
            igbinary(b"\x16\xff\xff\xff\xff\x26\xff\xff\xff\xff\xff\xff\xff\xff"),
        ),
        (
            "igbinary: a huge object",
            igbinary(b"\x14\x01\x0d\x17\x01A\x1f\xff\xff\xff\xff"),
        ),
    ]
}
