use super::*;

/// Servers, service, user, password, database and TLS, as one line.
fn redis(text: &str) -> Result<String, Wrong> {
    let Url::Redis(redis) = Url::parse(text)? else {
        panic!("{text}");
    };
    let addresses: Vec<String> = redis.addresses.iter().map(Address::to_string).collect();
    let password = redis.password.as_ref().map(Secret::expose);
    Ok(format!(
        "{} {} {} {} {} {:?}",
        addresses.join("+"),
        redis.service.as_deref().unwrap_or("-"),
        redis.username.as_deref().unwrap_or("-"),
        password.map_or("-".into(), String::from_utf8_lossy),
        redis
            .database
            .map_or("-".to_owned(), |number| number.to_string()),
        redis.tls,
    ))
}

#[test]
fn urls_of_redis_are_read() {
    for (text, expected) in [
        ("redis://cache:6380/3", "cache:6380 - - - 3 Disable"),
        ("redis://cache", "cache:6379 - - - - Disable"),
        ("redis://cache/", "cache:6379 - - - - Disable"),
        ("redis:///1", "localhost:6379 - - - 1 Disable"),
        ("redis://[::1]:6380/0", "[::1]:6380 - - - 0 Disable"),
        ("redis://[::1]", "[::1]:6379 - - - - Disable"),
        ("rediss://cache/1", "cache:6379 - - - 1 VerifyFull"),
        ("valkey://cache/1", "cache:6379 - - - 1 Disable"),
        (
            "rediss://cache?ssl_cert_reqs=none",
            "cache:6379 - - - - Require",
        ),
        ("redis://:pw@cache", "cache:6379 - - pw - Disable"),
        ("redis://user:pw@cache", "cache:6379 - user pw - Disable"),
        ("redis://user@cache", "cache:6379 - user - - Disable"),
        (
            "redis://a%40b:p%2Fw%25%3a%2C@cache:1/2",
            "cache:1 - a@b p/w%:, 2 Disable",
        ),
        ("redis://u:p:w@cache", "cache:6379 - u p:w - Disable"),
        (
            "redis://cache?db=4&username=u&password=p%26w+",
            "cache:6379 - u p&w  4 Disable",
        ),
        (
            "unix:///run/r.sock?db=1",
            "unix:/run/r.sock - - - 1 Disable",
        ),
        (
            "unix://u:pw@/run/r.sock",
            "unix:/run/r.sock - u pw - Disable",
        ),
        ("unix:/run/r%20s.sock", "unix:/run/r s.sock - - - - Disable"),
        (
            "redis+socket:///run/r.sock?db=2",
            "unix:/run/r.sock - - - 2 Disable",
        ),
        ("redis:unix:/run/r.sock", "unix:/run/r.sock - - - - Disable"),
        ("redis://a,b:1/2", "a:6379+b:1 - - - 2 Disable"),
        (
            "redis://u:p@a/2,redis://u:p@b/2",
            "a:6379+b:6379 - u p 2 Disable",
        ),
        ("redis://a;redis://b", "a:6379+b:6379 - - - - Disable"),
        (
            "redis+sentinel://u:p@a,b:1,[::1]/mymaster/2",
            "a:26379+b:1+[::1]:26379 mymaster u p 2 Disable",
        ),
        (
            "rediss+sentinel://a/my%20master",
            "a:26379 my master - - - VerifyFull",
        ),
    ] {
        assert_eq!(redis(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn urls_of_memcached_are_read() {
    for (text, expected) in [
        ("memcached://cache:11212", "cache:11212"),
        ("memcached://cache", "cache:11211"),
        ("memcached:cache", "cache:11211"),
        ("memcached://a:1,b:2", "a:1+b:2"),
        ("memcached://a:1;b:2/", "a:1+b:2"),
        ("memcached://[::1]:1", "[::1]:1"),
        ("memcached:unix:/run/m.sock", "unix:/run/m.sock"),
        ("memcached:/run/m.sock", "unix:/run/m.sock"),
        ("memcached:///run/m.sock", "unix:/run/m.sock"),
        ("memcache://unix:/a,unix:/b", "unix:/a+unix:/b"),
    ] {
        let Ok(Url::Memcached(addresses)) = Url::parse(text) else {
            panic!("{text}");
        };
        let addresses: Vec<String> = addresses.iter().map(Address::to_string).collect();
        assert_eq!(addresses.join("+"), expected, "{text}");
    }
}

#[test]
fn tables_and_directories_are_read() {
    for (text, expected) in [
        ("db:cache", "Table(\"cache\")"),
        ("db:my cache", "Table(\"my cache\")"),
        ("file:/var/cache", "Directory(\"/var/cache\")"),
        ("file:///var/cache", "Directory(\"/var/cache\")"),
        ("file:cache", "Directory(\"cache\")"),
    ] {
        assert_eq!(format!("{:?}", Url::parse(text).unwrap()), expected);
    }
}

#[test]
fn what_names_no_cache_is_refused() {
    for text in [
        "",
        "cache",
        "/run/redis.sock",
        "http://cache",
        "postgres://cache",
        "redis",
        "redis:cache",
        "redis:/cache",
        "redis://cache:port",
        "redis://cache:0",
        "redis://cache:65536",
        "redis://cache:",
        "redis://cache:+1",
        "redis://cache/one",
        "redis://cache/-1",
        "redis://cache/4294967296",
        "redis://cache/1/2",
        "redis://cache/1?db=2",
        "redis://cache?host=other",
        "redis://cache?db",
        "redis://cache?ssl_cert_reqs=none",
        "rediss://cache?ssl_cert_reqs=optional",
        "redis://::1",
        "redis://[::1",
        "redis://[cache]",
        "redis://[::1]6379",
        "redis://ca che",
        "redis://cache\n",
        "redis://:p/w@cache",
        "redis://:p#w@cache",
        "redis://:p,w@cache",
        "redis://:50%@cache",
        "redis://:%ff@cache",
        "redis://a,",
        "redis://u:p@a,u:q@b",
        "redis://u@a,v@b",
        "redis://a/1,b/2",
        "redis://a,rediss://b",
        "redis+sentinel://a",
        "redis+sentinel:///mymaster",
        "redis+sentinel://a/x,b/y",
        "redis+sentinel://a/mymaster/one",
        "unix://",
        "unix:",
        "unix://run/redis.sock",
        "memcached:",
        "memcached://",
        "memcached://a,,b",
        "memcached://user:pw@a",
        "memcached://a/1",
        "memcached://a:0",
        "memcached:unix:",
        "db:",
        "file:",
        "file://",
    ] {
        assert!(Url::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_password_is_not_shown() {
    let parsed = Url::parse("redis://user:hunter2@cache").unwrap();
    assert!(!format!("{parsed:?}").contains("hunter2"));
}
