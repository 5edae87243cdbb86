//! Verifies converted hashes, `$CP$` + the hash of the board before phpBB: every old driver is
//! tried (3.3 `phpbb/passwords/driver/*.php`, those that are legacy).

use zeroize::Zeroizing;

use super::bcrypt::BcryptHash;
use super::digest::Kind;
use super::digest::is_hex;
use super::phpass;
use super::phpass::PhpassHash;
use crate::hash::{Context, Cost, Hash, Limits, Outcome, compare};
use crate::php_strings;

/// The old hash; formats are distinguished by their lengths only.
pub(crate) enum Converted {
    /// `salted_md5`, `phpass` and what `md5_phpbb2` makes of 34 characters.
    Portable(PhpassHash),
    /// `bcrypt_wcf2`: bcrypt of bcrypt, with the same salt.
    Doubled(BcryptHash),
    /// Any of the others: 32, 40 or 64 hexadecimal characters.
    Digest(Kind, String),
}

impl Converted {
    /// Parses what follows `$CP$`.
    pub(crate) fn parse(rest: &str) -> Option<Self> {
        if let Some(hash) = PhpassHash::parse(rest, phpass::Kind::Md5) {
            return Some(Self::Portable(hash));
        }
        if let Some(hash) = BcryptHash::parse(rest) {
            return Some(Self::Doubled(hash));
        }
        [(32, Kind::Md5), (40, Kind::Sha1), (64, Kind::Sha256)]
            .into_iter()
            .find(|(length, _)| is_hex(rest, *length))
            .map(|(_, kind)| Self::Digest(kind, rest.to_owned()))
    }

    /// Checks `typed`, which phpBB 2's driver takes as it was sent, and `escaped`, which all others
    /// do.
    pub(crate) fn verify(
        &self,
        typed: &[u8],
        escaped: &[u8],
        context: &Context<'_>,
        limits: &Limits,
    ) -> Outcome {
        match self {
            Self::Portable(hash) => {
                let once = Zeroizing::new(escaped.to_vec());
                let candidates = [once]
                    .into_iter()
                    .chain(phpbb2(typed).map(|text| md5(&text)));
                first_match(candidates, |candidate| {
                    if self.fits(limits, candidate.len()) {
                        hash.check(candidate)
                    } else {
                        Outcome::Unsupported
                    }
                })
            }
            Self::Doubled(_) if !self.fits(limits, escaped.len()) => Outcome::Unsupported,
            Self::Doubled(hash) => {
                let once = hash.encode(escaped);
                let outcome = hash.check(once.as_bytes());
                // The driver uses the one of `$2a$`, which refuses passwords that end beyond ASCII.
                match escaped.last() {
                    Some(last) if last.is_ascii() => outcome,
                    _ => Outcome::Mismatch,
                }
            }
            Self::Digest(kind, stored) => {
                let candidates = match kind {
                    Kind::Md5 => md5_candidates(typed, escaped, context),
                    Kind::Sha1 => sha1_candidates(escaped, context),
                    _ => sha256_candidates(escaped, context),
                };
                first_match(candidates.into_iter(), |candidate| {
                    compare(stored.as_bytes(), candidate)
                })
            }
        }
    }
}

impl Hash for Converted {
    fn cost(&self) -> Cost {
        let work = match self {
            Self::Portable(hash) => hash.cost().work.saturating_mul(3),
            Self::Doubled(hash) => hash.cost().work.saturating_mul(2),
            Self::Digest(..) => 1,
        };
        Cost { work, memory: 0 }
    }

    fn parameters(&self) -> String {
        String::new()
    }

    /// The limits are those of each hash that a check computes, as they are of combined hashes.
    fn fits(&self, limits: &Limits, length: usize) -> bool {
        match self {
            Self::Portable(hash) => hash.fits(limits, length),
            Self::Doubled(hash) => hash.fits(limits, length),
            Self::Digest(..) => true,
        }
    }

    /// Only [`Converted::verify`] can: it takes more than the password.
    fn check(&self, _password: &[u8]) -> Outcome {
        Outcome::Unsupported
    }
}

type Text = Zeroizing<Vec<u8>>;

fn md5_candidates(typed: &[u8], escaped: &[u8], context: &Context<'_>) -> Vec<Text> {
    let mut candidates = vec![md5(escaped)];
    for text in phpbb2(typed) {
        candidates.push(md5(&text));
        candidates.push(md5(&md5(&text)));
    }
    if let Some(salt) = context.salt {
        let salt_digest = md5(salt.as_bytes());
        // MyBB 1.1 to 1.6, then vBulletin 3.8 to 5.0.
        candidates.push(hex(Kind::Md5, &[&salt_digest, &md5(escaped)]));
        candidates.push(hex(Kind::Md5, &[&md5(escaped), salt.as_bytes()]));
    }
    candidates
}

fn sha1_candidates(escaped: &[u8], context: &Context<'_>) -> Vec<Text> {
    let sha1 = |parts: &[&[u8]]| hex(Kind::Sha1, parts);
    let mut candidates = vec![sha1(&[escaped])];
    if let Some(name) = context.login_name {
        // SMF.
        candidates.push(sha1(&[name.to_ascii_lowercase().as_bytes(), escaped]));
    }
    if let Some(salt) = context.salt {
        let salt = salt.as_bytes();
        // WoltLab 1, then XenForo 1.0.
        candidates.push(sha1(&[salt, &sha1(&[salt, &sha1(&[escaped])])]));
        candidates.push(sha1(&[&sha1(&[escaped]), salt]));
    }
    candidates
}

fn sha256_candidates(escaped: &[u8], context: &Context<'_>) -> Vec<Text> {
    let sha256 = |parts: &[&[u8]]| hex(Kind::Sha256, parts);
    // XenForo 1.1.
    let salted = context
        .salt
        .map(|salt| sha256(&[&sha256(&[escaped]), salt.as_bytes()]));
    salted.into_iter().collect()
}

/// The forms that phpBB 2 hashed: the password as sent, slashed, in UTF-8 or in Windows-1252.
fn phpbb2(typed: &[u8]) -> impl Iterator<Item = Text> {
    let slashed = php_strings::add_slashes(typed);
    let western = to_windows_1252(&slashed);
    [slashed, western].into_iter()
}

/// Every candidate is tried, found or not, so that the time does not tell which one it was.
fn first_match(
    candidates: impl Iterator<Item = Text>,
    check: impl Fn(&[u8]) -> Outcome,
) -> Outcome {
    candidates.fold(Outcome::Mismatch, |outcome, candidate| {
        match (outcome, check(&candidate)) {
            (Outcome::Match, _) => Outcome::Match,
            (_, outcome) => outcome,
        }
    })
}

fn md5(text: &[u8]) -> Text {
    hex(Kind::Md5, &[text])
}

fn hex(kind: Kind, parts: &[&[u8]]) -> Text {
    kind.hex(parts)
}

/// As phpBB's `utf8_to_cp1252`: what Windows-1252 lacks is left in UTF-8.
fn to_windows_1252(text: &[u8]) -> Text {
    let Ok(text) = std::str::from_utf8(text) else {
        return Zeroizing::new(text.to_vec());
    };
    let mut western = Zeroizing::new(Vec::with_capacity(text.len()));
    for character in text.chars() {
        let position = WINDOWS_1252.iter().position(|known| *known == character);
        let byte = match (character, position) {
            ('\u{a0}'..='\u{ff}', _) => u8::try_from(character).ok(),
            (_, Some(position)) => u8::try_from(0x80 + position).ok(),
            _ => None,
        };
        match byte {
            Some(byte) => western.push(byte),
            None => western.extend(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    western
}

/// Characters of the bytes 0x80 to 0x9f; U+FFFF, a noncharacter, where there is none.
#[rustfmt::skip]
const WINDOWS_1252: [char; 32] = [
    '€', '\u{ffff}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{ffff}', 'Ž', '\u{ffff}',
    '\u{ffff}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{ffff}', 'ž', 'Ÿ',
];
