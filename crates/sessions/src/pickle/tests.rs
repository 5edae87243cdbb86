use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::datetime::{DateTime, Zone};

fn read(stream: &[u8]) -> Result<[Option<Value>; 2], Invalid> {
    members(stream, ["a", "b"])
}

fn a(value: Value) -> Result<[Option<Value>; 2], Invalid> {
    Ok([Some(value), None])
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// By Python 3.13: `tests/vectors/django_sessions_pickles.py` says how.
#[test]
fn random_structures_are_read_as_python_reads_them() {
    let rows: Vec<[Option<String>; 4]> =
        serde_json::from_str(include_str!("../../tests/data/pickles.json")).unwrap();
    for [stream, expected @ ..] in &rows {
        let stream = STANDARD.decode(stream.as_ref().unwrap()).unwrap();
        let found = members(
            &stream,
            ["_auth_user_id", "_auth_user_backend", "_auth_user_hash"],
        );
        for (found, expected) in found.unwrap().iter().zip(expected) {
            let spelled = found.as_ref().map(|found| match found {
                Value::Text(text) => format!("text {text}"),
                Value::Integer(number) => format!("integer {number}"),
                Value::Fraction(number) => format!("fraction {number:?}"),
                Value::Null => "null".to_owned(),
                Value::Boolean(_) | Value::DateTime(_) | Value::Other => "other".to_owned(),
            });
            assert_eq!(&spelled, expected, "{}", STANDARD.encode(&stream));
        }
    }
    assert!(rows.len() > 350);
}

#[test]
fn every_protocol_writes_a_dict_in_its_own_way() {
    for stream in [
        &b"(dp0\nVa\np1\nV1\np2\ns."[..],
        b"(dS'a'\nS'1'\ns.",
        b"(dS\"\\x61\"\nV\\u0031\ns.",
        b"(Va\nV1\nd.",
        b"}(X\x01\0\0\0aX\x01\0\0\0\x31u.",
        b"\x80\x02}q\0U\x01aq\x01T\x01\0\0\x001s.",
        b"\x80\x04\x95\x0a\0\0\0\0\0\0\0}\x94\x8c\x01a\x94\x8c\x011\x94s.",
        b"\x80\x05}\x8d\x01\0\0\0\0\0\0\0a\x8c\x011s.what follows",
    ] {
        assert_eq!(read(stream), a(text("1")), "{stream:?}");
    }
}

#[test]
fn numbers_are_read_in_every_spelling() {
    let number = |spelled: &[u8]| {
        let found = read(&[b"}U\x01a", spelled, b"s."].concat());
        found.map(|[a, _]| a.unwrap())
    };
    for (spelled, expected) in [
        (&b"I7\n"[..], Value::Integer(7)),
        (b"I-7\n", Value::Integer(-7)),
        (b"I01\n", Value::Boolean(true)),
        (b"I00\n", Value::Boolean(false)),
        (b"L7L\n", Value::Integer(7)),
        (b"L7\n", Value::Integer(7)),
        (b"L-99999999999999999999L\n", Value::Other),
        (b"K\xff", Value::Integer(255)),
        (b"M\xff\xff", Value::Integer(65_535)),
        (b"J\xff\xff\xff\xff", Value::Integer(-1)),
        (b"\x8a\0", Value::Integer(0)),
        (b"\x8a\x01\x80", Value::Integer(-128)),
        (b"\x8a\x02\x80\0", Value::Integer(128)),
        (
            b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\0",
            Value::Integer(i64::MAX),
        ),
        (b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\0", Value::Other),
        (b"\x8a\x09\0\0\0\0\0\0\0\x80\xff", Value::Integer(i64::MIN)),
        (b"\x8b\x01\0\0\0\x07", Value::Integer(7)),
        (b"\x88", Value::Boolean(true)),
        (b"\x89", Value::Boolean(false)),
        (b"N", Value::Null),
        (b"F1.5\n", Value::Fraction(1.5)),
        (b"G\x3f\xf8\0\0\0\0\0\0", Value::Fraction(1.5)),
    ] {
        assert_eq!(number(spelled), Ok(expected), "{spelled:?}");
    }
    for malformed in [
        &b"I\n"[..],
        b"I7",
        b"Iseven\n",
        b"I 7\n",
        b"I7_0\n",
        b"L\n",
        b"LL\n",
        b"F\n",
        b"F1,5\n",
        b"\x8a\x01",
        b"\x8b\xff\xff\xff\xff\x07",
        b"\x8b\0\0\0\x80",
    ] {
        assert!(number(malformed).is_err(), "{malformed:?}");
    }
}

#[test]
fn the_last_of_equal_keys_counts() {
    assert_eq!(
        read(b"}(U\x01aK\x01X\x01\0\0\0aK\x02u."),
        a(Value::Integer(2))
    );
    assert_eq!(read(b"(U\x01aK\x01\x8c\x01aK\x02d."), a(Value::Integer(2)));
    assert_eq!(read(b"}Va\nK\x01sS'a'\nNs."), a(Value::Null));
    // Bytes are another key.
    assert_eq!(read(b"}U\x01aK\x01sC\x01aK\x02s."), a(Value::Integer(1)));
}

#[test]
fn shared_values_are_the_same_everywhere() {
    let stream = b"}(U\x01aU\x011q\x05U\x01bh\x05u.";
    assert_eq!(read(stream), Ok([Some(text("1")), Some(text("1"))]));
    // A dict that is filled through another reference, and one that is in itself.
    assert_eq!(read(b"}q\x01h\x01U\x01aK\x07s0."), a(Value::Integer(7)));
    assert_eq!(
        read(b"}q\x01(U\x01bh\x01U\x01aK\x07u."),
        Ok([Some(Value::Integer(7)), Some(Value::Other)])
    );
    // What is in an inner dict stays there.
    assert_eq!(read(b"}U\x01x}U\x01aK\x07ss."), Ok([None, None]));
}

#[test]
fn nothing_that_is_not_wanted_fails() {
    for value in [
        &b"U\x02\xff\xfe"[..],
        b"X\x01\0\0\0\xff",
        b"V\\u12\n",
        b"S'\\xzz'\n",
        b"cos\nsystem\n(S'true'\ntR",
        b"\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R",
        b"(iposix\nsystem\n",
        b"(cposix\nsystem\no",
        b"cos\nsystem\n)\x81}b",
        b"cos\nsystem\n)}\x92",
        b"ccollections\nOrderedDict\n)R(U\x01aK\x01u",
        b"ccollections\nOrderedDict\n)RU\x01aK\x01s",
        b"c__builtin__\nset\n]R",
        b"\x82\x01\x83\x01\x01\x84\x01\x01\x01\x01\x87",
        b"Pname\n",
        b"K\x01Q",
        b"\x97\x98",
        b"\x96\x01\0\0\0\0\0\0\0a",
        b"\x8f(K\x01\x90",
        b"(K\x01\x91",
        b"((((1110K\x01",
    ] {
        let stream = [b"}(U\x01aK\x07U\x01x", value, b"u."].concat();
        assert_eq!(read(&stream), a(Value::Integer(7)), "{value:?}");
    }
    for key in [
        &b"]"[..],
        b"}",
        b"\x8f",
        b"U\x02\xff\xfe",
        b"cos\nsystem\n)R",
        b"N",
        b")",
    ] {
        let stream = [b"}(U\x01aK\x07", key, b"K\x01u."].concat();
        assert_eq!(read(&stream), a(Value::Integer(7)), "{key:?}");
    }
}

#[test]
fn wanted_text_is_what_python_3_takes_for_text() {
    let found = |value: &[u8]| read(&[b"}U\x01a", value, b"s."].concat());
    assert_eq!(found(b"U\x02\xc3\xa9"), a(Value::Other));
    assert_eq!(found(b"X\x02\0\0\0\xc3\xa9"), a(text("é")));
    assert_eq!(found(b"X\x03\0\0\0\xed\xa0\x80"), a(Value::Other));
    assert_eq!(found(b"V\xe9\\u0107\\U0001f600\n"), a(text("éć😀")));
    assert_eq!(found(b"V\\ud83d\n"), a(Value::Other));
    assert_eq!(found(b"C\x011"), a(Value::Other));
    assert_eq!(found(b"S'\\'\\\\\\n\"'\n"), a(text("'\\\n\"")));
    let long = [b"T\0\x20\0\0".as_slice(), &[b'x'; 0x2000]].concat();
    assert_eq!(found(&long), a(Value::Other));
}

#[test]
fn malformed_streams_are_refused() {
    for stream in [
        &b""[..],
        b".",
        b"}",
        b"\x80\x06}.",
        b"\x80",
        b"N.",
        b"].",
        b"K\x01.",
        b"c__builtin__\ndict\n)R.",
        b"(.",
        b"}(.",
        b"}0.",
        b"0}.",
        b"1}.",
        b"}K\x01s.",
        b"}K\x01K\x01K\x01s.",
        b"}(K\x01u.",
        b"(K\x01d.",
        b"}u.",
        b"}(K\x01(u.",
        b"](K\x01K\x02u.",
        b"K\x01K\x02K\x03s.",
        b"}K\x01a.",
        b"}(K\x01e.",
        b"}K\x01b.",
        b"}}b.",
        b"}K\x01K\x02\x90.",
        b"}K\x01\x85\x87.",
        b"(}\x85.",
        b"}(\x85.",
        b"}R.",
        b"}h\0.",
        b"}j\xff\xff\xff\xff.",
        b"}g7\n.",
        b"}g-1\n.",
        b"}gx\n.",
        b"}px\n.",
        b"}r\xff\xff\xff\xff.",
        b"q\0}.",
        b"\x94}.",
        b"2}.",
        b"}\xff.",
        b"}\0.",
        b"}{}.",
        b"}S'x\n.",
        b"}Sx\n.",
        b"}S'\n.",
        b"}S'x'",
        b"}X\x05\0\0\0abc.",
        b"}T\xff\xff\xff\xff.",
        b"}\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"}\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"}\x96\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff}.",
        b"\x80\x04\x95\x03\0\0\0\0\0\0\0}.",
        b"}cos\nsystem",
        b"}\x93.",
        b"}(o.",
        b"}\x92.",
        b"}\x81.",
        b"\x98}.",
    ] {
        assert!(read(stream).is_err(), "{stream:?}");
    }
}

#[test]
fn a_mark_is_a_floor() {
    assert!(read(b"}U\x01a(K\x01s.").is_err());
    assert!(read(b"}U\x01a(0K\x07s.").is_ok());
    assert!(read(b"}(U\x01aK\x07ts.").is_err());
}

#[test]
fn datetimes_are_read_with_their_zones() {
    const STATE: &[u8] = b"C\x0a\x07\xf8\x07\x01\x0c\x1e\x0f\x01\xe2\x40";
    let found = |value: &[u8]| {
        let found = read(&[b"}U\x01a", value, b"s."].concat());
        match found.unwrap() {
            [Some(Value::DateTime(moment)), None] => Some(moment),
            _ => None,
        }
    };
    let with = |zone: Zone| {
        Some(DateTime {
            civil: jiff::civil::date(2040, 7, 1).at(12, 30, 15, 123_456_000),
            zone,
        })
    };
    let datetime = |arguments: &[u8]| {
        found(&[b"cdatetime\ndatetime\n".as_slice(), STATE, arguments, b"R"].concat())
    };
    assert_eq!(datetime(b"\x85"), with(Zone::Site));
    assert_eq!(datetime(b"N\x86"), with(Zone::Site));
    assert_eq!(datetime(b"cpytz\n_UTC\n)R\x86"), with(Zone::Offset(0)));
    let day =
        b"cdatetime\ntimezone\ncdatetime\ntimedelta\nJ\xff\xff\xff\xffK\x01K\x02\x87R\x85R\x86";
    assert_eq!(datetime(day), with(Zone::Offset(-86_398_999_998)));
    // Zones that nobody knows, and arguments that make none.
    for arguments in [
        &b"cdateutil\ntz\n)R\x86"[..],
        b"cpytz\n_UTC\nK\x01\x85R\x86",
        b"cdatetime\ntimezone\nK\x01\x85R\x86",
        b"cdatetime\ntimezone\n)R\x86",
        b"K\x01\x86",
        b"NN\x87",
    ] {
        assert_eq!(datetime(arguments), None, "{arguments:?}");
    }
    assert_eq!(found(b"cdatetime\ndatetime\nC\x02ab\x85R"), None);
    assert_eq!(found(b"cdatetime\ndate\nC\x0a0123456789\x85R"), None);
    assert_eq!(found(b"cdatetime\ndatetime\n)R"), None);
}

#[test]
fn nesting_costs_no_recursion() {
    let deep = |open: &[u8], close: &[u8], depth: usize| {
        let stream = [
            b"}U\x01a",
            &*open.repeat(depth),
            &*close.repeat(depth),
            b"s.",
        ]
        .concat();
        read(&stream)
    };
    assert_eq!(deep(b"]", b"", 1), a(Value::Other));
    let lists = [
        b"}(U\x01aK\x07U\x01x]",
        &*b"]".repeat(200_000),
        &*b"a".repeat(200_000),
        b"u.",
    ]
    .concat();
    assert_eq!(read(&lists), a(Value::Integer(7)));
    let dicts = [
        b"}(U\x01aK\x07U\x01x}",
        &*b"K\x01}".repeat(60_000),
        &*b"s".repeat(60_000),
        b"u.",
    ]
    .concat();
    assert_eq!(read(&dicts), a(Value::Integer(7)));
    assert!(matches!(
        read(&b"]".repeat(1 << 19)),
        Err(Invalid::TooLarge(_))
    ));
    assert!(matches!(
        read(&b"(".repeat(1 << 19)),
        Err(Invalid::TooLarge(_))
    ));
}
