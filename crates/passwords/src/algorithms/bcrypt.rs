//! Verifies bcrypt in the modular crypt form, `$2y$10$` + 22 characters of salt + 31 of hash.
//!
//! The password is used to its 72nd byte and no further, as OpenBSD, PHP and python-bcrypt before
//! 5 do. A salt with spare bits set is not what any of them writes: they either refuse it or
//! write it back without, so that the texts differ.
//!
//! crypt_blowfish, which PHP and libxcrypt carry along, had a bug before 1.1: it took bytes from 0x80
//! on for negative, and so mixed up the word of four bytes that they are in. `$2x$` marks hashes of
//! that kind; its `$2a$` is right, but differs on purpose for the few passwords for which a hash with
//! the bug could be of another password as well (Openwall crypt_blowfish 1.3, `BF_set_key`).

use crate::hash::{Cost, Hash, Limits, Outcome, compare, plain_number};
use blowfish::Blowfish;
use zeroize::Zeroizing;

/// The bytes of a password that bcrypt reads, its final NUL included.
const LENGTH: usize = 72;

/// The text that is encrypted, `OrpheanBeholderScryDoubt`.
const TEXT: [u32; 6] = [
    0x4f72_7068,
    0x6561_6e42,
    0x6568_6f6c,
    0x6465_7253,
    0x6372_7944,
    0x6f75_6274,
];

/// How a password becomes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keying {
    /// As it is.
    Right,
    /// As crypt_blowfish does for `$2x$`.
    SignExtended,
    /// As crypt_blowfish does for `$2a$`.
    Countered,
}

/// bcrypt's own order of the base64 alphabet.
const ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A stored bcrypt hash.
pub(crate) struct BcryptHash {
    /// Name of the variant: `2a`, `2b`, `2y`; `2x` is crypt_blowfish's.
    variant: &'static str,
    keying: Keying,
    cost: u32,
    salt: [u8; 16],
    encoded: String,
}

impl BcryptHash {
    /// Parses a whole stored hash.
    pub(crate) fn parse(encoded: &str) -> Option<Self> {
        Self::read(encoded).filter(|hash| hash.keying != Keying::SignExtended)
    }

    /// Parses a whole stored hash, to be checked as crypt_blowfish does.
    pub(crate) fn parse_crypt(encoded: &str) -> Option<Self> {
        let hash = Self::read(encoded)?;
        let keying = match hash.variant {
            "2a" => Keying::Countered,
            _ => hash.keying,
        };
        Some(Self { keying, ..hash })
    }

    fn read(encoded: &str) -> Option<Self> {
        let mut fields = encoded.strip_prefix('$')?.split('$');
        let (variant, cost, rest) = (fields.next()?, fields.next()?, fields.next()?);
        let (variant, keying) = match variant {
            "2a" => ("2a", Keying::Right),
            "2b" => ("2b", Keying::Right),
            "2y" => ("2y", Keying::Right),
            "2x" => ("2x", Keying::SignExtended),
            _ => return None,
        };
        if cost.len() != 2 || rest.len() != 22 + 31 || fields.next().is_some() {
            return None;
        }
        let cost = plain_number(cost.strip_prefix('0').unwrap_or(cost))?;
        let salt = decode_salt(rest.get(..22)?)?;
        let hash = rest.get(22..)?;
        let plausible =
            (4..=31).contains(&cost) && hash.bytes().all(|byte| ALPHABET.contains(&byte));
        plausible.then(|| Self {
            variant,
            keying,
            cost,
            salt,
            encoded: encoded.to_owned(),
        })
    }

    /// The cost, an exponent of 2; `None` of crypt_blowfish's own variant.
    pub(crate) fn exact_cost(&self) -> Option<u32> {
        (self.keying != Keying::SignExtended).then_some(self.cost)
    }

    /// The hash of `password` with the same variant, cost and salt.
    pub(crate) fn encode(&self, password: &[u8]) -> Zeroizing<String> {
        write(password, self.variant, self.keying, self.cost, self.salt)
    }
}

impl Hash for BcryptHash {
    fn cost(&self) -> Cost {
        Cost {
            work: 770 << self.cost,
            memory: 0,
        }
    }

    fn parameters(&self) -> String {
        format!("cost {}", self.cost)
    }

    fn fits(&self, limits: &Limits, _length: usize) -> bool {
        self.cost <= limits.max_cost
    }

    fn check(&self, password: &[u8]) -> Outcome {
        compare(self.encoded.as_bytes(), self.encode(password).as_bytes())
    }
}

/// Writes a hash; `cost` must be within 4 to 31.
pub(crate) fn encode(
    password: &[u8],
    variant: &str,
    cost: u32,
    salt: [u8; 16],
) -> Zeroizing<String> {
    write(password, variant, Keying::Right, cost, salt)
}

fn write(
    password: &[u8],
    variant: &str,
    keying: Keying,
    cost: u32,
    salt: [u8; 16],
) -> Zeroizing<String> {
    let digest = digest(&Keys::new(password, keying), cost.clamp(4, 31), &salt);
    // The 24th byte has never been written down.
    let written = digest.get(..23).unwrap_or_default();
    let mut text = Zeroizing::new(format!("${variant}${cost:02}$"));
    encode64(&salt, &mut text);
    encode64(written, &mut text);
    text
}

type Key = Zeroizing<[u8; LENGTH]>;

/// The two keys of a password, each as long as Blowfish reads: 18 words.
struct Keys {
    /// Of the first expansion.
    first: Key,
    /// Of all others.
    others: Key,
}

impl Keys {
    fn new(password: &[u8], keying: Keying) -> Self {
        // The password and its end, over and over.
        let mut bytes = password.iter().copied().chain([0]).cycle();
        let (mut right, mut extended) = (Key::new([0; LENGTH]), Key::new([0; LENGTH]));
        let (mut beyond_ascii, mut differ) = (false, false);
        let words = right.chunks_exact_mut(4).zip(extended.chunks_exact_mut(4));
        for (right, extended) in words {
            let (mut word, mut negative) = (0u32, 0u32);
            for position in 0..4 {
                let byte = bytes.next().unwrap_or_default();
                word = word << 8 | u32::from(byte);
                negative = negative << 8 | i32::from(byte.cast_signed()).cast_unsigned();
                beyond_ascii |= position > 0 && byte >= 0x80;
            }
            differ |= word != negative;
            right.copy_from_slice(&word.to_be_bytes());
            extended.copy_from_slice(&negative.to_be_bytes());
        }
        if keying == Keying::SignExtended {
            return Self {
                first: extended.clone(),
                others: extended,
            };
        }
        let mut first = right.clone();
        // The bug made no difference although it could: the word's second byte hides others. What it
        // would be taken for is kept apart by one bit.
        if keying == Keying::Countered && beyond_ascii && !differ {
            for byte in first.iter_mut().skip(1).take(1) {
                *byte ^= 1;
            }
        }
        Self {
            first,
            others: right,
        }
    }
}

fn digest(keys: &Keys, cost: u32, salt: &[u8; 16]) -> Zeroizing<[u8; 24]> {
    let mut state: Blowfish = Blowfish::bc_init_state();
    state.salted_expand_key(salt, keys.first.as_slice());
    for _ in 0..1u32 << cost {
        state.bc_expand_key(keys.others.as_slice());
        state.bc_expand_key(salt);
    }
    let mut digest = Zeroizing::new([0; 24]);
    for (block, written) in TEXT.chunks_exact(2).zip(digest.chunks_exact_mut(8)) {
        if let &[left, right] = block {
            let words = (0..64).fold([left, right], |words, _| state.bc_encrypt(words));
            for (word, written) in words.iter().zip(written.chunks_exact_mut(4)) {
                written.copy_from_slice(&word.to_be_bytes());
            }
        }
    }
    digest
}

/// Appends base64 in bcrypt's alphabet, without padding.
fn encode64(bytes: &[u8], text: &mut String) {
    for chunk in bytes.chunks(3) {
        let mut bits = 0;
        for position in 0..3 {
            bits = bits << 8 | u32::from(chunk.get(position).copied().unwrap_or(0));
        }
        for position in 0..=chunk.len() {
            let index = (bits >> (18 - 6 * position)) & 63;
            text.push(char::from(
                ALPHABET.get(index as usize).copied().unwrap_or(b'.'),
            ));
        }
    }
}

/// 22 characters as 16 bytes; `None` where they are not what [`encode64`] writes.
fn decode_salt(text: &str) -> Option<[u8; 16]> {
    let mut salt = [0; 16];
    let mut slots = salt.iter_mut();
    let (mut bits, mut held) = (0u32, 0);
    for character in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == character)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            *slots.next()? = u8::try_from(bits >> held & 0xff).ok()?;
        }
    }
    let spare = bits & ((1 << held) - 1);
    (spare == 0 && slots.next().is_none()).then_some(salt)
}
