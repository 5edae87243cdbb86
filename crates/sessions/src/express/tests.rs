use super::*;

fn member(session: &str, path: &str) -> Result<Member, Invalid> {
    read(session.as_bytes(), &path.parse().unwrap())
}

/// By cookie-signature 1.2.2: `sign("id", "secret")`.
#[test]
fn any_of_the_secrets_may_have_signed() {
    let secrets = Secrets::new([&b"other"[..], b"express-secret-1"]);
    let cookie =
        "s%3AnEOyVomn0-I7dg65dgz982yl3N4ePgcS.3qA9d3eK3fsdKXEuwD5peeD58O6bcE5FWe5i%2FY7X84E";
    let id = secrets.unsign(cookie.as_bytes()).unwrap();
    assert_eq!(*id, "nEOyVomn0-I7dg65dgz982yl3N4ePgcS");
    assert!(
        Secrets::new([&b"other"[..]])
            .unsign(cookie.as_bytes())
            .is_err()
    );
    assert!(Secrets::new([]).unsign(cookie.as_bytes()).is_err());
    let signed = Secrets::new([&b"express-secret-1"[..]]).sign(&id).unwrap();
    assert_eq!(*signed, cookie.replace("%3A", ":").replace("%2F", "/"));
    let plain = cookie.replace("%3A", ":").replace("%2F", "/");
    assert!(secrets.unsign(plain.as_bytes()).is_ok());
    for at in 0..plain.len() {
        let mut changed = plain.clone().into_bytes();
        changed[at] ^= 1;
        assert!(secrets.unsign(&changed).is_err(), "{at}");
        assert!(secrets.unsign(&plain.as_bytes()[..at]).is_err(), "{at}");
    }
    for wrong in [
        format!("{plain}="),
        format!("{plain} "),
        format!(" {plain}"),
        format!("{cookie}%"),
        format!("{cookie}%zz"),
    ] {
        assert!(secrets.unsign(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn numbers_are_those_of_javascript() {
    for (value, expected) in [
        ("1", Member::Integer(1)),
        ("\"1\"", Member::Text("1".into())),
        ("1.0", Member::Integer(1)),
        ("1e2", Member::Integer(100)),
        ("-7", Member::Integer(-7)),
        ("9007199254740991", Member::Integer(9_007_199_254_740_991)),
        ("9007199254740993", Member::Unclear),
        ("-9223372036854775808", Member::Unclear),
        ("99999999999999999999", Member::Unclear),
        ("1.5", Member::Unclear),
        ("1e300", Member::Unclear),
        ("true", Member::True),
        ("[1]", Member::Unclear),
        ("{\"id\":1}", Member::Unclear),
        ("0", Member::Nothing),
        ("-0.0", Member::Nothing),
        ("\"\"", Member::Nothing),
        ("null", Member::Nothing),
        ("false", Member::Nothing),
    ] {
        let session = format!("{{\"cookie\":{{}},\"passport\":{{\"user\":{value}}}}}");
        assert_eq!(member(&session, "passport.user"), Ok(expected), "{value}");
    }
}

#[test]
fn what_is_not_a_session_of_express_is_refused() {
    for session in [
        "",
        "{",
        "null",
        "[]",
        "1",
        "\"a\"",
        "{}",
        "{\"user\":1}",
        "{\"cookie\":null,\"user\":1}",
        "{\"cookie\":\"a\",\"user\":1}",
        "{\"cookie\":true,\"user\":1}",
        "{\"cookie\":{},\"user\":1}x",
        "{\"cookie\":{},\"user\":1,\"x\":NaN}",
    ] {
        assert!(member(session, "user").is_err(), "{session}");
    }
    assert_eq!(member("{\"cookie\":{}}", "user"), Ok(Member::Nothing));
}
