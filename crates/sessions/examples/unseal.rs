//! Encrypted cookies that are opened per second.
//!
//!     unseal laravel|rails SECRET < cookies
//!
//! `SECRET` is Laravel's `APP_KEY`, or the `secret_key_base` of a Rails 7 application; each line is the
//! cookie of a session, percent-encoded. `tests/benchmarks/sites.py` measures PHP beside it.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that fails is none"
)]

use std::hint::black_box;
use std::time::Instant;

use hallpass_sessions::laravel::{Cipher, Cookie, Encrypter, app_key};
use hallpass_sessions::rails::{KeyDigest, Keyring, Version};

const ROUNDS: usize = 15;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, secret] = arguments.as_slice() else {
        panic!("usage: unseal laravel|rails SECRET < cookies");
    };
    let cookies: Vec<String> = std::io::stdin().lines().map(Result::unwrap).collect();
    let seconds = match kind.as_str() {
        "laravel" => {
            let key = app_key(secret.as_bytes());
            let encrypter = Encrypter::new(Cipher::Aes256Cbc, vec![key]).unwrap();
            fastest(&cookies, |cookie| {
                let cookie = Cookie::open(cookie.as_bytes(), &encrypter).unwrap();
                black_box(cookie.value_of("site_session", &encrypter).unwrap());
            })
        }
        "rails" => {
            let version = Version(7, 0);
            let digest = KeyDigest::of(version);
            let keyring = Keyring::new(secret.as_bytes(), [], version, digest);
            fastest(&cookies, |cookie| {
                let cookie = decoded(cookie);
                black_box(keyring.open("_site_session", &cookie).unwrap());
            })
        }
        _ => panic!("no such cookies"),
    };
    println!("{:.0}", cookies.len() as f64 / seconds);
}

/// The time of the fastest round, in seconds.
fn fastest(cookies: &[String], open: impl Fn(&str)) -> f64 {
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        cookies.iter().for_each(|cookie| open(cookie));
        start.elapsed().as_secs_f64()
    });
    rounds.fold(f64::INFINITY, f64::min)
}

/// Of the characters of Base64, `+`, `/` and `=` are percent-encoded.
fn decoded(cookie: &str) -> String {
    let cookie = cookie.replace("%2B", "+").replace("%2F", "/");
    cookie.replace("%3D", "=")
}
