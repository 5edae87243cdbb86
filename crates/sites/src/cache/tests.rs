use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use hallpass_settings::Document;

#[derive(Deserialize)]
struct Site {
    cache: Option<UrlOr<CacheTable>>,
}

fn read(document: &Document<'_>) -> Result<Option<CacheLocation>, Error> {
    let settings: Site = document.top().read()?;
    resolve(&document.top().section("cache")?, settings.cache)
}

fn read_at(path: &Path, text: &str) -> Result<(CacheLocation, Vec<String>), String> {
    let document = Document::parse(path, text).map_err(|error| error.to_string())?;
    let location = read(&document).map_err(|error| error.to_string())?;
    Ok((location.unwrap(), document.warnings()))
}

fn read_text(text: &str) -> Result<CacheLocation, String> {
    read_at(Path::new("/etc/hallpass/site.toml"), text).map(|(location, _)| location)
}

#[test]
fn nothing_is_no_cache() {
    let document = Document::parse(Path::new("site.toml"), "").unwrap();
    assert!(read(&document).unwrap().is_none());
}

#[test]
fn tables_and_directories_are_located() {
    let table = read_text("cache = 'db:my_cache'").unwrap();
    assert!(matches!(table, CacheLocation::Table(name) if name.table == "my_cache"));
    let directory = read_text("cache = 'file:cache'").unwrap();
    assert!(matches!(directory, CacheLocation::Directory(path)
        if path == Path::new("/etc/hallpass/cache")));
}

#[test]
fn a_table_says_more_than_a_url() {
    let location = read_text(
        "cache = { url = 'rediss://shop@cache/2', password = 'hunter2', ca = 'ca.pem', \
         connect_timeout = '300ms', query_timeout = '1s', servers = 'shards' }",
    );
    let Ok(CacheLocation::Server(settings)) = location else {
        panic!("{location:?}");
    };
    assert_eq!(settings.connect_timeout, Duration::from_millis(300));
    assert_eq!(settings.query_timeout, Duration::from_secs(1));
    let Store::Redis {
        servers,
        login: Some(login),
        database,
        tls,
    } = &settings.store
    else {
        panic!("{settings:?}");
    };
    assert!(matches!(servers, RedisServers::Sharded(addresses) if addresses.len() == 1));
    assert_eq!(login.username.as_deref(), Some("shop"));
    assert_eq!(login.password.expose(), b"hunter2");
    assert_eq!(*database, 2);
    assert_eq!(tls.mode, TlsMode::VerifyFull);
    assert_eq!(tls.ca.as_deref(), Some(Path::new("/etc/hallpass/ca.pem")));
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn sentinels_have_users_of_their_own() {
    let location = read_text(
        "cache = { url = 'redis+sentinel://a,b/m', password = 'x', sentinel_password = 'y' }",
    );
    let Ok(CacheLocation::Server(settings)) = location else {
        panic!("{location:?}");
    };
    let Store::Redis { servers, .. } = &settings.store else {
        panic!("{settings:?}");
    };
    assert!(
        matches!(servers, RedisServers::Sentinel { sentinels, service, login: Some(login) }
        if sentinels.len() == 2 && service == "m" && login.password.expose() == b"y")
    );
}

#[test]
fn sockets_are_relative_to_the_file() {
    let location = read_text("cache = 'memcached:unix:run/m.sock'");
    let Ok(CacheLocation::Server(settings)) = location else {
        panic!("{location:?}");
    };
    let Store::Memcached(addresses) = &settings.store else {
        panic!("{settings:?}");
    };
    let path = Path::new("/etc/hallpass/run/m.sock");
    assert_eq!(addresses, &[Address::Unix(path.to_owned())]);
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_never_its_value() {
    for (text, place, words) in [
        ("cache = 1", ":1: cache:", "neither a URL nor a table"),
        ("\ncache = 'hunter2'", ":2: cache:", "is not a URL"),
        ("cache = 'redis://:hunter2#@a'", ":1: cache:", "%23"),
        ("cache = 'db:'", ":1: cache:", "names no table"),
        (
            "cache = { url = 'http://a' }",
            ":1: cache.url:",
            "starts with",
        ),
        ("cache = { }", "cache.url:", "is missing"),
        (
            "[cache]\nurl = 'redis://a'\npasword = 'hunter2'",
            ":3: cache.pasword:",
            "did you mean `password`?",
        ),
        (
            "[cache]\nurl = 'memcached://a'\npassword = 'hunter2'",
            ":3: cache.password:",
            "no such key",
        ),
        (
            "[cache]\nurl = 'redis://:hunter2@a'\npassword = 'hunter2'",
            ":3: cache.password:",
            "in the URL, too",
        ),
        (
            "cache = 'redis://hunter2@a'",
            ":1: cache:",
            "without a password",
        ),
        (
            "[cache]\nurl = 'redis://a'\nca = 'ca.pem'",
            ":3: cache.ca:",
            "there is no TLS",
        ),
        (
            "[cache]\nurl = 'redis://a'\ntls = 'prefer'",
            ":3: cache.tls:",
            "is none of",
        ),
        (
            "[cache]\nurl = 'redis://a'\nquery_timeout = 5",
            ":3: cache.query_timeout:",
            "is not a duration",
        ),
        (
            "[cache]\nurl = 'redis://a'\nservers = 'many'",
            ":3: cache.servers:",
            "is neither",
        ),
        (
            "[cache]\nurl = 'redis://a'\nsentinel_password = 'hunter2'",
            ":3: cache.sentinel_password:",
            "no such key",
        ),
        (
            "cache = { url = 'db:t', tls = 'require' }",
            "cache.tls:",
            "no such key",
        ),
    ] {
        let message = read_text(text).unwrap_err();
        assert!(message.contains(place), "{text}: {message}");
        assert!(message.contains(words), "{text}: {message}");
        assert!(!message.contains("hunter2"), "{text}: {message}");
    }
}

#[test]
fn a_password_that_everybody_can_read_is_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("site.toml");
    std::fs::write(&path, "").unwrap();
    for (mode, url, expected) in [
        (0o644, "redis://:hunter2@a", 1),
        (0o640, "redis://:hunter2@a", 0),
        (0o644, "redis://a", 0),
        (0o644, "redis://a?password=hunter2", 1),
    ] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let (_, warnings) = read_at(&path, &format!("cache = '{url}'")).unwrap();
        assert_eq!(warnings.len(), expected, "{url} {mode:o}");
        assert!(!warnings.concat().contains("hunter2"));
    }
}
