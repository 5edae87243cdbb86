//! Entries of settings, and what is written of them.

use serde_json::json;

use super::*;

const DJANGO_REDIS: &str = "django_redis.cache.RedisCache";
const REDIS: &str = "django.core.cache.backends.redis.RedisCache";
const MEMCACHED: &str = "django.core.cache.backends.memcached.BaseMemcachedCache";

fn place(backend: &str, location: Value, options: Value) -> Result<Place, String> {
    let cache = json!({
        "alias": "default", "backend": ["the.sites.Own", backend], "location": location,
        "options": options, "key_prefix": "", "version": 1, "own_keys": false,
    });
    let cache: Cache = serde_json::from_value(cache).map_err(|error| error.to_string())?;
    Place::of(&cache, Path::new("/srv"))
}

/// What is written, without comments; it loads.
fn written(backend: &str, location: Value, options: Value) -> Vec<String> {
    let place = place(backend, location, options).unwrap_or_else(Place::at);
    let mut page = Page::new("hallpass", |_| {});
    place.write(&mut page, "default");
    let lines = page.text().lines().skip(2);
    let lines = lines.filter_map(|line| Some(line.split("  #").next()?.to_owned()));
    lines.collect()
}

#[test]
fn entries_become_tables() {
    let sentinel = json!({
        "CLIENT_CLASS": "django_redis.client.SentinelClient", "PASSWORD": "p",
        "SENTINELS": [["one", 26379], ["two", "26380"]],
        "SENTINEL_KWARGS": {"password": "q"},
    });
    let password = "password = { file = \"hallpass.cache_password\" }";
    for (backend, location, options, expected) in [
        (
            REDIS,
            json!(["redis://h:1/2"]),
            json!({}),
            vec!["url = \"redis://h:1/2\""],
        ),
        (
            REDIS,
            json!(["redis://:p@one/1,redis://:p@two/1"]),
            json!({}),
            vec!["url = \"redis://one/1,redis://two/1\"", password],
        ),
        (
            REDIS,
            json!(["rediss://h"]),
            json!({"db": 3, "username": "u", "password": "p", "ssl_cert_reqs": null}),
            vec![
                "url = \"rediss://h/3\"",
                "username = \"u\"",
                password,
                "tls = \"require\"",
            ],
        ),
        (
            DJANGO_REDIS,
            json!(["redis://one/1", "redis://two/1"]),
            json!({"CLIENT_CLASS": "django_redis.client.ShardClient"}),
            vec![
                "url = \"redis://one/1,redis://two/1\"",
                "servers = \"shards\"",
            ],
        ),
        (
            DJANGO_REDIS,
            json!(["redis://the master/4"]),
            sentinel,
            vec![
                "url = \"redis+sentinel://one:26379,two:26380/the%20master/4\"",
                password,
                "sentinel_password = { file = \"hallpass.sentinel_password\" }",
            ],
        ),
        (
            DJANGO_REDIS,
            json!(["redis://:p@one:7000/0", "redis://:p@two:7000/0"]),
            json!({
                "REDIS_CLIENT_CLASS": "redis.cluster.RedisCluster",
                "REDIS_CLIENT_KWARGS": {"ssl_ca_certs": "/ca.pem"},
            }),
            vec![
                "url = \"redis://one:7000/0,redis://two:7000/0\"",
                password,
                "ca = \"/ca.pem\"",
            ],
        ),
        (
            MEMCACHED,
            json!(["one:1", "two:2;three:3"]),
            json!({}),
            vec!["url = \"memcached://one:1,two:2,three:3\""],
        ),
        (
            MEMCACHED,
            json!(["unix:/run/m.sock"]),
            json!({}),
            vec!["url = \"memcached:unix:/run/m.sock\""],
        ),
    ] {
        assert_eq!(written(backend, location, options), expected);
    }
}

#[test]
fn what_is_not_known_is_not_guessed() {
    for (backend, location, options) in [
        ("redis_cache.RedisCache", json!(["h:1"]), json!({})),
        (
            REDIS,
            json!(["redis://h"]),
            json!({"serializer": "own.Serializer"}),
        ),
        (
            REDIS,
            json!(["redis://:p@one", "redis://:q@two"]),
            json!({}),
        ),
        (
            DJANGO_REDIS,
            json!(["redis://h"]),
            json!({"SERIALIZER": "own.Serializer"}),
        ),
        (
            DJANGO_REDIS,
            json!(["redis://h"]),
            json!({"CLIENT_CLASS": "a.HerdClient"}),
        ),
        (
            DJANGO_REDIS,
            json!(["redis://m/1"]),
            json!({"CLIENT_CLASS": "a.SentinelClient"}),
        ),
        (
            DJANGO_REDIS,
            json!(["redis://h:7000/1"]),
            json!({"REDIS_CLIENT_CLASS": "redis.cluster.RedisCluster"}),
        ),
        (
            DJANGO_REDIS,
            json!(["redis://h:7000?db=1"]),
            json!({"REDIS_CLIENT_CLASS": "redis.cluster.RedisCluster"}),
        ),
        (
            DJANGO_REDIS,
            json!(["redis://h:7000"]),
            json!({"REDIS_CLIENT_CLASS": "redis.cluster.RedisCluster", "DB": 2}),
        ),
        (
            MEMCACHED,
            json!(["h:1"]),
            json!({"username": "u", "password": "p"}),
        ),
    ] {
        assert!(
            place(backend, location, options.clone()).is_err(),
            "{options}"
        );
    }
}

#[test]
fn a_client_counts_as_that_which_it_is_made_of() {
    let with = |client: &[&str]| {
        let cache = json!({
            "alias": "default", "backend": [DJANGO_REDIS], "location": ["redis://h:7000"],
            "options": {"CLIENT_CLASS": client.first()}, "client": client,
            "key_prefix": "", "version": 1, "own_keys": false,
        });
        let cache: Cache = serde_json::from_value(cache).map_err(|error| error.to_string())?;
        Place::of(&cache, Path::new("/srv")).map(|place| (place.url, place.shards))
    };
    let url = "redis://h:7000".to_owned();
    let default = "django_redis.client.default.DefaultClient";
    let shard = "django_redis.client.sharded.ShardClient";
    assert_eq!(
        with(&["own.ClusterClient", default]),
        Ok((url.clone(), false))
    );
    assert_eq!(with(&["own.Client", shard, default]), Ok((url, true)));
    for client in [
        &["own.Client", "django_redis.client.herd.HerdClient", default][..],
        &["own.Client"],
        &["own.DefaultClients", "own.ShardClient2"],
    ] {
        assert!(with(client).is_err(), "{client:?}");
    }
}
