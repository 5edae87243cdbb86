//! `[joomla]`: what `configuration.php` says, and what is said in its place.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod recorded;

use hallpass_core::configuration::Configuration;
use hallpass_stores::sql::Location;

use self::recorded::Site;

const FILE: &str = r#"<?php
class JConfig {
    public $dbtype = 'mysqli';
    public $host = '127.0.0.1:33971';
    public $user = 'joomla';
    public $password = 'it\'s "secret"';
    public $db = 'joomla44';
    public $dbprefix = 'jos_';
    public $secret = 'TK0JI2K0m4hXPWcE';
    public $lifetime = '30';
    public $session_handler = 'redis';
}
"#;

fn read(file: &str, more: &str) -> Result<Configuration, String> {
    let site = Site::load("");
    site.write("configuration.php", file);
    site.configuration(&format!(
        "framework = \"joomla\"\n[joomla]\nconfiguration = \"configuration.php\"\n{more}"
    ))
}

/// Whether the settings hold all of `parts`, as they are debugged.
#[track_caller]
fn holds(configuration: &Configuration, parts: &[&str]) {
    let settings = format!("{:?}", configuration.framework);
    for part in parts {
        assert!(settings.contains(part), "{part}: {settings}");
    }
}

#[test]
fn everything_stands_in_the_sites_own_file() {
    let configuration = read(FILE, "").unwrap();
    let Location::Mysql(servers) = &configuration.database.location else {
        panic!("{:?}", configuration.database);
    };
    assert_eq!(servers.database, "joomla44");
    assert_eq!(servers.user.as_deref(), Some("joomla"));
    let password = servers.password.as_ref().unwrap();
    assert_eq!(password.expose(), b"it's \"secret\"");
    assert_eq!(servers.addresses[0].to_string(), "127.0.0.1:33971");
    holds(
        &configuration,
        &["prefix: \"jos_\"", "lifetime: 1800s", "sessions: Cache("],
    );
    let name = configuration.session_cookie_name();
    assert_eq!(name, Some("40702c4b0b5df7e9e0ca13edb2943794"));
}

#[test]
fn what_is_given_wins() {
    let more = "client = \"administrator\"\ndbtype = \"pgsql\"\nhost = \"db.example.org\"\n\
                password = \"another\"\nlifetime = 5\nsession_handler = \"database\"";
    let configuration = read(FILE, more).unwrap();
    let Location::Postgres(servers) = &configuration.database.location else {
        panic!("{:?}", configuration.database);
    };
    assert_eq!(servers.addresses[0].to_string(), "db.example.org:5432");
    assert_eq!(servers.password.as_ref().unwrap().expose(), b"another");
    holds(&configuration, &["lifetime: 300s", "sessions: Database"]);
    let name = configuration.session_cookie_name();
    assert_eq!(name, Some("8884afe0780c608d73aa691684eef803"));
    let named = read(FILE, "session_cookie_name = \"mine\"").unwrap();
    assert_eq!(named.session_cookie_name(), Some("mine"));
}

#[test]
fn what_cannot_be_right_is_an_error_with_its_key() {
    for (file, more, expected) in [
        (FILE, "dbprefix = \"a b\"", "joomla.dbprefix"),
        (FILE, "dbprefix = \"a\\\"; --\"", "joomla.dbprefix"),
        (FILE, "dbtype = \"sqlsrv\"", "joomla.dbtype"),
        (FILE, "client = \"api\"", "joomla.client"),
        (FILE, "lifetime = \"x\"", "joomla.lifetime"),
        (FILE, "host = \"h:99999\"", "joomla.host"),
        (
            FILE,
            "session_cookie_name = \"a;b\"",
            "joomla.session_cookie_name",
        ),
        (FILE, "version = \"four\"", "joomla.version"),
        (FILE, "livetime = 3", "did you mean `lifetime`"),
        (FILE, "configuration = \"elsewhere.php\"", "duplicate key"),
        (
            "<?php class JConfig { public $db = 'a",
            "",
            "joomla.configuration",
        ),
        ("<?php class JConfig { }", "", "joomla.dbtype"),
        (
            "<?php class JConfig { public $dbtype = 'mysqli'; public $dbprefix = 'a_'; }",
            "",
            "joomla.db",
        ),
        (
            "<?php class JConfig { public $dbtype = PHP_OS; public $dbprefix = 'a_'; }",
            "",
            "joomla.configuration",
        ),
    ] {
        let error = read(file, more).unwrap_err();
        assert!(error.contains(expected), "{more}: {error}");
        assert!(!error.contains("secret\""), "{error}");
    }
    let site = Site::load("");
    let text = "framework = \"joomla\"\n[joomla]\nconfiguration = \"missing.php\"";
    let error = site.configuration(text).unwrap_err();
    assert!(error.contains("joomla.configuration"), "{error}");
}
