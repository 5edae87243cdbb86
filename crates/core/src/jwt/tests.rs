//! Tokens of the RFCs, and those of PyJWT with its own verdicts (`tests/vectors/jwt.py`).

use std::time::UNIX_EPOCH;

use serde_json::Value;

use super::*;
use crate::Secret;

/// RFC 7515, appendix A.1 to A.3, and RFC 8037, appendix A.4.
const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const HS256: [&str; 3] = [
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
];
const RS256: [&str; 3] = [
    r#"{"keys":[{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}]}"#,
    "eyJhbGciOiJSUzI1NiJ9",
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
];
const ES256: [&str; 3] = [
    r#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#,
    "eyJhbGciOiJFUzI1NiJ9",
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
];
const EDDSA: [&str; 3] = [
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    "eyJhbGciOiJFZERTQSJ9",
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
];
const ED_PAYLOAD: &str = "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn rules(keys: Keys, algorithms: &[Algorithm]) -> Rules {
    Rules {
        algorithms: algorithms.to_vec(),
        keys,
        issuer: None,
        audience: None,
        subject: SubjectClaim::Name("user".to_owned()),
        leeway: Duration::ZERO,
    }
}

#[test]
fn the_tokens_of_the_standards_are_verified() {
    let secret = URL_SAFE_NO_PAD.decode(HS256[0]).unwrap();
    for ([_, header, signature], keys, algorithm) in [
        (HS256, Keys::secret(Secret::new(secret)), Algorithm::Hs256),
        (RS256, Keys::set(RS256[0].as_bytes()), Algorithm::Rs256),
        (ES256, Keys::set(ES256[0].as_bytes()), Algorithm::Es256),
    ] {
        let rules = Rules {
            subject: SubjectClaim::Name("iss".to_owned()),
            ..rules(keys.unwrap(), &[algorithm])
        };
        let token = format!("{header}.{CLAIMS}.{signature}");
        let verified = rules.verify(token.as_bytes(), at(1_300_819_379)).unwrap();
        assert_eq!(verified.subject, Subject::Name("joe".to_owned()));
        assert_eq!(verified.expires, Some(at(1_300_819_380)));
        assert!(has_form(token.as_bytes()));
        let over = rules.verify(token.as_bytes(), at(1_300_819_380));
        assert_eq!(over, Err(Refusal::Expired));
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            assert!(
                rules.verify(&changed, at(1_300_819_379)).is_err(),
                "{place}"
            );
        }
    }
    let keys = Keys::set(EDDSA[0].as_bytes()).unwrap();
    let signature = URL_SAFE_NO_PAD.decode(EDDSA[2]).unwrap();
    let signed = format!("{}.{ED_PAYLOAD}", EDDSA[1]);
    let verify = |signed: &str| keys.verify(Algorithm::EdDsa, None, signed.as_bytes(), &signature);
    assert_eq!(verify(&signed), Ok(()));
    assert!(verify(&signed.replace("RXh", "RXi")).is_err());
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/data/jwt.json")).unwrap()
}

fn algorithm(name: &Value) -> Option<Algorithm> {
    serde_json::from_value(name.clone()).ok()
}

fn keys_of(vectors: &Value, name: &str) -> Keys {
    match name {
        "secret" => Keys::secret(Secret::new(vectors["secret"].as_str().unwrap())).unwrap(),
        _ => Keys::public(vectors["public"][name].as_str().unwrap().as_bytes()).unwrap(),
    }
}

#[test]
fn recorded_tokens_have_another_librarys_verdict() {
    let vectors = vectors();
    let (mut granted, mut refused) = (0, 0);
    for case in vectors["cases"].as_array().unwrap() {
        let text = |name: &str| case[name].as_str().map(str::to_owned);
        let algorithms = case["algorithms"].as_array().unwrap().iter();
        let algorithms: Vec<Algorithm> = algorithms.map(|it| algorithm(it).unwrap()).collect();
        let rules = Rules {
            issuer: text("issuer"),
            audience: text("audience"),
            leeway: Duration::from_secs(case["leeway"].as_u64().unwrap_or(0)),
            ..rules(
                keys_of(&vectors, case["key"].as_str().unwrap()),
                &algorithms,
            )
        };
        let now = at(case["now"].as_u64().unwrap());
        let verified = rules.verify(text("token").unwrap().as_bytes(), now);
        let expected = text("expected").unwrap();
        let is_name = expected == "alice" || expected == "Zoë";
        match (is_name, case["stricter"].as_str()) {
            (true, None) => {
                let subject = verified.unwrap_or_else(|refusal| panic!("{refusal:?}: {case}"));
                assert_eq!(subject.subject, Subject::Name(expected), "{case}");
                granted += 1;
            }
            (_, stricter) => {
                let refusal = verified.expect_err(&case.to_string());
                let expired = expected == "ExpiredSignatureError" && stricter.is_none();
                assert_eq!(refusal == Refusal::Expired, expired, "{refusal:?} {case}");
                refused += 1;
            }
        }
    }
    assert!(granted > 30 && refused > 130, "{granted} {refused}");
}

#[test]
fn a_set_gives_the_key_that_the_token_names() {
    let vectors = vectors();
    let now = at(vectors["now"].as_u64().unwrap());
    let all = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
    let accepted = |set: &str| -> Vec<String> {
        let keys = Keys::set(vectors["sets"][set].to_string().as_bytes()).unwrap();
        let rules = rules(keys, &all);
        let tokens = vectors["tokens"].as_object().unwrap().iter();
        let good = |token: &Value| {
            rules
                .verify(token.as_str().unwrap().as_bytes(), now)
                .is_ok()
        };
        let mut names: Vec<String> = tokens
            .filter(|(_, it)| good(it))
            .map(|(name, _)| name.clone())
            .collect();
        names.sort();
        names
    };
    assert_eq!(accepted("one"), ["rsa None", "rsa one"]);
    assert_eq!(
        accepted("several"),
        // Of RSA there are two keys, and no name tells which is meant.
        [
            "ed25519 None",
            "ed25519 four",
            "other_rsa two",
            "p256 None",
            "p256 three",
            "rsa one"
        ]
    );
    assert_eq!(accepted("kinds").len(), 18);
    assert_eq!(accepted("encryption"), ["other_rsa None", "other_rsa two"]);
    assert_eq!(accepted("operations"), ["p256 None", "p256 two"]);
    assert_eq!(accepted("other_algorithm"), ["p256 None", "p256 two"]);
    for set in ["secret", "short", "p384", "twice", "none"] {
        let json = vectors["sets"][set].to_string();
        assert!(Keys::set(json.as_bytes()).is_err(), "{set}");
    }
}

#[test]
fn what_is_not_a_key_is_refused_at_the_start() {
    let vectors = vectors();
    let public = |name: &str| vectors["public"][name].as_str().unwrap().to_owned();
    for name in ["rsa", "large_rsa", "p256", "ed25519"] {
        assert!(Keys::public(public(name).as_bytes()).is_ok(), "{name}");
        assert!(Keys::secret(Secret::new(public(name))).is_err(), "{name}");
    }
    let rsa = public("rsa");
    for pem in [
        public("short_rsa"),
        public("p384"),
        vectors["private"]["rsa"].as_str().unwrap().to_owned(),
        String::new(),
        format!("{rsa}{rsa}"),
        rsa.replace("PUBLIC KEY", "RSA PUBLIC KEY"),
        rsa.replace("PUBLIC KEY", "CERTIFICATE"),
        rsa.replace("MII", "MIJ"),
        rsa.replacen('A', "", 1),
        rsa.replacen("\n", "\n!", 1),
        vectors["secret"].as_str().unwrap().to_owned(),
    ] {
        assert!(Keys::public(pem.as_bytes()).is_err(), "{pem}");
    }
    assert!(Keys::secret(Secret::new("0123456789abcdef0123456789abcde")).is_err());
    for json in [
        "",
        "[]",
        "{}",
        "{\"keys\": {}}",
        "{\"keys\": [], \"keys\": []}",
        "{\"keys\": [1]}",
    ] {
        assert!(Keys::set(json.as_bytes()).is_err(), "{json}");
    }
    let keys = keys_of(&vectors, "rsa");
    assert!(
        keys.fit(Algorithm::Rs256) && !keys.fit(Algorithm::Hs256) && !keys.fit(Algorithm::Es256)
    );
    assert!(!format!("{:?}", keys_of(&vectors, "secret")).contains("0123"));
}

#[test]
fn only_a_jwt_has_its_form() {
    let jwt = format!("{}.{CLAIMS}.{}", RS256[1], RS256[2]);
    assert!(has_form(jwt.as_bytes()));
    for token in [
        "",
        ".",
        "..",
        "a.b.c",
        "eyJhbGciOiJSUzI1NiJ9",
        "eyJhbGciOiJSUzI1NiJ9.e30",
        // Flask's session: an object, and no algorithm in it.
        "eyJfdXNlcl9pZCI6IjEifQ.aSx6Qw.5aB1TzSxq0Yb1d0Kz6WJ9n2Qx1c",
        // Django's signed cookie, and what tickets are.
        ".eJxVjEEOwiAQRe_C2hA6DFBcuvcMZGBQqoYmpV0Z765NutDtf-_9lwi0rSVsPS9hYnEWVpx-t0jpkdsO-E7tNss0t3WZotwVedAurzPn5-Vw_w4K9fKtaRwZFI:1sZxyz:abc",
        "dGlja2V0LXRpY2tldC10aWNrZXQ",
        "zr0iuznb2bnxxcqbkv0lh9qcd0yj9j4c",
    ] {
        assert!(!has_form(token.as_bytes()), "{token}");
    }
    assert!(!has_form(&vec![b'.'; 1 << 20]));
    let tickets = crate::Tickets::new(&Secret::new([7; 32]), Duration::from_secs(60));
    let ticket = tickets.issue(&Secret::new("token"), at(1_000)).unwrap();
    assert!(!has_form(ticket.as_bytes()) && tickets.open(jwt.as_bytes(), at(1_000)).is_err());
}
