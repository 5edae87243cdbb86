//! No input panics, hangs or passes the limits, and no damaged hash lets anybody in.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

use std::collections::HashSet;

use hallpass_passwords::Context;
use hallpass_passwords::Encoded;
use hallpass_passwords::Limits;
use hallpass_passwords::MAX_ENCODED;
use hallpass_passwords::Outcome;
use hallpass_passwords::ParseError;
use hallpass_passwords::Rules;
use serde_json::Value;

/// Low enough that a damaged cost cannot make the test slow.
const LIMITS: Limits = Limits {
    max_iterations: 50_000,
    max_memory: 1 << 20,
    max_cost: 5,
};

const PASSWORD: &[u8] = "lètmein".as_bytes();

fn verify(rules: Rules, password: &[u8], encoded: &str, limits: &Limits) -> Outcome {
    match Encoded::parse(rules, encoded) {
        Ok(encoded) => encoded.verify(password, &Context::default(), limits),
        Err(error) => error.into(),
    }
}

/// A hash by real software.
struct Sound {
    rules: Rules,
    typed: String,
    encoded: String,
}

/// One of each kind that the recorded vectors have and [`LIMITS`] permit.
fn sound() -> Vec<Sound> {
    // The damage that ASP.NET, Magento, MediaWiki, Nextcloud and XenForo do not see is recorded in
    // theirs.
    const FILES: [&str; 10] = [
        "django.json",
        "drupal.json",
        "joomla3.json",
        "ldap.json",
        "passlib.json",
        "php.json",
        "phpbb.json",
        "spring.json",
        "werkzeug.json",
        "wordpress.json",
    ];
    const TYPED: [&str; 3] = ["lètmein", "secret", "correct horse"];
    let mut sound = Vec::new();
    let mut kinds = HashSet::new();
    for file in FILES {
        let path = format!("{}/tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
        let rows: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for row in rows {
            let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            let (typed, encoded) = (text("password"), text("encoded"));
            let rules = Rules::from_name(&text("rules")).unwrap();
            let right = row["verdict"] == Value::Bool(true) && row["context"].is_null();
            let Ok(parsed) = Encoded::parse(rules, &encoded) else {
                continue;
            };
            if right
                && TYPED.contains(&&*typed)
                && parsed.fits(&LIMITS)
                && kinds.insert((rules, parsed.algorithm(), encoded.len()))
            {
                sound.push(Sound {
                    rules,
                    typed,
                    encoded,
                });
            }
        }
    }
    assert!(sound.len() > 50, "{}", sound.len());
    sound
}

/// Whether the two differ only where the software does not look, as in the salt that Django's `crypt`
/// ignores, or in the first three of phpBB's 34 characters.
fn differ_unseen(rules: Rules, original: &str, damaged: &str) -> bool {
    // `$2x$` is what `$2y$` is for passwords of ASCII, as in PHP.
    if rules != Rules::Django && original.replacen("$2y$", "$2x$", 1) == damaged {
        return true;
    }
    match rules {
        Rules::Django => {
            let seen = |encoded: &str| {
                let (_, seen) = encoded.strip_prefix("crypt$")?.split_once('$')?;
                Some(seen.to_owned())
            };
            seen(original).is_some() && seen(original) == seen(damaged)
        }
        Rules::Phpbb => {
            let seen = |encoded: &str| {
                let portable = encoded.strip_prefix("$CP$").unwrap_or(encoded);
                let seen = portable.get(3..).filter(|seen| seen.len() == 31)?;
                Some((portable.len() == encoded.len(), seen.to_owned()))
            };
            seen(original).is_some() && seen(original) == seen(damaged)
        }
        Rules::Joomla3 => original.trim_end_matches(':') == damaged,
        // Padding, the case of a scheme, what Python's `int` reads, a NUL after an HMAC's key.
        Rules::Passlib | Rules::Ldap => {
            let seen = |encoded: &str| match encoded.replace('=', "").split_once('}') {
                Some((scheme, rest)) => format!("{}}}{rest}", scheme.to_ascii_uppercase()),
                None => encoded.replace('=', ""),
            };
            seen(original) == seen(damaged)
        }
        // What stands between the id and the first dollar sign.
        Rules::Spring => {
            let seen = |encoded: &str| {
                let (id, rest) = encoded.split_once('}')?;
                let (_, rest) = rest.split_once('$')?;
                Some((id.to_owned(), rest.replace('=', "")))
            };
            seen(original).is_some() && seen(original) == seen(damaged)
        }
        Rules::Werkzeug => {
            let seen = |encoded: &str| {
                let (method, rest) = encoded.split_once('$')?;
                let number = |field: &str| {
                    let field = field.trim().replace('_', "").to_ascii_lowercase();
                    field.trim_start_matches(['+', '0']).to_owned()
                };
                let method: Vec<String> = method.split(':').map(number).collect();
                Some((method, rest.replace("\0$", "$")))
            };
            seen(original) == seen(damaged)
        }
        _ => false,
    }
}

#[test]
fn a_hash_that_is_damaged_anywhere_lets_nobody_in() {
    let mut tried = 0;
    for Sound {
        rules,
        typed,
        encoded,
    } in sound()
    {
        let check = |damaged: &str| {
            let outcome = verify(rules, typed.as_bytes(), damaged, &LIMITS);
            let same = damaged == encoded || differ_unseen(rules, &encoded, damaged);
            assert!(
                outcome != Outcome::Match || same,
                "{rules}: {damaged:?} for {encoded:?}"
            );
        };
        let characters: Vec<char> = encoded.chars().collect();
        for position in 0..characters.len() {
            tried += 1;
            let before: String = characters[..position].iter().collect();
            let after: String = characters[position + 1..].iter().collect();
            let character = characters[position];
            check(&before);
            check(&format!("{before}{after}"));
            check(&format!("{before}{character}{character}{after}"));
            let flipped = char::from_u32(u32::from(character) ^ 1).unwrap();
            check(&format!("{before}{flipped}{after}"));
            let other = ['$', '=', '0', '\0', '\n', ' ', 'é', '.', ':', 'A'][position % 10];
            check(&format!("{before}{other}{after}"));
            check(&format!("{before}{other}{character}{after}"));
        }
    }
    assert!(tried > 3000, "{tried}");
}

#[test]
fn nonsense_of_every_kind_is_refused_and_never_panics() {
    const TOKENS: &[&str] = &[
        "$",
        "$$",
        "pbkdf2_sha256",
        "pbkdf2_sha1",
        "argon2",
        "argon2id",
        "argon2i",
        "argon2d",
        "bcrypt",
        "bcrypt_sha256",
        "scrypt",
        "md5",
        "sha1",
        "crypt",
        "!",
        "$2y$",
        "$2a$",
        "$2b$",
        "$wp",
        "$P$",
        "$H$",
        "$S$",
        "U$S$",
        "$1$",
        "$5$",
        "$6$",
        "rounds=",
        "_",
        "{SHA256}",
        "$CP$",
        "$H\\2y$",
        "\\",
        "v=19",
        "v=16",
        "m=64,t=1,p=1",
        "m=4294967295,t=4294967295,p=16777215",
        "m=",
        ",t=",
        ",p=",
        "10",
        "04",
        "31",
        "99",
        "1",
        "0",
        "4294967295",
        "4294967296",
        "18446744073709551616",
        "-1",
        "1024",
        "1073741824",
        "salt",
        "seasalt8",
        "abcdefghijklmnopqrstuu",
        "c2Vhc2FsdHNlYXNhbHQ",
        "=",
        ":",
        "\0",
        "\n",
        " ",
        "é",
        "🐎",
        "\u{feff}",
        "U",
        "9",
        "5",
        "z",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "................................",
        "*0",
        "*1",
        "{SSHA}",
        "{bcrypt}",
        "{MD5}",
        "{PBKDF2-SHA256}",
        "pbkdf2:sha256:",
        "scrypt:128:8:1",
        "$pbkdf2-sha512$",
        "$scrypt$ln=4,r=8,p=1$",
        "$bcrypt-sha256$v=2,t=2b,r=4$",
        ":pbkdf2:sha512:3:64:",
        ":B:",
        ":bcrypt:4$",
        "3|",
        "1|",
        "AQAAAAEAAAABAAAAEA",
        "3_32_1_65536",
        "a:1:{s:4:\"hash\";s:60:\"",
        "\";}",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let passwords: [&[u8]; 7] = [
        b"",
        b"0",
        PASSWORD,
        b"a&b<c>\"d",
        b"\xff\xff\xa3",
        b"a\0b",
        &[b'k'; 4096],
    ];
    for _ in 0..30_000 {
        let encoded: String = (0..1 + random(9))
            .map(|_| TOKENS[random(TOKENS.len())])
            .collect();
        for rules in Rules::ALL {
            let password = passwords[random(passwords.len())];
            let outcome = verify(rules, password, &encoded, &LIMITS);
            assert_ne!(outcome, Outcome::Match, "{rules}: {encoded:?}");
            if outcome == Outcome::Mismatch {
                assert!(
                    Encoded::parse(rules, &encoded).is_ok(),
                    "{rules}: {encoded:?}"
                );
            }
        }
    }
}

#[test]
fn a_hash_over_the_limits_is_never_run() {
    let pbkdf2 = "pbkdf2_sha256$4294967295$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let hash = "c2Vhc2FsdHNlYXNhbHQ$c2Vhc2FsdHNlYXNhbHQ";
    let rows = [
        (Rules::Django, pbkdf2.to_owned()),
        (
            Rules::Django,
            pbkdf2.replace("256$4294967295", "1$20000001"),
        ),
        (Rules::Django, pbkdf2.replace("4294967295", "20000001")),
        (
            Rules::Django,
            "bcrypt$$2b$17$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2".to_owned(),
        ),
        (
            Rules::Django,
            "bcrypt_sha256$$2b$31$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2".to_owned(),
        ),
        (
            Rules::Django,
            format!("argon2$argon2id$v=19$m=524289,t=1,p=1${hash}"),
        ),
        (
            Rules::Django,
            format!("argon2$argon2id$v=19$m=4194304,t=1,p=1${hash}"),
        ),
        (
            Rules::Django,
            format!("argon2$argon2id$v=19$m=8,t=4294967295,p=1${hash}"),
        ),
        (Rules::Django, "scrypt$1073741824$salt$8$1$AAAA".to_owned()),
        (Rules::Django, "scrypt$16384$salt$8$1000000$AAAA".to_owned()),
        (Rules::Django, "scrypt$2$salt$1073741823$1$AAAA".to_owned()),
        (
            Rules::Django,
            "crypt$$$6$rounds=999999999$salt$".to_owned() + &"a".repeat(86),
        ),
        (
            Rules::Php,
            "$5$rounds=999999999$salt$".to_owned() + &"a".repeat(43),
        ),
        (
            Rules::Php,
            "$2y$31$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2".to_owned(),
        ),
        (Rules::Php, "_zzzzrasmC1vJSCbtb7A".to_owned()),
        (Rules::Php, "$P$Sseasalt8......................".to_owned()),
        (
            Rules::Phpbb,
            "$H$Sseasalt8......................".to_owned(),
        ),
        (
            Rules::Phpbb,
            "$CP$$H$Sseasalt8......................".to_owned(),
        ),
        (
            Rules::Phpbb,
            "$CP$$2a$31$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2".to_owned(),
        ),
        (
            Rules::Phpbb,
            "$H\\2y$Sseasalt8$10\\abcdefghijklmnopqrstuu$Ci15uRb1eH7NAlJ/TgeJertyknQpYn2"
                .to_owned(),
        ),
        (
            Rules::Phpbb,
            "$H\\2y$5seasalt8$31\\abcdefghijklmnopqrstuu$Ci15uRb1eH7NAlJ/TgeJertyknQpYn2"
                .to_owned(),
        ),
        (
            Rules::Wordpress,
            "$wp$2y$31$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2".to_owned(),
        ),
        (
            Rules::Werkzeug,
            "pbkdf2:sha256:20000001$salt$".to_owned() + &"0".repeat(64),
        ),
        (
            Rules::Werkzeug,
            "pbkdf2:sha512:4294967295$salt$".to_owned() + &"0".repeat(128),
        ),
        (
            Rules::Werkzeug,
            "scrypt:1048576:8:2$salt$".to_owned() + &"0".repeat(128),
        ),
        (
            Rules::Passlib,
            "$pbkdf2-sha512$20000000$c2FsdA$".to_owned() + &"A".repeat(86),
        ),
        (
            Rules::Passlib,
            "$scrypt$ln=31,r=8,p=1$c2FsdA$".to_owned() + &"A".repeat(43),
        ),
        (
            // r times p is 2^32.
            Rules::Passlib,
            "$scrypt$ln=4,r=65536,p=65536$c2FsdA$".to_owned() + &"A".repeat(43),
        ),
        (
            // N is 2^30, and r and p what five characters can say.
            Rules::Passlib,
            "$7$Szzzzzzzzzzsalt$".to_owned() + &".".repeat(43),
        ),
        (
            Rules::Passlib,
            "$7$S6....1....salt$".to_owned() + &".".repeat(43),
        ),
        (
            Rules::Werkzeug,
            "scrypt:16:65536:65536$salt$".to_owned() + &"0".repeat(128),
        ),
        (
            Rules::Passlib,
            "$bcrypt-sha256$v=2,t=2b,r=31$abcdefghijklmnopqrstuu$Ci15uRb1eH7NAlJ/TgeJertyknQpYn2"
                .to_owned(),
        ),
        (
            Rules::Ldap,
            "{PBKDF2-SHA256}4000000000$c2FsdA$".to_owned() + &"A".repeat(43),
        ),
        (
            Rules::Ldap,
            format!("{{ARGON2}}$argon2id$v=19$m=4194304,t=1,p=1${hash}"),
        ),
        (
            Rules::Spring,
            "{bcrypt}$2a$31$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2".to_owned(),
        ),
        (
            Rules::Spring,
            "{scrypt}$1e0801$c2FsdA==$".to_owned() + &"A".repeat(43) + "=",
        ),
        (
            Rules::Nextcloud,
            format!("3|$argon2id$v=19$m=4194304,t=9,p=1${hash}"),
        ),
        (
            Rules::Nextcloud,
            "$2y$31$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2".to_owned(),
        ),
        (
            Rules::Mediawiki,
            ":pbkdf2:sha512:30000000:64:c2FsdA==:".to_owned() + &"A".repeat(86) + "==",
        ),
        (
            Rules::Mediawiki,
            ":bcrypt:31$abcdefghijklmnopqrstuu$Ci15uRb1eH7NAlJ/TgeJertyknQpYn2".to_owned(),
        ),
        (
            Rules::Aspnet,
            // Version 3, SHA-512, 2^31 - 1 iterations, 16 bytes of salt, 32 of key.
            "AQAAAAJ/////AAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
                .to_owned(),
        ),
        (
            Rules::Magento,
            "0".repeat(64) + ":salt:3_32_2_4000000000",
        ),
        (
            Rules::Magento,
            "0".repeat(64) + ":salt:3_32_4294967295_65536",
        ),
        (
            Rules::Smf,
            "$2y$17$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2".to_owned(),
        ),
        (
            Rules::Xenforo,
            "a:1:{s:4:\"hash\";s:60:\"$2y$31$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2\";}"
                .to_owned(),
        ),
        (Rules::Drupal, "$S$Sseasalt8".to_owned() + &".".repeat(43)),
        (
            Rules::Joomla,
            "$2y$17$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2".to_owned(),
        ),
    ];
    for (rules, encoded) in rows {
        let outcome = verify(rules, PASSWORD, &encoded, &Limits::default());
        assert_eq!(outcome, Outcome::Unsupported, "{rules}: {encoded}");
        let fits = Encoded::parse(rules, &encoded).is_ok_and(|it| it.fits(&Limits::default()));
        assert!(!fits, "{encoded}");
    }
}

#[test]
fn a_long_password_counts_where_every_round_takes_it_in() {
    let portable = "$P$Jseasalt8......................"; // 2^21 rounds
    let sha = "$5$rounds=5000$salt$".to_owned() + &"a".repeat(43);
    let limits = Limits::default();
    assert_eq!(
        verify(Rules::Php, &vec![b'k'; 4000], portable, &limits),
        Outcome::Unsupported
    );
    assert_eq!(
        verify(Rules::Php, &vec![b'k'; 1 << 20], &sha, &limits),
        Outcome::Unsupported
    );
}

#[test]
fn an_overlong_hash_is_not_looked_at() {
    let long = format!(
        "md5${}$5f4dcc3b5aa765d61d8327deb882cf99",
        "s".repeat(MAX_ENCODED)
    );
    for rules in Rules::ALL {
        assert_eq!(
            verify(rules, PASSWORD, &long, &Limits::default()),
            Outcome::Unsupported
        );
        let error = Encoded::parse(rules, &long).err();
        assert_eq!(error, Some(ParseError::Unsupported));
    }
}
