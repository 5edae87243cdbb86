//! Requests as the programs send them, and others; and which answers the programs take for a yes.

use hallpass_core::{Identity, Reason, Unavailable, Verdict};
use hyper::header::HeaderValue;
use serde_json::Value;

use super::*;

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// The question in a GET (where there is no body) or a POST, in words.
fn asked(place: &str, query: &str, lines: &[(&'static str, &str)], body: Option<&str>) -> String {
    let row = table::find(place).unwrap();
    let text = body.unwrap_or_default().as_bytes();
    let Ok((asked, conditions)) = read(row, body.is_none(), query, &headers(lines), text) else {
        return "malformed".to_owned();
    };
    let client = asked.client.map_or(String::new(), |it| format!(" at {it}"));
    let conditions = match conditions == Conditions::default() {
        true => "",
        false => " if",
    };
    let question = match asked.question {
        Question::Password { name, password } => {
            format!("{name}, {}", String::from_utf8_lossy(password.expose()))
        }
        Question::Account { name } => format!("{name}?"),
        Question::Session { name } => format!("session of {name:?}"),
        Question::Refused => "refused".to_owned(),
        Question::Next => "next".to_owned(),
    };
    format!("{question}{client}{conditions}")
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

/// As RabbitMQ 3.10 sends them.
#[test]
fn rabbitmq_asks() {
    let resource = |permission: &str| {
        format!("username=alice&vhost=%2F&resource=queue&name=q1&tags=a+b&permission={permission}")
    };
    let topic = |permission: &str| {
        format!(
            "username=alice&vhost=%2F&resource=topic&name=amq.topic&tags=&routing_key=a.b.c&\
             variable_map.username=alice&variable_map.vhost=%2F&permission={permission}"
        )
    };
    for (path, body, expected) in [
        (
            "user",
            "username=alice&password=geh+eim%26",
            "alice, geh eim&",
        ),
        (
            "user",
            "username=alice&password=x&vhost=%2F&client_id=c1",
            "alice, x",
        ),
        ("user", "username=alice&password=", "refused"),
        ("user", "username=alice", "malformed"),
        ("user", "username=alice&vhost=%2F&client_id=c1", "malformed"),
        (
            "user",
            "username=alice&username=bob&password=x",
            "malformed",
        ),
        ("user", "password=x", "malformed"),
        ("user", "username=%ff&password=x", "malformed"),
        ("user", "", "malformed"),
        (
            "user",
            r#"{"username":"alice","password":"x"}"#,
            "malformed",
        ),
        (
            "vhost",
            "username=alice&vhost=%2F&ip=192.0.2.1&tags=",
            "alice? at 192.0.2.1",
        ),
        ("vhost", "username=alice&vhost=%2F", "alice?"),
        ("vhost", "username=alice&password=x", "malformed"),
        ("resource", &resource("configure"), "alice?"),
        ("resource", &resource("delete"), "refused"),
        ("resource", &resource(""), "refused"),
        ("resource", "username=alice&vhost=%2F", "malformed"),
        ("topic", &topic("write"), "alice?"),
        ("topic", &topic("configure"), "refused"),
        ("topic", &resource("write"), "malformed"),
    ] {
        let found = asked(&format!("rabbitmq/{path}"), "", &[FORM], Some(body));
        assert_eq!(found, expected, "{path} {body}");
    }
    for (query, expected) in [
        ("username=alice&password=x+y", "alice, x y"),
        ("username=alice&password=x&group=staff", "alice, x if"),
        ("username=alice&password=x&is=admin", "malformed"),
        // What RabbitMQ makes of a URL that has a query already.
        ("group=staff?username=alice&password=x", "malformed"),
    ] {
        assert_eq!(
            asked("rabbitmq/user", query, &[], None),
            expected,
            "{query}"
        );
    }
}

#[test]
fn conditions_of_a_url_are_never_overlooked() {
    let body = Some("username=alice&password=x");
    for (query, expected) in [
        ("", "alice, x"),
        ("group=staff", "alice, x if"),
        ("group=a&group=b&is=staff&permission=a.b", "alice, x if"),
        ("%67roup=staff", "alice, x if"),
        ("groups=staff", "malformed"),
        ("is=admin", "malformed"),
        ("original=/x&group=staff", "malformed"),
        ("redirect=1", "malformed"),
        ("group=staff&username=bob", "malformed"),
        ("group=%ff", "malformed"),
    ] {
        let found = asked("rabbitmq/user", query, &[FORM], body);
        assert_eq!(found, expected, "{query}");
    }
}

#[test]
fn other_brokers_ask() {
    let object = r#"{"username":"alice","password":"x","clientid":"c"}"#;
    let acl = |access: &str| {
        format!(r#"{{"username":"alice","clientid":"c","topic":"a/b","acc":{access}}}"#)
    };
    for (path, query, header, body, expected) in [
        ("user", "", JSON, object, "alice, x"),
        ("user", "", FORM, "username=alice&password=x", "alice, x"),
        ("user", "", FORM, object, "malformed"),
        ("user", "", JSON, "username=alice&password=x", "malformed"),
        ("superuser", "", JSON, object, "refused"),
        ("superuser", "group=mqtt", JSON, object, "alice? if"),
        ("acl", "", JSON, &acl("4"), "alice?"),
        ("acl", "", JSON, &acl("\"4\""), "alice?"),
        (
            "acl",
            "",
            FORM,
            "username=alice&clientid=c&topic=a&acc=1",
            "alice?",
        ),
        ("acl", "", JSON, &acl("0"), "refused"),
        ("acl", "", JSON, &acl("7"), "refused"),
        ("acl", "", JSON, &acl("-1"), "malformed"),
        ("acl", "", JSON, &acl("null"), "malformed"),
        ("acl", "", JSON, object, "malformed"),
    ] {
        let place = format!("mosquitto-go-auth/{path}");
        let found = asked(&place, query, &[header], Some(body));
        assert_eq!(found, expected, "{place} {body}");
    }
    let client = r#"{"username":"alice","password":"x","peerhost":"192.0.2.1"}"#;
    let anonymous = r#"{"username":null,"password":"x"}"#;
    let to_emqx = |body| asked("emqx", "", &[JSON], Some(body));
    assert_eq!(to_emqx(client), "alice, x at 192.0.2.1");
    assert_eq!(to_emqx(anonymous), "malformed");
    let client = r#"{"addr":"192.0.2.1","port":1,"username":"alice","password":"x"}"#;
    for (hook, query, body, expected) in [
        ("auth_on_register", "", client, "alice, x at 192.0.2.1"),
        ("auth_on_register_m5", "", client, "alice, x at 192.0.2.1"),
        ("auth_on_register", "", anonymous, "refused"),
        ("auth_on_register", "", "{}", "refused"),
        ("auth_on_publish", "", client, "next at 192.0.2.1"),
        ("auth_on_subscribe_m5", "", client, "next at 192.0.2.1"),
        (
            "auth_on_publish",
            "is=staff",
            client,
            "alice? at 192.0.2.1 if",
        ),
        ("auth_on_register_m6", "", client, "malformed"),
        ("on_publish", "", client, "malformed"),
        ("", "", client, "malformed"),
    ] {
        let found = asked(
            "vernemq",
            query,
            &[JSON, ("vernemq-hook", hook)],
            Some(body),
        );
        assert_eq!(found, expected, "{hook} {body}");
    }
    let hook = |name| ("vernemq-hook", name);
    let twice = [hook("auth_on_publish"), hook("auth_on_register")];
    for lines in [&[JSON][..], &twice] {
        assert_eq!(asked("vernemq", "", lines, Some(client)), "malformed");
    }
}

#[test]
fn chat_servers_ask() {
    for (path, query, expected) in [
        (
            "check_password",
            "user=alice&server=example.org&pass=a%2Bb",
            "alice, a+b",
        ),
        (
            "check_password",
            "user=alice&server=example.org&pass=",
            "refused",
        ),
        (
            "check_password",
            "user=alice&server=example.org",
            "malformed",
        ),
        ("check_password", "user=alice&pass=x", "malformed"),
        (
            "check_password",
            "user=alice&server=a&pass=x&user=bob",
            "malformed",
        ),
        (
            "user_exists",
            "user=alice&server=example.org&pass=",
            "alice?",
        ),
        ("user_exists", "server=example.org", "malformed"),
        ("get_password", "user=alice&server=example.org", "refused"),
    ] {
        for dialect in ["mongooseim", "prosody"] {
            let found = asked(&format!("{dialect}/{path}"), query, &[], None);
            assert_eq!(found, expected, "{dialect} {path} {query}");
        }
    }
    let body = r#"{"username":"alice","password":"x"}"#;
    assert_eq!(asked("prosody", "", &[FORM], Some(body)), "alice, x");
    let place = "synapse/_matrix-internal/identity/v1/check_credentials";
    for (id, expected) in [
        ("@alice:example.org", "alice, x"),
        ("@alice:example.org:8448", "alice, x"),
        ("alice", "malformed"),
        ("@alice", "malformed"),
        ("@alice:", "malformed"),
        ("alice:example.org", "malformed"),
    ] {
        let body = format!(r#"{{"user":{{"id":"{id}","password":"x"}}}}"#);
        assert_eq!(asked(place, "", &[JSON], Some(&body)), expected, "{id}");
    }
    for body in [
        r#"{"id":"@a:b","password":"x"}"#,
        r#"{"user":"@a:b"}"#,
        r#"{"user":{}}"#,
        r#"{"user":{"id":"@a:b"}}"#,
    ] {
        assert_eq!(asked(place, "", &[JSON], Some(body)), "malformed");
    }
    let refresh = r#"{"client":"c","user":"alice"}"#;
    let to_centrifugo = |place, body| asked(place, "", &[JSON], Some(body));
    assert_eq!(to_centrifugo("centrifugo", refresh), "session of Nameless");
    assert_eq!(
        to_centrifugo("centrifugo/refresh", refresh),
        "session of Named(\"alice\")"
    );
    assert_eq!(to_centrifugo("centrifugo/refresh", "{}"), "malformed");
}

#[test]
fn paths_and_methods_are_exact() {
    for name in [
        "",
        "/",
        "rabbitmq",
        "rabbitmq/",
        "rabbitmq/user/",
        "rabbitmq//user",
        "rabbitmq/User",
        "rabbitmq/users",
        "rabbitmquser",
        "emqx/",
        "synapse",
        "mongooseim/",
        "unknown",
    ] {
        let found = Place::of(name, &Method::POST).map(|place| place.0.path);
        assert_eq!(found, Err((StatusCode::NOT_FOUND, None)), "{name}");
    }
    for (name, method, taken) in [
        ("rabbitmq/user", Method::POST, None),
        ("rabbitmq/user", Method::GET, None),
        ("rabbitmq/user", Method::HEAD, Some(Method::POST)),
        ("emqx", Method::GET, Some(Method::POST)),
        ("emqx", Method::PUT, Some(Method::POST)),
        ("prosody/check_password", Method::POST, Some(Method::GET)),
        ("prosody/register", Method::GET, Some(Method::POST)),
    ] {
        let found = Place::of(name, &method).map_err(|(status, method)| {
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
            method
        });
        assert_eq!(found.err().flatten(), taken, "{method} {name}");
    }
}

/// Whether the program takes an answer for a yes, by its own source.
pub fn is_yes(row: &Row, reply: &Reply) -> bool {
    let good = (200..300).contains(&reply.status);
    let body: &str = &reply.body;
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    match row.dialect {
        "rabbitmq" => good && body.to_ascii_lowercase().starts_with("allow"),
        "mosquitto-go-auth" => good || json["Ok"] == true,
        "emqx" => reply.status == 204 || json["result"] == "allow",
        "vernemq" => json["result"] == "ok",
        "mongooseim" | "prosody" => body == "true" || [201, 204].contains(&reply.status),
        "synapse" => json["auth"]["success"] == true,
        "centrifugo" => json.get("result").is_some_and(|it| it["expired"] != true),
        "freeradius" => [200, 204].contains(&reply.status),
        other => panic!("{other}"),
    }
}

#[test]
fn only_what_is_granted_is_a_yes() {
    let granted = |name: &str| {
        Verdict::Granted(Box::new(Identity {
            name: name.to_owned(),
            ..Identity::default()
        }))
    };
    for row in &table::TABLE {
        let answers = row.answers;
        let denied = answers.to(&Verdict::Denied(Reason::WrongPassword), "@a:b");
        let unavailable = answers.to(&Verdict::Unavailable(Unavailable::new("away")), "@a:b");
        assert_eq!(unavailable.status, 503, "{row:?}");
        for reply in [&denied, &unavailable, &answers.next, &answers.malformed] {
            assert!(!is_yes(row, reply), "{row:?} {reply:?}");
        }
        let yes = answers.to(&granted("alice"), "@a:b");
        let never = matches!(answers.granted, answers::Granted::Never);
        assert_ne!(is_yes(row, &yes), never, "{row:?} {yes:?}");
    }
    // An anonymous connection of Centrifugo's.
    let row = table::find("centrifugo").unwrap();
    assert!(!is_yes(row, &row.answers.to(&granted(""), "")));
}

#[test]
fn the_token_is_shown_once_and_whole() {
    let text = "framework = \"django\"\ndatabase = \"sqlite:x\"\n[daemon]\n\
                dialect_token = \"0123456789abcdef\"\n";
    let path = std::path::Path::new("/x.toml");
    let configuration = hallpass_core::Configuration::parse(path, text).unwrap();
    let token = configuration.daemon.dialect_token.unwrap();
    for (lines, expected) in [
        (&["Bearer 0123456789abcdef"][..], true),
        (&["bearer  0123456789abcdef "], true),
        // hallpass:TOKEN and :TOKEN
        (&["Basic aGFsbHBhc3M6MDEyMzQ1Njc4OWFiY2RlZg=="], true),
        (&["Basic OjAxMjM0NTY3ODlhYmNkZWY="], true),
        (&[], false),
        (&[""], false),
        (&["Bearer"], false),
        (&["Bearer 0123456789abcde"], false),
        (&["Bearer 0123456789abcdefg"], false),
        (&["Bearer 0123456789ABCDEF"], false),
        (&["Bearer 0123456789abcdef x"], false),
        (&["Token 0123456789abcdef"], false),
        (&["0123456789abcdef"], false),
        (&["Basic 0123456789abcdef"], false),
        // TOKEN:
        (&["Basic MDEyMzQ1Njc4OWFiY2RlZjo="], false),
        (
            &["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"],
            false,
        ),
    ] {
        let lines: Vec<_> = lines.iter().map(|line| ("authorization", *line)).collect();
        assert_eq!(shows(&headers(&lines), &token), expected, "{lines:?}");
    }
    assert!(!shows(&headers(&[("x-token", "0123456789abcdef")]), &token));
}
