//! Parses what ASP.NET Identity's `PasswordHasher` verifies (ASP.NET Core
//! `src/Identity/Extensions.Core/src/PasswordHasher.cs`): Base64 whose first byte is the version.
//!
//! Version 2 has a salt of 16 bytes and 32 bytes of PBKDF2-HMAC-SHA1 after 1000 iterations. Version 3
//! has the digest, the iterations and the salt's length as big-endian numbers of 32 bits, then the
//! salt and the key, each of 16 bytes or more.

use crate::algorithms::digest::Kind;
use crate::algorithms::encodings::base64;
use crate::algorithms::pbkdf2::Pbkdf2Hash;
use crate::parsed::Parsed;

/// The shortest salt and the shortest key of version 3.
const SHORTEST: usize = 16;

pub(super) fn parse(encoded: &str) -> Option<Parsed> {
    let stored = base64(encoded)?;
    match stored.split_first()? {
        (0, rest) if rest.len() == 16 + 32 => {
            let (salt, key) = rest.split_at_checked(16)?;
            let hash = Pbkdf2Hash::of_key(Kind::Sha1, 1000, salt.into(), key.into())?;
            Some(Parsed::new("identity_v2", hash))
        }
        (1, rest) => version_3(rest),
        _ => None,
    }
}

fn version_3(rest: &[u8]) -> Option<Parsed> {
    let (digest, rest) = rest.split_first_chunk::<4>()?;
    let (iterations, rest) = rest.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let digest = match u32::from_be_bytes(*digest) {
        0 => Kind::Sha1,
        1 => Kind::Sha256,
        2 => Kind::Sha512,
        _ => return None,
    };
    // A signed number in C#.
    let iterations = i32::from_be_bytes(*iterations);
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (salt, key) = rest.split_at_checked(length)?;
    if salt.len() < SHORTEST || key.len() < SHORTEST {
        return None;
    }
    let iterations = u32::try_from(iterations).ok()?;
    let hash = Pbkdf2Hash::of_key(digest, iterations, salt.into(), key.into())?;
    Some(Parsed::new("identity_v3", hash))
}
