//! Encodes and decodes crypt(3)'s base64: six bits per character, least significant first.

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The six bits that a character stands for.
pub(crate) fn value(character: u8) -> Option<u32> {
    let position = ALPHABET.iter().position(|known| *known == character)?;
    u32::try_from(position).ok()
}

/// Whether `text` is of `length` characters of the alphabet.
pub(crate) fn is_encoded(text: &[u8], length: usize) -> bool {
    text.len() == length && text.iter().all(|character| value(*character).is_some())
}

/// The number that `text` writes, of five characters at most.
pub(crate) fn number(text: &[u8]) -> Option<u32> {
    if text.len() > 5 {
        return None;
    }
    let mut digits = text.iter().rev().map(|digit| value(*digit));
    digits.try_fold(0, |number, digit| Some(number << 6 | digit?))
}

/// The bytes that [`encode`] wrote; spare bits must be zero.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.chunks(4) {
        let bits = number(chunk)?;
        let length = chunk.len() * 6 / 8;
        if length == 0 || bits >> (8 * length) != 0 {
            return None;
        }
        bytes.extend(bits.to_le_bytes().get(..length)?);
    }
    Some(bytes)
}

/// The character for the six lowest bits of `value`.
pub(crate) fn character(value: u32) -> u8 {
    ALPHABET.get((value & 63) as usize).copied().unwrap_or(b'.')
}

/// Appends `bytes`, three at a time, the first of them lowest.
pub(crate) fn encode(bytes: &[u8], text: &mut Vec<u8>) {
    for chunk in bytes.chunks(3) {
        let mut bits = 0;
        for byte in chunk.iter().rev() {
            bits = bits << 8 | u32::from(*byte);
        }
        for position in 0..=chunk.len() {
            text.push(character(bits >> (6 * position)));
        }
    }
}

/// Appends `bytes` in the order that `triples` names them (lowest last, as in the published
/// description of MD5 and SHA crypt), each triple as four characters.
pub(crate) fn encode_triples(bytes: &[u8], triples: &[[usize; 3]], text: &mut Vec<u8>) {
    for triple in triples {
        let mut bits = 0;
        for position in triple {
            bits = bits << 8 | u32::from(bytes.get(*position).copied().unwrap_or(0));
        }
        for position in 0..4 {
            text.push(character(bits >> (6 * position)));
        }
    }
}
