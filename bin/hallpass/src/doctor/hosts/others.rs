//! Servers that are only looked for: whether they name Hallpass anywhere.

use std::fs;
use std::path::Path;

use hallpass_core::examination::Finding;

const OTHERS: [(&str, &str); 6] = [
    ("Caddy", "/etc/caddy/Caddyfile"),
    ("Dovecot", "/etc/dovecot"),
    ("lighttpd", "/etc/lighttpd"),
    ("PAM", "/etc/pam.d"),
    ("Prosody", "/etc/prosody"),
    ("Squid", "/etc/squid"),
];

/// How deep directories are looked into, and how large files may be.
const DEPTH: u32 = 2;
const LONGEST: u64 = 1 << 20;

pub fn look() -> Vec<Finding> {
    let there = OTHERS.iter().filter(|(_, place)| Path::new(place).exists());
    there
        .map(|(name, place)| {
            let names = names_us(Path::new(place), DEPTH);
            let seen = match names {
                true => "it points to Hallpass",
                false => "nothing in it points to Hallpass",
            };
            Finding::ok("host", format!("look into {place}, of {name}"), seen)
        })
        .collect()
}

fn names_us(path: &Path, depth: u32) -> bool {
    let Ok(metadata) = path.metadata() else {
        return false;
    };
    if metadata.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        return depth > 0
            && entries
                .into_iter()
                .any(|it| names_us(&it.path(), depth - 1));
    }
    metadata.is_file()
        && metadata.len() <= LONGEST
        && fs::read(path).is_ok_and(|text| {
            String::from_utf8_lossy(&text)
                .lines()
                .any(|line| !line.trim_start().starts_with('#') && line.contains("hallpass"))
        })
}
