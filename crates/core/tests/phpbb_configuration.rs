//! `[phpbb]`: what `config.php` says, and what is said in its place.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod recorded;

use hallpass_core::configuration::Configuration;
use hallpass_stores::sql::Location;

use self::recorded::Site;

const FILE: &str = r"<?php
$dbms = 'phpbb\\db\\driver\\mysqli';
$dbhost = '127.0.0.1';
$dbport = '33971';
$dbname = 'forum';
$dbuser = 'phpbb';
$dbpasswd = 'a$b\'c';
$table_prefix = 'phpbb_';
$acm_type = 'phpbb\\cache\\driver\\file';
@define('PHPBB_INSTALLED', true);
";

fn read(file: &str, more: &str) -> Result<Configuration, String> {
    let site = Site::load("");
    site.write("config.php", file);
    site.configuration(&format!(
        "framework = \"phpbb\"\n[phpbb]\nconfiguration = \"config.php\"\n{more}"
    ))
}

#[test]
fn everything_stands_in_the_boards_own_file() {
    let configuration = read(FILE, "").unwrap();
    let Location::Mysql(servers) = &configuration.database.location else {
        panic!("{:?}", configuration.database);
    };
    assert_eq!(servers.database, "forum");
    assert_eq!(servers.user.as_deref(), Some("phpbb"));
    assert_eq!(servers.password.as_ref().unwrap().expose(), b"a$b'c");
    assert_eq!(servers.addresses[0].to_string(), "127.0.0.1:33971");
    let phpbb = format!("{:?}", configuration.framework);
    assert!(phpbb.contains("prefix: \"phpbb_\""), "{phpbb}");
    assert!(phpbb.contains("cookie_name: None"), "{phpbb}");
}

#[test]
fn servers_are_found_as_phpbbs_drivers_find_them() {
    for (more, expected) in [
        ("dbport = 3307", "127.0.0.1:3307"),
        ("dbport = \"\"", "127.0.0.1:3306"),
        ("dbport = \"/run/a.sock\"", "unix:/run/a.sock"),
        (
            "dbhost = \"localhost\"\ndbport = \"\"",
            "unix:/run/mysqld/mysqld.sock",
        ),
        (
            "dbhost = \"\"\ndbport = \"\"",
            "unix:/run/mysqld/mysqld.sock",
        ),
        ("dbms = \"postgres\"\ndbport = \"\"", "127.0.0.1:5432"),
        (
            "dbms = \"postgres\"\ndbhost = \"db:5433\"\ndbport = \"\"",
            "db:5433",
        ),
        (
            "dbms = \"postgres\"\ndbhost = \"localhost\"\ndbport = \"\"",
            "unix:/run/postgresql/.s.PGSQL.5432",
        ),
    ] {
        let configuration = read(FILE, more).unwrap();
        let (Location::Mysql(servers) | Location::Postgres(servers)) =
            &configuration.database.location
        else {
            panic!("{:?}", configuration.database);
        };
        assert_eq!(servers.addresses[0].to_string(), expected, "{more}");
    }
}

#[test]
fn what_cannot_be_right_is_an_error_with_its_key() {
    for (file, more, expected) in [
        (FILE, "table_prefix = \"a-b\"", "phpbb.table_prefix"),
        (FILE, "table_prefix = \"a\\\"b\"", "phpbb.table_prefix"),
        (FILE, "dbms = \"oracle\"", "phpbb.dbms"),
        (FILE, "dbport = \"x\"", "phpbb.dbport"),
        (FILE, "cookie_name = \"a b\"", "phpbb.cookie_name"),
        (FILE, "ip_check = 9", "phpbb.ip_check"),
        (FILE, "browser_check = 1", "phpbb.browser_check"),
        (FILE, "table_prefx = \"a_\"", "did you mean `table_prefix`"),
        (
            "<?php $dbms = 'mysqli'; $dbname = 'a';",
            "",
            "phpbb.table_prefix",
        ),
        ("<?php $table_prefix = 'a_';", "", "phpbb.dbms"),
        (
            "<?php $dbms = 'mysqli'; $table_prefix = 'a_';",
            "",
            "phpbb.dbname",
        ),
        ("<?php $dbms = 'mysqli", "", "phpbb.configuration"),
        ("<?php $dbms = getenv('DBMS');", "", "phpbb.configuration"),
    ] {
        let error = read(file, more).unwrap_err();
        assert!(error.contains(expected), "{more}: {error}");
    }
}
