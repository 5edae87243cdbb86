//! No bytes of up to a megabyte panic, overflow the stack, or make anybody of nobody.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallpass_sessions::php::{Handler, Path, Scalar, find, joomla};
use hallpass_sessions::{Invalid, MAX_INPUT};

#[path = "php_bombs/mod.rs"]
mod bombs;

const HANDLERS: [Option<Handler>; 5] = [
    None,
    Some(Handler::Php),
    Some(Handler::PhpBinary),
    Some(Handler::PhpSerialize),
    Some(Handler::Igbinary),
];

fn path(text: &str) -> Path {
    text.parse().unwrap()
}

fn at(session: &[u8], handler: Handler, text: &str) -> Result<Option<Scalar>, Invalid> {
    find(session, Some(handler), &path(text))
}

fn text(text: &str) -> Option<Scalar> {
    Some(Scalar::Text(text.into()))
}

/// Asks everything of a session, with little room on the stack.
fn ask_everything(session: Vec<u8>) {
    let ask = move || {
        for handler in HANDLERS {
            for text in ["user.username", "0.0.0.0.0.0.0.0", "_security_main"] {
                let _ = find(&session, handler, &path(text));
            }
            let _ = joomla::read(&session, handler);
        }
    };
    let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(ask);
    thread.unwrap().join().unwrap();
}

#[test]
fn bombs_do_no_harm() {
    for (name, bomb) in bombs::all() {
        assert!(bomb.len() <= MAX_INPUT, "{name}: {}", bomb.len());
        println!("{name}");
        ask_everything(bomb);
    }
}

#[test]
fn what_is_large_but_sound_is_read() {
    let blob = "x".repeat(MAX_INPUT - 100);
    let session = format!("blob|s:{}:\"{blob}\";user|s:1:\"u\";", blob.len());
    assert_eq!(at(session.as_bytes(), Handler::Php, "user"), Ok(text("u")));
    let many = "i:0;N;".repeat(170_000);
    let session = format!("a:2:{{s:1:\"l\";a:170000:{{{many}}}s:4:\"user\";s:1:\"u\";}}");
    assert_eq!(
        at(session.as_bytes(), Handler::PhpSerialize, "user"),
        Ok(text("u"))
    );
    let deep = format!("{}i:7;{}", "a:1:{i:0;".repeat(4000), "}".repeat(4000));
    let session = format!("deep|{deep}user|s:1:\"u\";");
    assert_eq!(at(session.as_bytes(), Handler::Php, "user"), Ok(text("u")));
}

#[test]
fn what_is_too_large_or_too_deep_is_refused() {
    let blob = "x".repeat(MAX_INPUT);
    let session = format!("blob|s:{}:\"{blob}\";user|s:1:\"u\";", blob.len());
    let found = at(session.as_bytes(), Handler::Php, "user");
    assert_eq!(found, Err(Invalid::TooLarge(MAX_INPUT)));
    for depth in [4096, 5000, 70_000] {
        let deep = format!("{}N;{}", "a:1:{i:0;".repeat(depth), "}".repeat(depth));
        let session = format!("user|s:1:\"u\";deep|{deep}");
        assert!(
            at(session.as_bytes(), Handler::Php, "user").is_err(),
            "{depth}"
        );
    }
}

#[test]
fn a_reading_that_is_too_much_does_not_leave_the_field_to_another() {
    // By `php_serialize` too deep to be read; by `php` it says that the user is admin.
    let deep = "a:1:{i:0;".repeat(5000);
    let inner = "|N;user|s:5:\"admin\";x|C:1:\"x\":5001:{";
    let end = "}".repeat(5000);
    let session = format!("{deep}s:{}:\"{inner}\";{end}", inner.len());
    assert_eq!(
        at(session.as_bytes(), Handler::Php, "user"),
        Ok(text("admin"))
    );
    assert!(find(session.as_bytes(), None, &path("user")).is_err());
}

#[test]
fn references_in_a_circle_end_with_the_path() {
    let circle = b"a:2:{s:1:\"a\";a:1:{i:0;R:2;}s:4:\"user\";s:1:\"u\";}";
    let long = format!("a{}", ".0".repeat(31));
    let found = at(circle, Handler::PhpSerialize, &long);
    assert_eq!(found, Ok(Some(Scalar::Compound { empty: false })));
    assert_eq!(at(circle, Handler::PhpSerialize, "user"), Ok(text("u")));
    let circle = b"a:1:{s:1:\"o\";O:3:\"Foo\":1:{s:4:\"self\";r:2;}}";
    let found = at(circle, Handler::PhpSerialize, "o.self.self.self");
    assert_eq!(found, Ok(Some(Scalar::Compound { empty: false })));
}

#[test]
fn a_token_that_is_its_own_user_ends() {
    let token = "a:1:{s:1:\"t\";O:6:\"AToken\":1:{i:0;a:4:{i:0;r:2;i:1;b:1;i:2;a:0:{}i:3;a:0:{}}}}";
    for path in [
        "t.x",
        "t.user.user.user.user.user.user.user.user.user.x",
        "t",
    ] {
        assert!(
            at(token.as_bytes(), Handler::PhpSerialize, path).is_err(),
            "{path}"
        );
    }
}

#[test]
fn texts_in_texts_are_opened_to_a_limit() {
    let nest = |levels: usize| {
        let mut inner = String::from("a:1:{s:1:\"k\";s:1:\"v\";}");
        for _ in 0..levels {
            inner = format!("s:{}:\"{inner}\";", inner.len());
        }
        format!("user|{inner}")
    };
    assert_eq!(
        at(nest(1).as_bytes(), Handler::Php, "user.k"),
        Ok(text("v"))
    );
    assert_eq!(
        at(nest(8).as_bytes(), Handler::Php, "user.k"),
        Ok(text("v"))
    );
    assert!(at(nest(9).as_bytes(), Handler::Php, "user.k").is_err());
    assert!(at(nest(300).as_bytes(), Handler::Php, "user.k").is_err());
}

#[test]
fn references_out_of_what_an_object_wrote_are_not_followed() {
    // Only the class knows whether the text in it went on with the numbers outside: the array is
    // 1, the Foo 2, its property 3, the Bar 4, and what the Bar wrote may be 5 to 7.
    let inner = r#"a:3:{s:1:"x";r:2;s:1:"y";s:5:"inner";s:1:"z";R:7;}"#;
    let session = format!(
        r#"a:4:{{s:1:"s";O:3:"Foo":1:{{s:1:"k";s:5:"admin";}}s:1:"c";C:3:"Bar":{}:{{{inner}}}{}}}"#,
        inner.len(),
        r#"s:1:"r";r:2;s:1:"q";R:5;"#,
    );
    let found = |path| at(session.as_bytes(), Handler::PhpSerialize, path);
    assert_eq!(found("c.y"), Ok(text("inner")));
    assert_eq!(found("c.z"), Ok(text("inner")));
    assert_eq!(found("r.k"), Ok(text("admin")));
    assert!(found("c.x.k").is_err() && found("c.x").is_err());
    assert!(found("q").is_err());
}

#[test]
fn sessions_of_other_writers_are_not_recognised() {
    let inner = "|N;user|s:5:\"admin\";";
    let writers: [(&str, Vec<u8>); 8] = [
        (
            "msgpack",
            [b"\x83\xc0\x01\xa4name", inner.as_bytes()].concat(),
        ),
        (
            "msgpack, a larger map",
            [b"\xde\0\x20\xc0\x01\xa4name", inner.as_bytes()].concat(),
        ),
        (
            "msgpack, plain",
            [b"\x82\xa4name\xb4", inner.as_bytes()].concat(),
        ),
        (
            "WDDX",
            format!("<wddxPacket version='1.0'><string>{inner}").into(),
        ),
        ("JSON", format!("{{\"name\":\"{inner}").into()),
        ("a JSON array", format!("[\"{inner}").into()),
        (
            "zlib",
            [b"x\x01\x01\x14\0\xeb\xff", inner.as_bytes()].concat(),
        ),
        ("LZF", [b"\x13", inner.as_bytes()].concat()),
    ];
    for (writer, session) in writers {
        let found = find(&session, None, &path("user"));
        assert!(found.is_err(), "{writer}: {found:?}");
    }
}

#[test]
fn what_two_handlers_read_differently_is_refused() {
    let name = r#"|N;user|s:5:"admin";x|C:1:"x":2:{"#;
    let twofold = format!("a:1:{{s:4:\"name\";s:{}:\"{name}\";}}", name.len());
    assert!(matches!(
        at(twofold.as_bytes(), Handler::PhpSerialize, "name"),
        Ok(Some(_))
    ));
    assert_eq!(
        at(twofold.as_bytes(), Handler::PhpSerialize, "user"),
        Ok(None)
    );
    assert_eq!(
        at(twofold.as_bytes(), Handler::Php, "user"),
        Ok(text("admin"))
    );
    assert!(find(twofold.as_bytes(), None, &path("user")).is_err());
    assert!(find(twofold.as_bytes(), None, &path("name")).is_err());
    // Where both find the same, there is nothing to choose.
    assert_eq!(find(twofold.as_bytes(), None, &path("other")), Ok(None));
}

/// Variables without a value, which PHP wrote up to 7.0, PHP's own classes that cannot be brought back,
/// and references to themselves, each as PHP 8.2 judged it.
#[test]
fn what_php_destroys_is_nobodys_session() {
    let rows: Vec<(String, String, bool)> =
        serde_json::from_str(include_str!("data/php_destroyed.json")).unwrap();
    let (mut kept, mut wrong) = (0, Vec::new());
    for (handler, session, read) in &rows {
        let handler = Handler::from_name(handler).unwrap();
        let session = STANDARD.decode(session).unwrap();
        let found = at(&session, handler, "user");
        kept += usize::from(*read);
        if found.is_ok() != *read {
            wrong.push(format!("{read} {:?}", String::from_utf8_lossy(&session)));
        }
        if !read {
            assert!(find(&session, None, &path("user")).is_err(), "{session:?}");
        }
    }
    assert!(
        kept > 200 && rows.len() - kept > 200,
        "{kept} of {}",
        rows.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let marked = b"!user|s:1:\"u\";";
    assert_eq!(at(marked, Handler::Php, "!user"), Ok(text("u")));
    assert_eq!(at(marked, Handler::Php, "user"), Ok(None));
}

#[test]
fn a_private_property_of_two_parents_is_nobodys() {
    let class = |own: &str, parents: &[&str]| {
        let property = |class: &&str| {
            let name = format!("\0{class}\0name");
            format!("s:{}:\"{name}\";s:{}:\"{class}\";", name.len(), class.len())
        };
        let properties: String = parents.iter().map(property).collect();
        let count = parents.len();
        format!("o|O:{}:\"{own}\":{count}:{{{properties}}}", own.len())
    };
    let name = |session: String| at(session.as_bytes(), Handler::Php, "o.name");
    assert_eq!(name(class("Foo", &["Foo"])), Ok(text("Foo")));
    assert_eq!(name(class("Foo", &["Foo", "Bar", "Baz"])), Ok(text("Foo")));
    assert_eq!(name(class("Foo", &["Bar"])), Ok(text("Bar")));
    assert_eq!(name(class("Foo", &["*", "Bar"])), Ok(text("*")));
    assert!(name(class("Foo", &["Bar", "Baz"])).is_err());
}

#[test]
fn random_bytes_are_nobody() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let alphabet = b"NbidsSaOCERr:;\"{}|0123456789user\0\x01\x02\x11\x14\x17";
    for round in 0..20_000_u32 {
        let length = usize::try_from(random() % 120).unwrap();
        let mut session: Vec<u8> = (0..length).map(|_| random().to_be_bytes()[0]).collect();
        if round % 2 == 0 {
            for byte in &mut session {
                *byte = alphabet[usize::from(*byte) % alphabet.len()];
            }
        }
        if round % 3 == 0 {
            session.splice(..0, *b"\0\0\0\x02\x14");
        }
        for handler in HANDLERS {
            let found = find(&session, handler, &path("user.username"));
            assert!(!matches!(found, Ok(Some(_))), "{session:?}");
        }
    }
}

#[test]
fn damage_at_every_byte_never_makes_another_user() {
    let sound = concat!(
        r#"_sf2_attributes|a:2:{s:4:"user";a:2:{s:8:"username";s:5:"alice";s:4:"mate";s:3:"bob";}"#,
        r#"s:4:"copy";R:3;}after|O:3:"Foo":1:{s:1:"k";d:0.5;}ref|r:5;"#,
    );
    let asked = path("_sf2_attributes.user.username");
    let expected = Scalar::Text(b"alice".into());
    assert_eq!(find(sound.as_bytes(), None, &asked), Ok(Some(expected)));
    let within = sound.find("alice").unwrap();
    for at in 0..sound.len() {
        for byte in 0..=255 {
            let mut session = sound.as_bytes().to_vec();
            session[at] = byte;
            if let Ok(Some(Scalar::Text(name))) = find(&session, None, &asked) {
                let touched = (within..within + 5).contains(&at);
                assert!(touched || name == b"alice", "{at} {byte} {name:?}");
            }
        }
    }
}
