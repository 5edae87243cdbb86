//! A table is read into a struct; what is wrong is said by file, line and key, and never quoted.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use hallpass_settings::{
    Document, Error, Fallback, Given, Life, Listener, LooseText, Number, SecretSource, Size, UrlOr,
    Wait, fields,
};
use serde::Deserialize;
use zeroize::Zeroizing;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Site {
    kind: Option<Choice>,
    kinds: Vec<Choice>,
    truth: bool,
    text: String,
    texts: Vec<String>,
    wait: Option<Wait>,
    life: Option<Life>,
    size: Option<Size>,
    number: Option<Number<1, 10>>,
    loose: Option<LooseText>,
    secret: Option<SecretSource>,
    listener: Option<Listener>,
    store: Option<UrlOr<Store>>,
    inner: Option<Inner>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Choice {
    First,
    SecondKind,
    Third,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Store {
    url: String,
    pool: Option<Number<1, 4>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    needed: String,
}

fn read(text: &str) -> Result<Site, Error> {
    Document::parse(Path::new("site.toml"), text)?.top().read()
}

fn error(text: &str) -> String {
    read(text).err().unwrap().to_string()
}

#[test]
fn what_is_wrong_is_named_by_line_and_key() {
    for (text, expected) in [
        ("\ntruth = 1", ":2: truth: is neither true nor false"),
        ("text = 1", ":1: text: is not a string"),
        ("text = 1979-05-27", ":1: text: is not a string"),
        (
            "texts = 'a'",
            ":1: texts: is not a list of strings, as in [\"a\", \"b\"]",
        ),
        (
            "texts = ['a', 1]",
            ":1: texts: holds something that is not a string",
        ),
        ("number = 'a'", ":1: number: is not a whole number"),
        ("number = 1.5", ":1: number: is not a whole number"),
        ("number = 0", ":1: number: is not from 1 to 10"),
        ("number = -1", ":1: number: is not from 1 to 10"),
        (
            "number = 99999999999999999999999",
            ":1: number: is not from 1 to 10",
        ),
        (
            "size = 5",
            ":1: size: is not a size, as in \"64KiB\", \"512MiB\" or \"1GiB\"",
        ),
        ("wait = '61m'", ":1: wait: is longer than \"1h\""),
        ("life = '36501d'", ":1: life: is longer than \"36500d\""),
        ("life = -1", ":1: life: is not from 0 to 4294967294"),
        (
            "kind = 'frist'",
            ":1: kind: unknown \"frist\"; did you mean \"first\"? Known: \"first\", \
                            \"second-kind\", \"third\"",
        ),
        (
            "kind = 'hunter2hunter2'",
            ":1: kind: is none of \"first\", \"second-kind\", \"third\"",
        ),
        (
            "kinds = ['x']",
            ":1: kinds: may hold \"first\", \"second-kind\" and \"third\"",
        ),
        (
            "kinds = [1]",
            ":1: kinds: holds something that is not a string",
        ),
        (
            "store = 1",
            ":1: store: is neither a URL nor a table with one",
        ),
        ("[store]\npool = 2", ": store.url: is missing"),
        (
            "[store]\nurl = 'a'\npool = 5",
            ":3: store.pool: is not from 1 to 4",
        ),
        (
            "[store]\nurl = 'a'\npol = 5",
            ":3: store.pol: no such key; did you mean `pool`?",
        ),
        ("inner = 1", ":1: inner: is not a table"),
        ("[inner]", ": inner.needed: is missing"),
        (
            "[inner]\nneded = 'a'",
            ":2: inner.neded: no such key; did you mean `needed`?",
        ),
        (
            "listener = 'localhost:80'",
            ":1: listener: may hold \"unix:/path?mode=0660\" and \
                                       \"tcp:127.0.0.1:8088\"",
        ),
        (
            "something_else = 1",
            ":1: something_else: no such key; it is not known here",
        ),
    ] {
        assert_eq!(error(text), format!("site.toml{expected}"), "{text}");
    }
}

#[test]
fn an_unknown_key_comes_before_a_missing_one() {
    let message = error("zecret = 1\n[inner]\n");
    assert_eq!(
        message,
        "site.toml:1: zecret: no such key; did you mean `secret`?"
    );
}

#[test]
fn no_value_is_ever_quoted() {
    let keys = fields::<Site>();
    assert_eq!(keys.len(), 14);
    for key in keys {
        for value in [
            "'hunter2'",
            "['hunter2', 1]",
            "{ hunter1 = 'hunter2' }",
            "{ url = ['hunter2'] }",
            "7878",
            "-7878",
            "78.78",
            "7878-07-08",
        ] {
            let Err(error) = read(&format!("{key} = {value}")) else {
                continue;
            };
            let error = error.to_string();
            assert!(error.contains(&format!(": {key}")), "{error}");
            assert!(
                !error.contains("hunter2") && !error.contains("78"),
                "{error}"
            );
        }
    }
}

#[test]
fn everything_is_read() {
    let site = read(
        "kind = 'second-kind'\ntruth = true\ntexts = ['a', 'b']\nwait = '500ms'\nlife = 60\n\
         size = '1MiB'\nnumber = 0x0a\nloose = true\nlistener = 'unix:a?mode=0600'\n\
         store = 'url'\ninner = { needed = 'a' }",
    )
    .unwrap();
    assert_eq!(site.kind, Some(Choice::SecondKind));
    assert!(site.truth && site.texts == ["a", "b"]);
    assert_eq!(site.wait.unwrap().get().as_millis(), 500);
    assert_eq!(site.life, Some(Life::seconds(60)));
    assert_eq!(site.size, Some(Size(1 << 20)));
    assert_eq!(site.number, Some(Number(10)));
    assert_eq!(site.loose.unwrap().as_str(), "1");
    let (path, mode) = ("a".into(), 0o600);
    assert_eq!(site.listener, Some(Listener::Unix { path, mode }));
    let (url, pool) = ("url".to_owned(), None);
    assert_eq!(site.store.unwrap().0, Store { url, pool });
    let table = read("[store]\nurl = 'a'\npool = 2").unwrap().store.unwrap();
    assert_eq!(table.0.pool, Some(Number(2)));
}

#[test]
fn errors_after_reading_stand_where_the_key_stands() {
    for (text, expected) in [
        ("store = 'a'", "site.toml:1: store: is odd"),
        ("\n[store]\nurl = 'a'", "site.toml:3: store.url: is odd"),
        ("", "site.toml: store.url: is odd"),
    ] {
        let document = Document::parse(Path::new("site.toml"), text).unwrap();
        let store = document.top().section("store").unwrap();
        assert_eq!(store.wrong("url", "is odd").to_string(), expected);
    }
}

struct OtherFile;

impl Fallback for OtherFile {
    fn get(&self, key: &str) -> Result<Option<Given>, Error> {
        Ok(match key {
            "loose" => Some(Given::Text(Zeroizing::new(b"of the other file".to_vec()))),
            "secret" => Some(Given::Text(Zeroizing::new(b"hunter2".to_vec()))),
            "text" => Some(Given::Other),
            _ => None,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Loose {
    loose: Option<LooseText>,
    secret: Option<SecretSource>,
}

#[test]
fn another_file_says_what_this_one_does_not() {
    for (text, expected) in [("", "of the other file"), ("loose = 'here'", "here")] {
        let document = Document::parse(Path::new("site.toml"), text).unwrap();
        let loose: Loose = document.top().read_beside(&[], Some(&OtherFile)).unwrap();
        assert_eq!(loose.loose.unwrap().as_str(), expected);
        assert!(matches!(loose.secret, Some(SecretSource::Given(_))));
    }
    #[derive(Debug, Deserialize)]
    struct Text {
        #[expect(dead_code, reason = "it is never read")]
        text: LooseText,
    }
    let document = Document::parse(Path::new("site.toml"), "").unwrap();
    let read: Result<Text, _> = document.top().read_beside(&[], Some(&OtherFile));
    let message = read.unwrap_err().to_string();
    assert_eq!(
        message,
        "site.toml: text: is not text in the site's own file"
    );
}

#[test]
fn two_structs_may_share_a_table() {
    let document = Document::parse(Path::new("site.toml"), "loose = 1\nneeded = 'a'").unwrap();
    let table = document.top();
    let loose: Loose = table.read_beside(fields::<Inner>(), None).unwrap();
    let inner: Inner = table.read_beside(fields::<Loose>(), None).unwrap();
    assert_eq!(loose.loose.unwrap().as_str(), "1");
    assert_eq!(inner.needed, "a");
    assert!(table.read::<Loose>().is_err());
}
