//! The key `database`: URLs and tables, and what is wrong with them.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use hallpass_core::Configuration;
use hallpass_stores::sql::{Location, Servers, Settings};
use hallpass_stores::{Address, TlsMode};

fn parse(database: &str) -> Result<Settings, String> {
    let text = format!("framework = \"django\"\n{database}");
    let configuration = Configuration::parse(Path::new("/etc/site/site.toml"), &text);
    let configuration = configuration.map_err(|error| error.to_string())?;
    Ok(configuration.database)
}

fn url(url: &str) -> Result<Settings, String> {
    parse(&format!("database = \"{url}\""))
}

fn servers(settings: &Settings) -> &Servers {
    match &settings.location {
        Location::Postgres(servers) | Location::Mysql(servers) => servers,
        Location::Sqlite(path) => panic!("{}", path.display()),
        Location::Nowhere => panic!("nowhere"),
    }
}

fn tcp(host: &str, port: u16) -> Address {
    Address::Tcp {
        host: host.to_owned(),
        port,
    }
}

fn password(settings: &Settings) -> Option<&[u8]> {
    let password = servers(settings).password.as_ref();
    password.map(|password| password.expose())
}

#[test]
fn a_server_is_where_the_url_says() {
    let socket = Address::Unix("/run/postgresql/.s.PGSQL.5432".into());
    for (text, addresses) in [
        ("postgres://db/shop", vec![tcp("db", 5432)]),
        ("postgresql://db:1/shop", vec![tcp("db", 1)]),
        ("postgres://[::1]:1/shop", vec![tcp("::1", 1)]),
        (
            "postgres://a,b:2,[::1]/shop",
            vec![tcp("a", 5432), tcp("b", 2), tcp("::1", 5432)],
        ),
        (
            "postgres://a,b:2/shop?port=7",
            vec![tcp("a", 7), tcp("b", 2)],
        ),
        (
            "postgres:///shop?host=a,b&port=1,2",
            vec![tcp("a", 1), tcp("b", 2)],
        ),
        ("postgres:///shop?host=::1", vec![tcp("::1", 5432)]),
        ("postgres:///shop", vec![socket.clone()]),
        (
            "postgres:///shop?host=/run/postgresql",
            vec![socket.clone()],
        ),
        ("postgres://%2Frun%2Fpostgresql/shop", vec![socket]),
        ("mysql://db/shop", vec![tcp("db", 3306)]),
        ("mariadb://a:1,b/shop", vec![tcp("a", 1), tcp("b", 3306)]),
        ("mysql:///shop", vec![tcp("localhost", 3306)]),
        (
            "mysql://u@db/shop?socket=/run/mysqld/mysqld.sock",
            vec![Address::Unix("/run/mysqld/mysqld.sock".into())],
        ),
        (
            "mysql:///shop?unix_socket=my.sock",
            vec![Address::Unix("/etc/site/my.sock".into())],
        ),
    ] {
        let settings = url(text).unwrap();
        assert_eq!(servers(&settings).addresses, addresses, "{text}");
        assert_eq!(servers(&settings).database, "shop");
        assert_eq!(settings.tls.mode, TlsMode::Prefer);
        assert_eq!(settings.connect_timeout, Duration::from_secs(2));
        assert_eq!(settings.query_timeout, Duration::from_secs(2));
    }
}

#[test]
fn a_user_is_who_the_url_says() {
    let settings = url("postgres://us%40er:p%3A%C3%9F@db/sh%20op").unwrap();
    assert_eq!(servers(&settings).user.as_deref(), Some("us@er"));
    assert_eq!(servers(&settings).database, "sh op");
    assert_eq!(password(&settings), Some("p:ß".as_bytes()));
    let settings = url("postgres:///shop?user=u&password=p%26w").unwrap();
    assert_eq!(servers(&settings).user.as_deref(), Some("u"));
    assert_eq!(password(&settings), Some(&b"p&w"[..]));
    let settings = url("mysql://db/shop").unwrap();
    assert_eq!(servers(&settings).user, None);
    assert_eq!(password(&settings), None);
}

#[test]
fn tls_is_what_the_url_says() {
    for (text, mode, ca) in [
        ("postgres://h/n?sslmode=disable", TlsMode::Disable, None),
        ("postgres://h/n?sslmode=allow", TlsMode::Prefer, None),
        ("postgres://h/n?sslmode=require", TlsMode::Require, None),
        (
            "postgres://h/n?sslmode=verify-ca&sslrootcert=ca.pem",
            TlsMode::Require,
            Some("/etc/site/ca.pem"),
        ),
        (
            "postgres://h/n?sslrootcert=/ca.pem&sslmode=verify-full",
            TlsMode::VerifyFull,
            Some("/ca.pem"),
        ),
        (
            "postgres://h/n?sslrootcert=system",
            TlsMode::VerifyFull,
            None,
        ),
        ("mysql://h/n?ssl-mode=DISABLED", TlsMode::Disable, None),
        (
            "mysql://h/n?ssl_mode=VERIFY_IDENTITY",
            TlsMode::VerifyFull,
            None,
        ),
        (
            "mysql://h/n?ssl-mode=VERIFY_CA&ssl-ca=ca.pem",
            TlsMode::Require,
            Some("/etc/site/ca.pem"),
        ),
        ("mysql://h/n?charset=utf8mb4", TlsMode::Prefer, None),
    ] {
        let settings = url(text).unwrap();
        assert_eq!(settings.tls.mode, mode, "{text}");
        assert_eq!(settings.tls.ca.as_deref(), ca.map(Path::new), "{text}");
    }
    let settings = url("postgres://h/n?connect_timeout=7").unwrap();
    assert_eq!(settings.connect_timeout, Duration::from_secs(7));
}

#[test]
fn a_table_says_more() {
    let settings = parse(
        "[database]\nurl = \"mysql://u@db/shop\"\npassword = \"p@ss/word\"\ntls = \"verify-full\"\n\
         ca = \"ca.pem\"\nconnect_timeout = \"1s\"\nquery_timeout = \"500ms\"\npool = 4\n",
    )
    .unwrap();
    assert_eq!(password(&settings), Some(&b"p@ss/word"[..]));
    assert_eq!(settings.tls.mode, TlsMode::VerifyFull);
    assert_eq!(
        settings.tls.ca.as_deref(),
        Some(Path::new("/etc/site/ca.pem"))
    );
    assert_eq!(settings.connect_timeout, Duration::from_secs(1));
    assert_eq!(settings.query_timeout, Duration::from_millis(500));
    assert_eq!(settings.pool, Some(4));
    let settings = parse("[database]\nurl = \"sqlite:db\"\nquery_timeout = \"1s\"").unwrap();
    let Location::Sqlite(path) = settings.location else {
        panic!();
    };
    assert_eq!(path, Path::new("/etc/site/db"));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, expected) in [
        ("database = \"postgres:shop\"", "2: database: has no `//`"),
        (
            "database = \"postgres://db\"",
            "2: database: names no database",
        ),
        (
            "database = \"postgres://db/\"",
            "2: database: names no database",
        ),
        (
            "database = \"mysql://,b/n\"",
            "2: database: has a host without",
        ),
        ("database = \"mysql://b:0/n\"", "2: database: has a port"),
        (
            "database = \"mysql://u:a/b@h/n\"",
            "2: database: has a port",
        ),
        ("database = \"mysql://u:%zz@h/n\"", "2: database: has a `%`"),
        (
            "database = \"postgres://h/n?x=1\"",
            "2: database: has an unknown parameter `x`",
        ),
        (
            "database = \"mysql://h/n?host\"",
            "2: database: has a parameter without",
        ),
        (
            "database = \"mysql://h/n?charset=latin1\"",
            "2: database: has an unknown parameter `charset`",
        ),
        (
            "database = \"postgres://h/n?sslmode=x\"",
            "2: database: has an unknown `sslmode`",
        ),
        (
            "database = \"postgres://h/n?sslmode=verify-ca\"",
            "2: database: has `sslmode=verify-ca`",
        ),
        (
            "database = \"postgres://h/n?connect_timeout=0\"",
            "2: database: has a connect",
        ),
        (
            "database = \"postgres://h,i/n?port=1,2,3\"",
            "2: database: does not have as many",
        ),
        ("[database]\npassword = \"p\"", "database.url: is missing"),
        (
            "[database]\nurl = \"mysql://u:p@h/n\"\npassword = \"p\"",
            "4: database.password: is given here and in the URL",
        ),
        (
            "[database]\nurl = \"mysql://h/n\"\npassword = \"\"",
            "4: database.password: the secret",
        ),
        (
            "[database]\nurl = \"mysql://h/n\"\ntls = \"yes\"",
            "4: database.tls: is none of",
        ),
        (
            "[database]\nurl = \"mysql://h/n\"\ntls = \"disable\"\nca = \"c\"",
            "5: database.ca: is for TLS",
        ),
        (
            "[database]\nurl = \"mysql://h/n\"\npool = 0",
            "4: database.pool: is not from 1",
        ),
        (
            "[database]\nurl = \"mysql://h/n\"\nquery_timeout = \"0s\"",
            "4: database.query_timeout: must be longer",
        ),
        (
            "[database]\nurl = \"mysql://h/n\"\ntsl = \"x\"",
            "4: database.tsl: no such key; did you",
        ),
        (
            "[database]\nurl = \"sqlite:x\"\npassword = \"p\"",
            "4: database.password: has no effect",
        ),
    ] {
        let error = parse(text).unwrap_err();
        let place = format!("/etc/site/site.toml:{expected}");
        let missing = format!("/etc/site/site.toml: {expected}");
        assert!(
            error.starts_with(&place) || error.starts_with(&missing),
            "{error}"
        );
    }
}

#[test]
fn no_error_shows_a_password() {
    for text in [
        "database = \"mysql://u:hunter2/x@h/n\"",
        "database = \"mysql://u:hunter2#@h/n\"",
        "database = \"mysql://u:hunter2%@h/n\"",
        "database = \"mysql://u:hunter2@h\"",
        "database = \"mysqli://u:hunter2@h/n\"",
        "database = \"postgres://h/n?password=hunter2&sslmode=x\"",
    ] {
        let error = parse(text).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
    let shown = format!("{:?}", url("mysql://u:hunter2@h/n").unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_password_that_everybody_can_read_is_warned_about() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("site.toml");
    for (database, mode, warnings) in [
        ("database = \"mysql://u:p@h/n\"", 0o644, 1),
        ("database = \"mysql://u:p@h/n\"", 0o640, 0),
        ("database = \"mysql://u@h/n\"", 0o644, 0),
        (
            "[database]\nurl = \"mysql://u@h/n\"\npassword = \"p\"",
            0o644,
            1,
        ),
    ] {
        std::fs::write(&path, format!("framework = \"django\"\n{database}")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let configuration = Configuration::load(&path).unwrap();
        assert_eq!(configuration.warnings.len(), warnings, "{database}");
    }
}

#[test]
fn a_search_path_is_that_of_the_site() {
    for (text, expected) in [
        ("url = \"postgres://h/n\"", &[][..]),
        ("url = \"postgres://h/n\"\nschema = \"crm\"", &["crm"]),
        (
            "url = \"postgis://h/n\"\nschema = [\"Site\", \"$user\", \"public\"]",
            &["Site", "$user", "public"],
        ),
        (
            "url = \"pgsql://h/n?options=-csearch_path%3DCRM%2Cpublic\"",
            &["crm", "public"],
        ),
    ] {
        let settings = parse(&format!("[database]\n{text}")).unwrap();
        assert_eq!(servers(&settings).search_path, expected, "{text}");
    }
    for (text, words) in [
        ("url = \"postgres://h/n\"\nschema = \"\"", "schema: "),
        ("url = \"postgres://h/n\"\nschema = []", "schema: "),
        (
            "url = \"postgres://h/n\"\nschema = 7",
            "neither the name of a schema nor a list",
        ),
        (
            "url = \"mysql://h/n\"\nschema = \"crm\"",
            "no effect but for PostgreSQL",
        ),
        (
            "url = \"sqlite:x\"\nschema = \"crm\"",
            "no effect but for PostgreSQL",
        ),
        (
            "url = \"postgres://h/n?options=-csearch_path%3Da\"\nschema = \"b\"",
            "give it once",
        ),
        ("url = \"postgres://h/n?options=-crole%3Droot\"", "set role"),
        ("url = \"postgres://h/n?options=x\"", "-c search_path=crm"),
    ] {
        let wrong = parse(&format!("[database]\n{text}")).unwrap_err();
        assert!(wrong.contains(words), "{text}: {wrong}");
    }
}

#[test]
fn sessions_may_have_a_database_of_their_own() {
    let text = "database = \"sqlite:a\"\nsession_database = \"sqlite:b\"";
    let settings = parse(text).unwrap();
    let sessions = settings.sessions.as_ref().unwrap();
    let location = sessions.location.to_string();
    assert!(location.ends_with("/etc/site/b"), "{location}");
    assert_eq!(settings.one_by_one().len(), 2);
    for text in [
        "database = \"sqlite:a\"\nsession_database = \"\"",
        "database = \"sqlite:a\"\nsession_database = { ulr = \"sqlite:b\" }",
        "database = \"sqlite:a\"\nsession_database = \"sqlite:b\"\n[django]\nsession_engine = \"file\"",
        "database = \"sqlite:a\"\nsession_database = \"sqlite:b\"\nsession_source = \"http\"\n\
         [http]\nurl = \"http://h/\"\ncookie = \"c\"\nusername = \"/user\"",
    ] {
        let wrong = parse(text).unwrap_err();
        assert!(wrong.contains("session_database"), "{text}: {wrong}");
    }
}

fn configured(text: &str) -> Result<Configuration, String> {
    let configuration = Configuration::parse(Path::new("/etc/site/site.toml"), text);
    configuration.map_err(|error| error.to_string())
}

#[test]
fn phpbb_has_a_schema_behind_the_database() {
    let text = "framework = \"phpbb\"\n[phpbb]\ndbms = 'phpbb\\db\\driver\\postgres'\n\
                dbhost = \"localhost\"\ndbport = \"5433\"\ndbname = \"forum.Board.x\"\n\
                dbuser = \"forum\"\ntable_prefix = \"phpbb_\"";
    let configuration = configured(text).unwrap();
    let servers = servers(&configuration.database);
    assert_eq!(servers.database, "forum");
    // As it stands in SET search_path TO, without quotes.
    assert_eq!(servers.search_path, ["board"]);
    let socket = Address::Unix("/run/postgresql/.s.PGSQL.5433".into());
    assert_eq!(servers.addresses, [socket, tcp("localhost", 5433)]);
    let wrong = configured(&text.replace("Board", "a b")).unwrap_err();
    assert!(wrong.contains("dbname"), "{wrong}");
    let plain = configured(&text.replace(".Board.x", "")).unwrap();
    assert!(self::servers(&plain.database).search_path.is_empty());
}

#[test]
fn a_socket_of_joomlas_has_no_port() {
    let joomla = |more: &str| {
        configured(&format!(
            "framework = \"joomla\"\n[joomla]\ndbtype = \"mysqli\"\nhost = \"localhost\"\n\
             db = \"j\"\ndbprefix = \"j_\"\nsecret = \"s\"\n{more}"
        ))
    };
    for (host, port) in [("/run/redis.sock", "-1"), ("unix:///run/redis.sock", "x")] {
        let more = format!(
            "session_handler = \"redis\"\nsession_redis_server_host = \"{host}\"\n\
             session_redis_server_port = \"{port}\""
        );
        let configuration = joomla(&more).unwrap();
        let caches = configuration.caches();
        let place = format!("{:?}", caches.first().unwrap().store);
        assert!(place.contains("/run/redis.sock"), "{place}");
        // Of another handler, whatever it is.
        joomla(&more.replace("\"redis\"", "\"database\"")).unwrap();
        joomla(&more.replace("\"redis\"", "\"memcached\"")).unwrap();
        // Of a server by its name.
        let wrong = joomla(&more.replace(host, "redis")).unwrap_err();
        assert!(wrong.contains("session_redis_server_port"), "{wrong}");
    }
}
