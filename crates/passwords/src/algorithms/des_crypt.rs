//! Verifies DES crypt: the traditional one (two characters of salt, eight of password) and BSDi's
//! extended one (`_` + four characters of count + four of salt, the whole password).
//!
//! Crypt's DES is not plain DES: the salt swaps halves of the expansion, so that no ordinary
//! library can be used. Tables: FIPS 46-3.

use zeroize::Zeroizing;

use super::crypt64;
use crate::hash::{Cost, Hash, Limits, Outcome, compare, rounds_fit};

/// A stored DES crypt hash.
pub(crate) struct DesCrypt {
    extended: bool,
    count: u32,
    salt: u32,
    encoded: Vec<u8>,
}

impl DesCrypt {
    /// Parses a stored hash.
    pub(crate) fn parse(encoded: &str) -> Option<Self> {
        let encoded = encoded.as_bytes();
        let extended = encoded.starts_with(b"_");
        let (settings, hash) = encoded.split_at_checked(Self::settings(extended))?;
        let (count, salt) = match settings {
            [b'_', settings @ ..] => (number(settings.get(..4)?)?, number(settings.get(4..)?)?),
            salt => (25, number(salt)?),
        };
        let plausible = crypt64::is_encoded(hash, 11) && count > 0;
        plausible.then(|| Self {
            extended,
            count,
            salt,
            encoded: encoded.to_owned(),
        })
    }

    /// How many bytes there are before the digest.
    fn settings(extended: bool) -> usize {
        if extended { 9 } else { 2 }
    }
}

impl Hash for DesCrypt {
    fn cost(&self) -> Cost {
        Cost {
            work: u64::from(self.count) * 3,
            memory: 0,
        }
    }

    fn parameters(&self) -> String {
        format!("{} rounds", self.count)
    }

    fn fits(&self, limits: &Limits, _length: usize) -> bool {
        rounds_fit(self.cost().work, limits, 0)
    }

    fn check(&self, password: &[u8]) -> Outcome {
        let key = Zeroizing::new(if self.extended {
            fold(password)
        } else {
            key(password)
        });
        let block = crypt(&Schedule::new(*key), self.count, self.salt, 0);
        let settings = self.encoded.get(..Self::settings(self.extended));
        let mut computed = Zeroizing::new(settings.unwrap_or_default().to_vec());
        // 64 bits, most significant first, and two zero bits at the end.
        for position in 0..11 {
            let bits = if position < 10 {
                block >> (58 - 6 * position)
            } else {
                block << 2
            };
            computed.push(crypt64::character((bits & 63) as u32));
        }
        compare(&self.encoded, &computed)
    }
}

/// A number of up to five characters, the first of them lowest.
fn number(characters: &[u8]) -> Option<u32> {
    let mut number = 0;
    for character in characters.iter().rev() {
        number = number << 6 | crypt64::value(*character)?;
    }
    Some(number)
}

/// Up to eight characters as a key, seven bits of each; parity bits are ignored.
fn key(characters: &[u8]) -> u64 {
    let padded = characters.iter().copied().chain([0; 8]).take(8);
    padded.fold(0, |key, character| key << 8 | u64::from(character << 1))
}

/// A password of any length as a key (BSDi): what the last eight characters made is encrypted
/// with itself before the next eight are added.
fn fold(password: &[u8]) -> u64 {
    let mut chunks = password.chunks(8);
    let first = key(chunks.next().unwrap_or_default());
    chunks.fold(first, |folded, chunk| {
        crypt(&Schedule::new(folded), 1, 0, folded) ^ key(chunk)
    })
}

/// The sixteen round keys, 48 bits each.
struct Schedule(Zeroizing<[u64; 16]>);

impl Schedule {
    fn new(key: u64) -> Self {
        let chosen = permute(key, 64, &PC1);
        let (mut left, mut right) = (chosen >> 28, chosen & 0xfff_ffff);
        let mut keys = Zeroizing::new([0; 16]);
        for (round, slot) in keys.iter_mut().enumerate() {
            let turns = if matches!(round, 0 | 1 | 8 | 15) {
                1
            } else {
                2
            };
            left = (left << turns | left >> (28 - turns)) & 0xfff_ffff;
            right = (right << turns | right >> (28 - turns)) & 0xfff_ffff;
            *slot = permute(left << 28 | right, 56, &PC2);
        }
        Self(keys)
    }
}

/// Encrypts `block` over and over, `count` times, with the expansion turned by `salt`.
fn crypt(schedule: &Schedule, count: u32, salt: u32, block: u64) -> u64 {
    // The lowest bit of the salt swaps the first bit of each half of the expansion.
    let mask = u64::from(salt.reverse_bits() >> 8);
    let block = permute(block, 64, &IP);
    let (mut left, mut right) = ((block >> 32) as u32, block as u32);
    for _ in 0..count {
        for round_key in schedule.0.iter() {
            let mixed = left ^ round(right, *round_key, mask);
            (left, right) = (right, mixed);
        }
        (left, right) = (right, left);
    }
    permute(u64::from(left) << 32 | u64::from(right), 64, &FP)
}

/// The cipher function f.
fn round(half: u32, round_key: u64, mask: u64) -> u32 {
    let mut expanded = 0;
    for group in 0..8 {
        let six = half.rotate_right(1).rotate_left(4 * group) >> 26;
        expanded = expanded << 6 | u64::from(six);
    }
    let swapped = (expanded >> 24 ^ expanded) & mask;
    let expanded = expanded ^ swapped ^ swapped << 24 ^ round_key;
    let mut output = 0;
    for (box_number, table) in SP.iter().enumerate() {
        let six = expanded >> (42 - 6 * box_number) & 63;
        output |= table.get(six as usize).copied().unwrap_or(0);
    }
    output
}

/// Picks bits of `input`, which has `width` of them; bit 1 is the most significant, as in FIPS 46.
const fn permute(input: u64, width: u32, table: &[u8]) -> u64 {
    let mut output = 0;
    let mut rest = table;
    while let [bit, tail @ ..] = rest {
        output = output << 1 | (input >> (width - *bit as u32)) & 1;
        rest = tail;
    }
    output
}

/// The eight S-boxes, each already put through the permutation P.
static SP: [[u32; 64]; 8] = substitute();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which checks the bounds"
)]
const fn substitute() -> [[u32; 64]; 8] {
    let mut tables = [[0; 64]; 8];
    let mut number = 0;
    while number < 8 {
        let mut six = 0;
        while six < 64 {
            let row = (six >> 4 & 2) | six & 1;
            let column = six >> 1 & 15;
            let four = S[number][16 * row + column] as u64;
            tables[number][six] = permute(four << (28 - 4 * number), 32, &P) as u32;
            six += 1;
        }
        number += 1;
    }
    tables
}

#[rustfmt::skip]
const IP: [u8; 64] = [
    58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4,
    62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8,
    57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3,
    61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
];

#[rustfmt::skip]
const FP: [u8; 64] = [
    40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31,
    38, 6, 46, 14, 54, 22, 62, 30, 37, 5, 45, 13, 53, 21, 61, 29,
    36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27,
    34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25,
];

#[rustfmt::skip]
const PC1: [u8; 56] = [
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18,
    10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
    63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22,
    14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
];

#[rustfmt::skip]
const PC2: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4,
    26, 8, 16, 7, 27, 20, 13, 2, 41, 52, 31, 37, 47, 55, 30, 40,
    51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];

#[rustfmt::skip]
const P: [u8; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10,
    2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
];

#[rustfmt::skip]
const S: [[u8; 64]; 8] = [
    [
        14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7,
        0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8,
        4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0,
        15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13,
    ],
    [
        15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10,
        3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5,
        0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15,
        13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9,
    ],
    [
        10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8,
        13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1,
        13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7,
        1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12,
    ],
    [
        7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15,
        13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9,
        10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4,
        3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14,
    ],
    [
        2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9,
        14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6,
        4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14,
        11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3,
    ],
    [
        12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11,
        10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8,
        9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6,
        4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13,
    ],
    [
        4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1,
        13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6,
        1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2,
        6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12,
    ],
    [
        13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7,
        1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2,
        7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8,
        2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11,
    ],
];
