//! Spoils recorded cookies in every place and in every part: whatever is made of one must let nobody in.
#![allow(clippy::expect_used, clippy::indexing_slicing)]

/// A recorded cookie that is good, and the account that it belongs to.
pub struct Good<'a> {
    /// `NAME=VALUE`, as it came in the header `Cookie`.
    pub header: &'a str,
    pub owner: &'a str,
    /// Another good one of the same site, whose parts are put in.
    pub another: &'a str,
}

/// Asserts that `ask`, which answers a header `Cookie` by a name or a reason, refuses all that is made of
/// `good`. Up to `unseen` changes may leave it as it is, because the software does not see them: spare bits of
/// Base64. What is the same once it is percent-decoded is the same cookie.
///
/// # Panics
/// Where more are granted, or an answer is not a reason for refusing a session.
pub fn refuse_what_is_made_of(good: &Good<'_>, unseen: usize, mut ask: impl FnMut(&str) -> String) {
    let (name, value) = good.header.split_once('=').expect("a cookie");
    let (_, another) = good.another.split_once('=').expect("a cookie");
    assert_eq!(ask(good.header), good.owner, "{}", good.header);
    let same = decoded(value);
    let made = spoilt(value, another).into_iter();
    let made = made.filter(|spoilt| decoded(spoilt) != same);
    let mut granted = Vec::new();
    for header in made.map(|spoilt| format!("{name}={spoilt}")) {
        let answer = ask(&header);
        if answer == good.owner {
            granted.push(header);
        } else {
            let refused = answer.ends_with("-session") || answer == "unknown-user";
            assert!(refused, "{header}: {answer}");
        }
    }
    let count = granted.len();
    assert!(count <= unseen, "{count} are granted: {granted:#?}");
    for header in under_other_names(name, value) {
        assert_ne!(ask(&header), good.owner, "{header}");
    }
}

/// The bytes that a percent-encoded text stands for.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

/// The same value under names that are not the site's.
fn under_other_names(name: &str, value: &str) -> Vec<String> {
    let cut = &name[..name.len() - 1];
    let names = [
        String::new(),
        cut.to_owned(),
        format!("{name}x"),
        format!("x{name}"),
        format!("{name}[]"),
        format!("__Host-{name}"),
        swapped(name),
    ];
    names.map(|name| format!("{name}={value}")).to_vec()
}

/// The same text with the case of all letters changed.
fn swapped(text: &str) -> String {
    let swap = |letter: char| match letter.is_ascii_lowercase() {
        true => letter.to_ascii_uppercase(),
        false => letter.to_ascii_lowercase(),
    };
    text.chars().map(swap).collect()
}

/// A letter of the same kind, so that nothing but its value changes.
fn neighbour(letter: char) -> char {
    match letter {
        '9' | 'Z' | 'z' => char::from_u32(u32::from(letter) - 1).expect("a letter"),
        _ if letter.is_ascii_alphanumeric() => {
            char::from_u32(u32::from(letter) + 1).expect("a letter")
        }
        '-' => '_',
        _ => '-',
    }
}

fn spoilt(value: &str, another: &str) -> Vec<String> {
    let letters: Vec<char> = value.chars().collect();
    let mut all: Vec<String> = [
        "",
        "0",
        "null",
        "true",
        "[]",
        "{}",
        "s:",
        ".",
        "..",
        "--",
        "|||",
        "a:0:{}",
        "N;",
        "%00",
        "%",
        "%zz",
        "=",
        "' OR '1'='1",
        "\"\"",
        "../../../../etc/passwd",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        "O:8:\"stdClass\":0:{}",
        "a:1:{i:0;R:1;}",
        "a:99999999:{}",
        "é",
        "\u{7f}",
    ]
    .map(str::to_owned)
    .to_vec();
    all.extend(["a", "A", "0", "=", "%41", "[", "a:1:{i:0;"].map(|part| part.repeat(3_000)));
    let reversed: String = letters.iter().rev().collect();
    all.extend([
        swapped(value),
        value.to_ascii_lowercase(),
        value.to_ascii_uppercase(),
        reversed,
        value.repeat(2),
        format!("{value}x"),
        format!("x{value}"),
        format!("{value}%00"),
        format!("%00{value}"),
        format!("{value}%20"),
        value.replace('%', "%25"),
    ]);
    for (place, letter) in letters.iter().enumerate() {
        let (before, after) = letters.split_at(place);
        let text = |part: &[char]| part.iter().collect::<String>();
        let (before, behind) = (text(before), text(&after[1..]));
        all.push(before.clone());
        all.push(text(after));
        all.push(format!("{before}{behind}"));
        all.push(format!("{before}{letter}{letter}{behind}"));
        all.push(format!("{before}{}{behind}", neighbour(*letter)));
        all.push(format!("{before}{}{behind}", swapped(&letter.to_string())));
    }
    for separator in ["%7C", "%3A", "--", ".", "|", ":"] {
        let parts: Vec<&str> = value.split(separator).collect();
        let others: Vec<&str> = another.split(separator).collect();
        if parts.len() < 2 || parts.len() != others.len() {
            continue;
        }
        for at in 0..parts.len() {
            for part in ["", "0", others[at], "AAAA", &parts[at].repeat(2)] {
                let mut changed = parts.clone();
                changed[at] = part;
                all.push(changed.join(separator));
            }
            let mut fewer = parts.clone();
            fewer.remove(at);
            all.push(fewer.join(separator));
            let mut turned = parts.clone();
            turned.rotate_left(at);
            all.push(turned.join(separator));
        }
    }
    // What became another good cookie is not spoilt.
    all.retain(|spoilt| spoilt != value && spoilt != another);
    all.sort();
    all.dedup();
    all
}
