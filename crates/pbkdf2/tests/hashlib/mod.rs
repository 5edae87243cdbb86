//! Keys that Python's hashlib derived; `tests/vectors/pbkdf2.py` at the root makes them.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail by them"
)]

use hallpass_pbkdf2::{Kernel, Request};

pub struct Vector {
    pub hash: Hash,
    pub iterations: u32,
    pub password: Vec<u8>,
    pub salt: Vec<u8>,
    pub key: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hash {
    Sha1,
    Sha256,
}

#[allow(dead_code, reason = "not every test program needs all of it")]
impl Vector {
    pub fn all() -> Vec<Self> {
        let vectors: Vec<_> = include_str!("../data/hashlib.tsv")
            .lines()
            .map(parse)
            .collect();
        assert!(vectors.len() > 600, "only {} vectors", vectors.len());
        if cfg!(miri) {
            vectors.into_iter().step_by(40).collect()
        } else {
            vectors
        }
    }

    pub fn request(&self) -> Request {
        let make = match self.hash {
            Hash::Sha1 => Request::hmac_sha1,
            Hash::Sha256 => Request::hmac_sha256,
        };
        make(&self.password, &self.salt, self.iterations, self.key.len())
    }

    pub fn derive(&self, kernel: Option<Kernel>) -> Vec<u8> {
        let Self {
            password,
            salt,
            iterations,
            ..
        } = self;
        // Not zeros, which a derivation that leaves bytes out might be taken for.
        let mut key = vec![0xa5; self.key.len()];
        match (self.hash, kernel) {
            (Hash::Sha1, None) => {
                hallpass_pbkdf2::hmac_sha1(password, salt, *iterations, &mut key);
            }
            (Hash::Sha1, Some(kernel)) => kernel.hmac_sha1(password, salt, *iterations, &mut key),
            (Hash::Sha256, None) => {
                hallpass_pbkdf2::hmac_sha256(password, salt, *iterations, &mut key);
            }
            (Hash::Sha256, Some(kernel)) => {
                kernel.hmac_sha256(password, salt, *iterations, &mut key);
            }
        }
        key
    }
}

fn parse(line: &str) -> Vector {
    let fields: Vec<_> = line.split('\t').collect();
    let [hash, iterations, password, salt, key] = fields[..] else {
        panic!("fields of {line}")
    };
    let hash = match hash {
        "sha1" => Hash::Sha1,
        "sha256" => Hash::Sha256,
        other => panic!("hash {other}"),
    };
    let iterations = iterations.parse().unwrap();
    Vector {
        hash,
        iterations,
        password: bytes(password),
        salt: bytes(salt),
        key: bytes(key),
    }
}

pub fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
    assert_eq!(digits.len() % 2, 0, "{hex}");
    let digit = |digit: char| u8::try_from(digit.to_digit(16).unwrap()).unwrap();
    digits
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}
