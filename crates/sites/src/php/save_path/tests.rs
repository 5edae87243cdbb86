use super::*;

fn place(save_path: &str) -> Option<(Option<String>, usize)> {
    files(save_path).ok().map(|it| (it.directory, it.depth))
}

#[test]
fn files_have_a_depth_and_a_mode() {
    let there = |depth| Some((Some("/var/sessions".to_owned()), depth));
    assert_eq!(place("/var/sessions"), there(0));
    assert_eq!(place("2;/var/sessions"), there(2));
    assert_eq!(place("2;0640;/var/sessions"), there(2));
    assert_eq!(place("0;600;/var/sessions"), there(0));
    // A semicolon may be a part of the last.
    let odd = Some((Some("/var;x".to_owned()), 1));
    assert_eq!(place("1;0600;/var;x"), odd);
    assert_eq!(place(""), Some((None, 0)));
    assert_eq!(place("2;"), Some((None, 2)));
    for wrong in [
        "x;/var",
        "-1;/var",
        "22;/var",
        "1;abc;/var",
        "1;0689;/var",
        ";/var",
        "/a\0",
    ] {
        assert_eq!(place(wrong), None, "{wrong:?}");
    }
}

#[test]
fn users_are_known_by_name_and_number() {
    assert_eq!(user("root"), Some(0));
    assert_eq!(user("33"), Some(33));
    assert_eq!(user("no such user"), None);
    assert_eq!(user(""), None);
}

fn memcached_servers(save_path: &str) -> Result<Vec<String>, Wrong> {
    let Store::Memcached(addresses) = memcached(save_path, Path::new("/etc"))?.store else {
        panic!("this is memcached");
    };
    Ok(addresses.iter().map(Address::to_string).collect())
}

#[test]
fn memcached_has_servers() {
    for (save_path, expected) in [
        ("localhost:11211", vec!["localhost:11211"]),
        ("localhost", vec!["localhost:11211"]),
        ("a:1,b:2:30, c:3", vec!["a:1", "b:2", "c:3"]),
        ("[::1]:7:2", vec!["[::1]:7"]),
        ("/run/memcached.sock", vec!["unix:/run/memcached.sock"]),
        ("/run/memcached.sock:0", vec!["unix:/run/memcached.sock"]),
        ("PERSISTENT=pool a:1,b:2", vec!["a:1", "b:2"]),
        ("tcp://a:1?weight=2&timeout=1,tcp://b:2", vec!["a:1", "b:2"]),
        (
            "unix:///run/m.sock:0?persistent=1",
            vec!["unix:/run/m.sock"],
        ),
    ] {
        assert_eq!(
            memcached_servers(save_path).unwrap(),
            expected,
            "{save_path}"
        );
    }
    for wrong in [
        "",
        ",",
        "a:0",
        "a:99999",
        "a:b",
        "http://a:1",
        "unix://",
        "PERSISTENT=x",
    ] {
        assert!(memcached_servers(wrong).is_err(), "{wrong}");
    }
}

fn shown(redis: Result<Redis, Wrong>, parts: bool) -> Result<String, Wrong> {
    let redis = redis?;
    let Store::Redis {
        servers,
        login,
        database,
        tls,
    } = redis.settings.store
    else {
        panic!("these are servers of Redis");
    };
    let addresses = match servers {
        RedisServers::Sharded(addresses) if parts => addresses,
        RedisServers::Replicated(addresses) if !parts => addresses,
        other => panic!("{other:?}"),
    };
    let addresses: Vec<_> = addresses.iter().map(Address::to_string).collect();
    let login = login.map_or(String::new(), |login| {
        let password = String::from_utf8_lossy(login.password.expose()).into_owned();
        format!(
            "{}:{password}",
            login.username.as_deref().unwrap_or_default()
        )
    });
    let prefix = redis.prefix.unwrap_or_default();
    let addresses = addresses.join(",");
    Ok(format!(
        "{addresses} {login} {database} {prefix} {:?}",
        tls.mode
    ))
}

#[test]
fn redis_has_servers_and_parameters() {
    let read = |save_path| shown(redis(save_path, Path::new("/etc")), true);
    for (save_path, expected) in [
        ("tcp://127.0.0.1:6379", "127.0.0.1:6379  0  Disable"),
        ("tcp://host", "host:6379  0  Disable"),
        (
            "tcp://a:1?auth=p%26q&database=3&prefix=app:&weight=1&timeout=2.5",
            "a:1 :p&q 3 app: Disable",
        ),
        (
            "tcp://a:1?weight=1, tcp://b:2?weight=2",
            "a:1,b:2  0  Disable",
        ),
        ("tcp://a:1 tcp://b:2", "a:1,b:2  0  Disable"),
        (
            "unix:///run/redis.sock?database=2",
            "unix:/run/redis.sock  2  Disable",
        ),
        ("tcp://a:1?auth[]=u&auth[]=p", "a:1 u:p 0  Disable"),
        (
            "tcp://a:1?auth%5Buser%5D=u&auth%5Bpass%5D=p",
            "a:1 u:p 0  Disable",
        ),
        // As PHP's `parse_url` takes it apart, which phpredis asks.
        ("127.0.0.1:7310", "127.0.0.1:7310  0  Disable"),
        ("localhost:6379/?auth=x", "localhost:6379 :x 0  Disable"),
        ("/run/redis.sock", "unix:/run/redis.sock  0  Disable"),
        (
            "/run/redis.sock?auth=x&database=2",
            "unix:/run/redis.sock :x 2  Disable",
        ),
        ("a:1,b:2", "a:1,b:2  0  Disable"),
        ("//a:1", "a:1  0  Disable"),
        ("tls://a:1", "a:1  0  VerifyFull"),
        ("tls://a:1?stream[verify_peer]=0", "a:1  0  Require"),
    ] {
        assert_eq!(read(save_path).unwrap(), expected, "{save_path}");
    }
    for wrong in [
        "",
        "a",
        "a:1?auth=x",
        "a:99999",
        "[::1]:1",
        "http://a:1",
        "tcp://a:0",
        "tcp://a:1?database=x",
        "tcp://a:1?unknown=1",
        "tcp://a:1?auth[]=a&auth[]=b&auth[]=c",
        "tcp://a:1?auth[user]=u",
        "tcp://a:1?prefix=x,tcp://b:2?prefix=y",
        "unix://",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_redis_cluster_has_seeds_and_parameters() {
    let read = |save_path| shown(redis_cluster(save_path, Path::new("/etc")), false);
    for (save_path, expected) in [
        ("seed[]=127.0.0.1:7000", "127.0.0.1:7000  0  Disable"),
        (
            "seed[]=a:1&seed[]=b:2&timeout=2&read_timeout=2.5&failover=error&persistent=1",
            "a:1,b:2  0  Disable",
        ),
        // As PHP reads any query string.
        (
            "seed%5B%5D=a%3A1&seed[x]=b:2&prefix=app%3A&auth=p%26q+r",
            "a:1,b:2 :p&q r 0 app: Disable",
        ),
        ("auth[]=u&auth[]=p&seed[]=a:1&", "a:1 u:p 0  Disable"),
        ("auth[user]=u&auth[pass]=p&seed[]=a:1", "a:1 u:p 0  Disable"),
        ("seed[]=[::1]:7000", "[::1]:7000  0  Disable"),
        // It has no database but one, whatever is written.
        ("seed[]=a:1&database=3", "a:1  0  Disable"),
        ("seed[]=tls://a:1", "a:1  0  VerifyFull"),
        ("seed[]=a:1&stream[verify_peer]=1", "a:1  0  VerifyFull"),
        ("seed[]=a:1&stream[verify_peer]=0", "a:1  0  Require"),
    ] {
        assert_eq!(read(save_path).unwrap(), expected, "{save_path}");
    }
    for wrong in [
        "",
        "seed=a:1",
        "seed[]",
        "seed[]=",
        "seed[]=a",
        "seed[]=[::1]",
        "seed[]=a:0",
        "seed[]=a:99999",
        "seed[]=a:1:2",
        "seed[]=unix:///run/redis.sock:0",
        "seed[]=a:1&seed[]=b",
        "seed[]=a:1&unknown=1",
        "seed[]=a:1&auth[user]=u",
        "seed[]=a:%zz",
        "tcp://a:1",
        "timeout=2",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}
