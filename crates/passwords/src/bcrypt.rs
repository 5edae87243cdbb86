//! bcrypt in the modular crypt form, `$2y$10$` + 22 characters of salt + 31 of hash.
//!
//! The password is used to its 72nd byte and no further, as OpenBSD, PHP and python-bcrypt before
//! 5 do. A salt with spare bits set is not what any of them writes: they either refuse it or
//! write it back without, so that the texts differ.

use zeroize::Zeroizing;

use crate::Description;
use crate::Limits;
use crate::Outcome;
use crate::number;
use crate::scheme::Scheme;
use crate::scheme::compare;

/// bcrypt reads so many bytes of a password, its end included.
const LENGTH: usize = 72;

/// bcrypt's own order of the base64 alphabet.
const ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A stored bcrypt hash.
pub(crate) struct BcryptHash<'a> {
    algorithm: &'static str,
    /// Name of the variant: `2a`, `2b` or `2y`.
    variant: &'a str,
    cost: u32,
    salt: [u8; 16],
    encoded: &'a str,
}

impl<'a> BcryptHash<'a> {
    /// Reads a whole stored hash.
    pub(crate) fn parse(encoded: &'a str, algorithm: &'static str) -> Option<Self> {
        let mut fields = encoded.strip_prefix('$')?.split('$');
        let (variant, cost, rest) = (fields.next()?, fields.next()?, fields.next()?);
        let known = matches!(variant, "2a" | "2b" | "2y");
        if !known || cost.len() != 2 || rest.len() != 22 + 31 || fields.next().is_some() {
            return None;
        }
        let cost = number::plain(cost.strip_prefix('0').unwrap_or(cost))?;
        let salt = decode_salt(rest.get(..22)?)?;
        let hash = rest.get(22..)?;
        let plausible =
            (4..=31).contains(&cost) && hash.bytes().all(|byte| ALPHABET.contains(&byte));
        plausible.then_some(Self {
            algorithm,
            variant,
            cost,
            salt,
            encoded,
        })
    }

    /// The cost, an exponent of 2.
    pub(crate) fn cost(&self) -> u32 {
        self.cost
    }

    /// The hash of `password` with the same variant, cost and salt.
    pub(crate) fn encode(&self, password: &[u8]) -> Zeroizing<String> {
        encode(password, self.variant, self.cost, self.salt)
    }
}

impl Scheme for BcryptHash<'_> {
    fn description(&self) -> Description {
        Description {
            algorithm: self.algorithm,
            cost: format!("cost {}", self.cost),
            work: work(self.cost),
            memory: 0,
        }
    }

    fn permitted(&self, limits: &Limits, _length: usize) -> bool {
        self.cost <= limits.max_cost
    }

    fn check(&self, password: &[u8]) -> Outcome {
        compare(self.encoded.as_bytes(), self.encode(password).as_bytes())
    }
}

/// Work of one hash, in PBKDF2 iterations.
pub(crate) fn work(cost: u32) -> u64 {
    770 << cost.min(31)
}

/// Writes a hash; `cost` must be within 4 to 31.
pub(crate) fn encode(
    password: &[u8],
    variant: &str,
    cost: u32,
    salt: [u8; 16],
) -> Zeroizing<String> {
    let mut key = Zeroizing::new([0; LENGTH]);
    let used = password.iter().copied().chain([0]).take(LENGTH);
    let length = (password.len() + 1).min(LENGTH);
    for (slot, byte) in key.iter_mut().zip(used) {
        *slot = byte;
    }
    let key = key.get(..length).unwrap_or(&[0]);
    let digest = Zeroizing::new(bcrypt::bcrypt(cost.clamp(4, 31), salt, key));
    // The 24th byte has never been written down.
    let written = digest.get(..23).unwrap_or_default();
    let mut text = Zeroizing::new(format!("${variant}${cost:02}$"));
    encode64(&salt, &mut text);
    encode64(written, &mut text);
    text
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
