//! Entries of settings, and what is written of them.

use serde_json::json;

use super::*;

/// What is written of an entry of DATABASES, and whether all of it could be said.
fn written(vendor: &str, more: Value) -> Result<(String, bool), String> {
    let mut entry = json!({
        "alias": "default", "engine": "e", "vendor": vendor, "name": "shop", "host": "",
        "port": "", "user": "site", "password": null, "options": {}, "zone": "UTC",
    });
    if let (Value::Object(entry), Value::Object(more)) = (&mut entry, more) {
        entry.extend(more);
    }
    let database: Database = serde_json::from_value(entry).map_err(|error| error.to_string())?;
    let mut page = Page::new("hallpass", |_| {});
    page.string("framework", "django", "");
    write(&mut page, &database, Path::new("/srv/shop")).map_err(|error| error.to_string())?;
    // Whatever it is, it loads; there is no password that would have to be in a file.
    hallpass_core::Configuration::parse(Path::new("/nowhere.toml"), page.text())
        .map_err(|error| error.to_string())?;
    let url = page.text().lines().find_map(|line| {
        let value = line
            .strip_prefix("url = \"")
            .or(line.strip_prefix("database = \""))?;
        Some(value.split('"').next()?.to_owned())
    });
    Ok((url.ok_or("no URL")?, page.warnings.is_empty()))
}

#[test]
fn entries_become_urls() {
    for (vendor, entry, expected) in [
        (
            "sqlite",
            json!({"name": "/srv/db.sqlite3"}),
            "sqlite:/srv/db.sqlite3",
        ),
        ("postgresql", json!({}), "postgres://site@/shop"),
        (
            "postgresql",
            json!({"host": "db.example", "port": "5433", "user": "a@b", "name": "a/b c"}),
            "postgres://a%40b@db.example:5433/a/b%20c",
        ),
        (
            "postgresql",
            json!({"host": "/run/pg", "port": "5433", "user": ""}),
            "postgres:///shop?host=/run/pg&port=5433",
        ),
        (
            "postgresql",
            json!({"host": "one,two", "port": "5432,5433"}),
            "postgres://site@/shop?host=one%2Ctwo&port=5432%2C5433",
        ),
        (
            "postgresql",
            json!({"host": "::1", "options": {"sslmode": "verify-full", "pool": true}}),
            "postgres://site@/shop?host=%3A%3A1&sslmode=verify-full",
        ),
        (
            "postgresql",
            json!({"port": "5433", "options": {"options": "-c statement_timeout=5"}}),
            "postgres://site@/shop?port=5433",
        ),
        (
            "mysql",
            json!({"host": "db", "port": "3307", "options": {"ssl_disabled": true}}),
            "mysql://site@db:3307/shop?ssl-mode=DISABLED",
        ),
        (
            "mysql",
            json!({"host": "/run/a b.sock", "options": {"charset": "utf8mb4"}}),
            "mysql://site@/shop?socket=/run/a%20b.sock",
        ),
        (
            "mysql",
            json!({"host": "db", "options": {"ssl": {"ca": "/ca.pem"}}}),
            "mysql://site@db/shop?ssl-ca=/ca.pem&ssl-mode=VERIFY_CA",
        ),
    ] {
        let found = written(vendor, entry);
        assert_eq!(found, Ok((expected.to_owned(), true)));
    }
}

#[test]
fn what_cannot_be_said_is_said() {
    for (vendor, entry) in [
        ("sqlite", json!({"name": "db.sqlite3"})),
        ("postgresql", json!({"options": {"passfile": "/p"}})),
        (
            "postgresql",
            json!({"options": {"options": "-c search_path=shop"}}),
        ),
        ("postgresql", json!({"options": {"sslcert": "/c"}})),
        (
            "mysql",
            json!({"host": "db", "options": {"named_pipe": true}}),
        ),
    ] {
        let found = written(vendor, entry.clone());
        assert!(matches!(found, Ok((_, false))), "{entry}: {found:?}");
    }
    for (vendor, entry) in [
        ("oracle", json!({})),
        ("sqlite", json!({"name": ":memory:"})),
        ("sqlite", json!({"name": "file:shop?mode=memory"})),
        ("sqlite", json!({"name": ""})),
        (
            "postgresql",
            json!({"name": "", "options": {"service": "shop"}}),
        ),
        ("postgresql", json!({"name": ""})),
        ("postgresql", json!({"port": "x"})),
        ("mysql", json!({"host": "a/b"})),
    ] {
        let found = written(vendor, entry.clone());
        assert!(found.is_err(), "{entry}: {found:?}");
    }
}
