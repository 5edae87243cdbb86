//! What is promised beyond the verdicts of the software itself.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

use std::cell::Cell;
use std::time::Duration;
use std::time::Instant;

use hallpass_passwords::Algorithm;
use hallpass_passwords::Context;
use hallpass_passwords::Encoded;
use hallpass_passwords::Limits;
use hallpass_passwords::MakeError;
use hallpass_passwords::Outcome;
use hallpass_passwords::ParseError;
use hallpass_passwords::Rules;
use hallpass_passwords::make;

fn limits() -> Limits {
    Limits::default()
}

fn verify(rules: Rules, password: &[u8], encoded: &str, limits: &Limits) -> Outcome {
    match Encoded::parse(rules, encoded) {
        Ok(encoded) => encoded.verify(password, &Context::default(), limits),
        Err(error) => error.into(),
    }
}

/// Another block of bytes at each call.
fn counting() -> impl FnMut(&mut [u8]) {
    let next = Cell::new(0u8);
    move |bytes: &mut [u8]| {
        for byte in bytes {
            next.set(next.get().wrapping_add(7));
            *byte = next.get();
        }
    }
}

#[test]
fn rules_go_by_their_names() {
    for rules in Rules::ALL {
        assert_eq!(Rules::from_name(rules.name()), Some(rules));
        assert_eq!(rules.name().parse(), Ok(rules));
    }
    assert_eq!(Rules::from_name("Django"), None);
    let message = "nonsense".parse::<Rules>().unwrap_err().to_string();
    assert_eq!(
        message,
        "unknown rules; there are aspnet, devise, django, drupal, drupal10, drupal7, joomla, joomla3, \
         ldap, magento, mediawiki, nextcloud, passlib, php, phpbb, redmine, salted, smf, spring, \
         werkzeug, wordpress, xenforo"
    );
}

#[test]
fn an_account_without_a_password_is_told_apart() {
    for rules in Rules::ALL {
        assert_eq!(verify(rules, b"", "", &limits()), Outcome::Unusable);
    }
    for marked in ["!", "!aBcD", "!md5$salt$67a1e09bb1f83f5007dc119c14d663aa"] {
        assert_eq!(
            verify(Rules::Django, b"password", marked, &limits()),
            Outcome::Unusable
        );
        let error = Encoded::parse(Rules::Django, marked).err();
        assert_eq!(error, Some(ParseError::Unusable));
        assert_eq!(
            verify(Rules::Php, b"password", marked, &limits()),
            Outcome::Unsupported
        );
    }
}

#[test]
fn what_django_does_not_know_is_left_to_others() {
    for encoded in [
        "$2y$04$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2",
        "$argon2id$v=19$m=64,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ$c2Vhc2FsdHNlYXNhbHQ",
        "$P$5seasalt8......................",
        "_J9..rasmC1vJSCbtb7A",
        "abFZSxKKdq5s6",
        "$1$saltsalt$7fq7ZEc75157blrz18yX./",
    ] {
        assert!(Encoded::parse(Rules::Django, encoded).is_err(), "{encoded}");
        assert!(Encoded::parse(Rules::Php, encoded).is_ok(), "{encoded}");
    }
    assert!(Encoded::parse(Rules::Django, "pbkdf2_sha256$01000$salt$AAAA").is_err());
    assert!(Encoded::parse(Rules::Php, "5f4dcc3b5aa765d61d8327deb882cf99").is_err());
}

#[test]
fn a_hash_says_what_it_is_and_costs() {
    let rows = [
        (
            Rules::Django,
            "pbkdf2_sha256$1000000$salt$AA==",
            "pbkdf2_sha256",
            "1000000 iterations",
        ),
        (
            Rules::Django,
            "bcrypt$$2b$12$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2",
            "bcrypt",
            "cost 12",
        ),
        (
            Rules::Django,
            "scrypt$16384$salt$8$5$AAAA",
            "scrypt",
            "N=16384, r=8, p=5",
        ),
        (
            Rules::Django,
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "unsalted_md5",
            "",
        ),
        (
            Rules::Php,
            "$6$salt$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "crypt_sha512",
            "5000 rounds",
        ),
        (
            Rules::Drupal,
            "$S$Dseasalt8...........................................",
            "phpass_sha512",
            "32768 rounds",
        ),
        (
            Rules::Wordpress,
            "$wp$2y$10$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2",
            "wp_bcrypt",
            "cost 10",
        ),
        (
            Rules::Phpbb,
            "$CP$5f4dcc3b5aa765d61d8327deb882cf99",
            "convert_password",
            "",
        ),
    ];
    for (rules, encoded, algorithm, cost) in rows {
        let parsed = Encoded::parse(rules, encoded).unwrap();
        assert_eq!(
            (parsed.algorithm(), &*parsed.parameters()),
            (algorithm, cost)
        );
        assert!(parsed.fits(&limits()));
        assert_eq!((parsed.rules(), parsed.as_str()), (rules, encoded));
    }
    let argon2 = "argon2$argon2id$v=19$m=102400,t=2,p=8$c2Vhc2FsdHNlYXNhbHQ$c2Vhc2FsdHNlYXNhbHQ";
    let argon2 = Encoded::parse(Rules::Django, argon2).unwrap();
    assert_eq!(argon2.parameters(), "m=102400 KiB, t=2, p=8");
    assert_eq!(argon2.cost().memory, 100 << 20);
}

#[test]
fn bcrypt_goes_by_its_own_limit() {
    let encoded = "$2y$16$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2";
    let encoded = Encoded::parse(Rules::Php, encoded).unwrap();
    assert!(encoded.fits(&limits()));
    assert!(!encoded.fits(&Limits {
        max_cost: 15,
        ..limits()
    }));
}

#[test]
fn a_converted_hash_is_verified_exactly_where_it_fits() {
    let bcrypt = "$CP$$2a$10$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2";
    let portable = "$CP$$H$9seasalt8......................"; // 2^11 rounds
    let rows = [
        // Both hashes within the limit of each, though not within it together.
        (bcrypt, 10, 1_000_000, true),
        (bcrypt, 9, 20_000_000, false),
        (portable, 4, 3000, true),
        (portable, 4, 2000, false),
    ];
    for (encoded, max_cost, max_iterations, expected) in rows {
        let limits = Limits {
            max_cost,
            max_iterations,
            ..limits()
        };
        let parsed = Encoded::parse(Rules::Phpbb, encoded).unwrap();
        let outcome = verify(Rules::Phpbb, b"secret", encoded, &limits);
        assert_eq!(parsed.fits(&limits), expected, "{encoded} {limits:?}");
        assert_eq!(
            outcome != Outcome::Unsupported,
            expected,
            "{encoded} {limits:?}"
        );
    }
}

#[test]
fn what_is_made_verifies_and_is_never_the_same_twice() {
    let mut random = counting();
    for algorithm in Algorithm::ALL {
        let cost = match algorithm {
            Algorithm::Md5 => None,
            Algorithm::Argon2 | Algorithm::PhpArgon2id => Some(1),
            Algorithm::Scrypt => Some(16),
            _ => Some(4),
        };
        let rules = match algorithm {
            Algorithm::PhpBcrypt | Algorithm::PhpArgon2id => Rules::Php,
            _ => Rules::Django,
        };
        let made = make(algorithm, b"lamp & oil", cost, &mut random).unwrap();
        let again = make(algorithm, b"lamp & oil", cost, &mut random).unwrap();
        assert_ne!(made, again);
        assert_eq!(
            verify(rules, b"lamp & oil", &made, &limits()),
            Outcome::Match,
            "{made}"
        );
        assert_eq!(
            verify(rules, b"lamp & oi", &made, &limits()),
            Outcome::Mismatch,
            "{made}"
        );
        assert!(made.len() <= 128, "fits Django's column: {made}");
        assert_eq!(algorithm.name().parse(), Ok(algorithm));
    }
}

#[test]
fn a_new_hash_has_djangos_shape_and_default_cost() {
    let made = make(Algorithm::Pbkdf2Sha256, b"x", None, &mut counting()).unwrap();
    let fields: Vec<&str> = made.split('$').collect();
    assert_eq!(fields[..2], ["pbkdf2_sha256", "1000000"]);
    assert_eq!(fields[2].len(), 22);
    assert!(fields[2].bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_eq!(Algorithm::Scrypt.default_cost(), Some(16_384));
}

#[test]
fn what_cannot_be_made_is_refused() {
    let mut random = counting();
    let mut make = |algorithm, password: &[u8], cost| make(algorithm, password, cost, &mut random);
    assert_eq!(
        make(Algorithm::Pbkdf2Sha256, b"x", Some(0)),
        Err(MakeError::Cost)
    );
    assert_eq!(make(Algorithm::Bcrypt, b"x", Some(3)), Err(MakeError::Cost));
    assert_eq!(
        make(Algorithm::PhpBcrypt, b"x", Some(32)),
        Err(MakeError::Cost)
    );
    assert_eq!(
        make(Algorithm::Scrypt, b"x", Some(15)),
        Err(MakeError::Cost)
    );
    assert_eq!(
        make(Algorithm::Scrypt, b"x", Some(1 << 15)),
        Err(MakeError::Cost)
    );
    assert_eq!(make(Algorithm::Md5, b"x", Some(1)), Err(MakeError::Cost));
    assert_eq!(
        make(Algorithm::Bcrypt, b"a\0b", Some(4)),
        Err(MakeError::Password)
    );
    assert_eq!(
        make(Algorithm::PhpBcrypt, &[b'k'; 73], Some(4)),
        Err(MakeError::Password)
    );
    assert!("pbkdf2".parse::<Algorithm>().is_err());
}

#[test]
fn a_broken_source_of_randomness_ends() {
    let made = make(Algorithm::Md5, b"x", None, &mut |bytes| bytes.fill(0xff));
    assert_eq!(made, Err(MakeError::Randomness));
}

#[test]
fn spending_never_passes_the_limits() {
    let limits = Limits {
        max_iterations: 1000,
        max_memory: 1 << 20,
        max_cost: 5,
    };
    let costs = [
        "",
        "$",
        "pbkdf2_sha256$1000",
        "pbkdf2_sha1$10",
        "pbkdf2_sha256$4000000000",
        "pbkdf2_sha256$0",
        "pbkdf2_sha256$900$salt$AA==",
        "md5$salt$AA",
        "nonsense",
        "!",
        "bcrypt$$2b$31$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2",
        "bcrypt$$2b$05$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2",
        "$2y$04$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2",
        "$argon2id$v=19$m=64,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ$c2Vhc2FsdHNlYXNhbHQ",
        "$argon2id$v=19$m=64,t=4000000000,p=1$c2Vhc2FsdHNlYXNhbHQ$c2Vhc2FsdHNlYXNhbHQ",
    ];
    let started = Instant::now();
    for rules in Rules::ALL {
        for costliest in costs {
            let Some(costliest) = Encoded::parse_cost(rules, costliest) else {
                continue;
            };
            costliest.spend(b"x", None, &limits);
            for done in costs {
                let done = Encoded::parse_cost(rules, done);
                costliest.spend(b"x", done.as_ref(), &limits);
                costliest.spend(b" it's &amp; ", done.as_ref(), &limits);
            }
        }
    }
    // One that passed them would take minutes.
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_cost_may_be_abbreviated() {
    let work = |text: &str| Encoded::parse_cost(Rules::Django, text).map(|it| it.cost().work);
    assert_eq!(work("pbkdf2_sha256$600000"), Some(600_000));
    assert_eq!(work("pbkdf2_sha256$600000$salt$AA=="), Some(600_000));
    let bcrypt = "$2y$12$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2";
    assert!(work(bcrypt).is_some());
    for unreadable in [
        "",
        "pbkdf2_sha256",
        "pbkdf2_sha256$",
        "pbkdf2_sha256$x",
        "600000",
        "bcrypt$12",
    ] {
        assert_eq!(work(unreadable), None, "{unreadable}");
    }
}

#[test]
fn wordpress_knows_a_password_in_the_form_that_its_page_makes() {
    let hash = |text: &str| {
        let mut random = counting();
        make(Algorithm::PhpBcrypt, text.as_bytes(), Some(4), &mut random).unwrap()
    };
    let check =
        |typed: &[u8], stored: &str| verify(Rules::Wordpress, typed, &hash(stored), &limits());
    assert_eq!(check(b"it's", "it\\'s"), Outcome::Match);
    assert_eq!(check(b"it's", "it's"), Outcome::Mismatch);
    assert_eq!(check(b"it\\'s", "it's"), Outcome::Mismatch);
    assert_eq!(check(b" it's ", "it's"), Outcome::Mismatch);
    assert_eq!(check(b" it's ", "it\\'s"), Outcome::Match);
    assert_eq!(check(b"quo\"te", "quo\"te"), Outcome::Mismatch);
    assert_eq!(check(b"back\\slash", "back\\slash"), Outcome::Mismatch);
    assert_eq!(check(b"plain", "plain"), Outcome::Match);
}

#[test]
fn phpbb_knows_a_password_in_the_form_that_its_page_makes() {
    let hash = |text: &str| {
        let mut random = counting();
        make(Algorithm::PhpBcrypt, text.as_bytes(), Some(4), &mut random).unwrap()
    };
    let check = |typed: &str, stored: &str| {
        verify(Rules::Phpbb, typed.as_bytes(), &hash(stored), &limits())
    };
    assert_eq!(
        check("a&b<c>\"d", "a&amp;b&lt;c&gt;&quot;d"),
        Outcome::Match
    );
    assert_eq!(
        check("a&amp;b&lt;c&gt;&quot;d", "a&amp;b&lt;c&gt;&quot;d"),
        Outcome::Mismatch
    );
    // As a real board refused it.
    let stored = "neu&lt;&amp;&gt;&quot;pw1";
    assert_eq!(check("neu<&>\"pw1", stored), Outcome::Match);
    assert_eq!(
        check("neu&lt;&amp;&gt;&quot;pw1", stored),
        Outcome::Mismatch
    );
    assert_eq!(check("it&#039;s", "it&#039;s"), Outcome::Mismatch);
    assert_eq!(check("a&amp;b", "a&amp;amp;b"), Outcome::Match);
    assert_eq!(check("a&b", "a&b"), Outcome::Mismatch);
    assert_eq!(check("a<b", "a<b"), Outcome::Mismatch);
    assert_eq!(check("a&amp;b & c", "a&amp;b & c"), Outcome::Mismatch);
    assert_eq!(check("&;", "&;"), Outcome::Mismatch);
}

#[test]
fn a_converted_hash_may_need_more_of_its_row() {
    let context = Context {
        login_name: Some("Alice"),
        salt: None,
        pepper: None,
    };
    let encoded = "$CP$bde9b777c71106ce6d169b1ccd61ab55a3f6317f";
    let encoded = Encoded::parse(Rules::Phpbb, encoded).unwrap();
    let check = |context| encoded.verify(b"adminadmin", &context, &limits());
    assert_eq!(check(context), Outcome::Match);
    assert_eq!(check(Context::default()), Outcome::Mismatch);
}

#[test]
fn a_derivation_among_others_gives_the_same_verdict() {
    let path = format!("{}/tests/data/django.json", env!("CARGO_MANIFEST_DIR"));
    let rows: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let limits = Limits {
        max_iterations: 100_000,
        ..limits()
    };
    let mut engine = hallpass_pbkdf2::Engine::new();
    let mut waiting = std::collections::HashMap::new();
    for row in &rows {
        let (password, encoded) = (
            row["password"].as_str().unwrap(),
            row["encoded"].as_str().unwrap(),
        );
        let Ok(parsed) = Encoded::parse(Rules::Django, encoded) else {
            continue;
        };
        if let Some(derivation) = parsed.derivation(&limits) {
            let request = engine.submit(derivation.request(password.as_bytes()));
            waiting.insert(request, (parsed, password));
        }
    }
    assert!(waiting.len() > 50, "{}", waiting.len());
    while !engine.is_empty() {
        for derived in engine.step() {
            let (parsed, password) = waiting.remove(&derived.request).unwrap();
            let alone = parsed.verify(password.as_bytes(), &Context::default(), &limits);
            let outcome = parsed.derivation(&limits).unwrap().outcome(&derived.key);
            assert_eq!(outcome, alone, "{}", parsed.as_str());
        }
    }
    assert!(waiting.is_empty());
    let derives = |rules, encoded| {
        Encoded::parse(rules, encoded).is_ok_and(|it| it.derivation(&limits).is_some())
    };
    assert!(derives(Rules::Django, "pbkdf2_sha256$100000$salt$AA=="));
    assert!(!derives(Rules::Django, "pbkdf2_sha256$100001$salt$AA=="));
    assert!(!derives(Rules::Php, "pbkdf2_sha256$1$salt$AA=="));
    assert!(!derives(Rules::Django, "!pbkdf2_sha256$1$salt$AA=="));
}

/// PHP's `==` takes two digests that begin with `0e` and go on with decimal digits for the same number.
#[test]
fn digests_are_not_compared_as_numbers() {
    // MD5 of 240610708 and of QNKCDZO; SHA-1 of aaroZmOk and of aaK1STfY.
    let md5 = ("0e462097431906509019562988736854", "240610708", "QNKCDZO");
    let sha1 = (
        "0e66507019969427134894567494305185566735",
        "aaroZmOk",
        "aaK1STfY",
    );
    for (rules, (digest, right, other), prefix, suffix) in [
        (Rules::Wordpress, md5, "", ""),
        (Rules::Joomla3, md5, "", ""),
        (Rules::Phpbb, md5, "", ""),
        (Rules::Salted, md5, "", ""),
        (Rules::Salted, sha1, "", ""),
        (Rules::Nextcloud, sha1, "", ""),
        (Rules::Magento, md5, "", "::0"),
        (Rules::Spring, md5, "{MD5}", ""),
        (Rules::Spring, sha1, "{SHA-1}", ""),
    ] {
        let stored = format!("{prefix}{digest}{suffix}");
        let Ok(encoded) = Encoded::parse(rules, &stored) else {
            continue;
        };
        let verify =
            |typed: &str| encoded.verify(typed.as_bytes(), &Context::default(), &Limits::default());
        for typed in [other, "0", "0e1", digest, ""] {
            assert_ne!(verify(typed), Outcome::Match, "{rules} {typed}");
        }
        if matches!(rules, Rules::Wordpress | Rules::Spring) {
            assert_eq!(verify(right), Outcome::Match, "{rules} {right}");
        }
    }
}
