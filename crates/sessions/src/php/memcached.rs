//! Unwraps a session from the encoding of PHP's memcached clients: under `memc.sess.key.…`, with
//! flags 80, `\x87\x08\0\0\x1f_sf2_attributes|a:1:{s:4:"user";\xa0…` is one in FastLZ.
//!
//! The session handlers of both extensions write the session as it is, and `memcache` compresses a
//! long one. Handlers in PHP that use the class `Memcached`, as Symfony's, get what that does to
//! any string: it compresses what is longer than 2000 bytes.
//!
//! Sources: `MEMC_VAL_*`, `s_decompress_value` in php_memcached.c 3.3; `MMC_COMPRESSED` and
//! `mmc_unpack_value` in src/memcache_pool.c of pecl/memcache 8.0; fastlz.c 0.1.

use std::borrow::Cow;

use crate::{Invalid, MAX_INPUT, MAX_PAYLOAD, compression};

/// PHP's clients of memcached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// pecl/memcache
    Memcache,
    /// pecl/memcached
    Memcached,
}

/// The bits of pecl/memcached's flags that say of which type a value is; 0 is a string.
const TYPE: u32 = 0x0f;
const COMPRESSED: u32 = 0x10;
const ZLIB: u32 = 0x20;
const FASTLZ: u32 = 0x40;
/// The bits above are the application's own (`MEMC_MASK_USER`).
const INTERNAL: u32 = 0xfff0;

/// The bits of pecl/memcache's flags: a value that is compressed, and one that is not a string.
const MEMCACHE_COMPRESSED: u32 = 2;
const MEMCACHE_STRINGS: u32 = !MEMCACHE_COMPRESSED;

/// The session that `value` is, kept by `client` with `flags`.
///
/// # Errors
/// [`Invalid`] when it is not a string, does not decompress, or is too large.
pub fn unwrap_memcached(
    value: &[u8],
    flags: u32,
    client: Client,
) -> Result<Cow<'_, [u8]>, Invalid> {
    if value.len() > MAX_INPUT {
        return Err(Invalid::TooLarge(MAX_INPUT));
    }
    let no_string = Invalid::Format("memcached's flags are not those of a session");
    match client {
        Client::Memcache if flags & MEMCACHE_STRINGS != 0 => Err(no_string),
        Client::Memcache if flags & MEMCACHE_COMPRESSED != 0 => {
            compression::zlib(value).map(Cow::Owned)
        }
        Client::Memcache => Ok(Cow::Borrowed(value)),
        Client::Memcached if flags & TYPE != 0 => Err(no_string),
        Client::Memcached => match flags & INTERNAL {
            0 => Ok(Cow::Borrowed(value)),
            kind if kind == COMPRESSED | ZLIB || kind == COMPRESSED | FASTLZ => {
                let (length, packed) = value.split_first_chunk().ok_or(CORRUPT)?;
                // In the byte order of the machine that wrote it, which is little-endian nearly
                // everywhere.
                let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
                if length > MAX_PAYLOAD {
                    return Err(Invalid::TooLarge(MAX_PAYLOAD));
                }
                let plain = if kind & ZLIB == 0 {
                    fastlz(packed, length)?
                } else {
                    compression::zlib(packed)?
                };
                if plain.len() == length {
                    Ok(Cow::Owned(plain))
                } else {
                    Err(CORRUPT)
                }
            }
            _ => Err(no_string),
        },
    }
}

const CORRUPT: Invalid = Invalid::Format("the compressed data does not decompress");

/// Decompresses what FastLZ made, at level 1 or 2, of `length` bytes at most.
fn fastlz(packed: &[u8], length: usize) -> Result<Vec<u8>, Invalid> {
    let mut rest = packed.iter().copied();
    let mut plain = Vec::with_capacity(length.min(packed.len().saturating_mul(4)));
    let first = rest.next().ok_or(CORRUPT)?;
    let second_level = match first >> 5 {
        0 => false,
        1 => true,
        _ => return Err(CORRUPT),
    };
    let mut instruction = Some(first & 31);
    while let Some(byte) = instruction {
        let run = usize::from(byte);
        if run < 32 {
            for _ in 0..=run {
                plain.push(rest.next().ok_or(CORRUPT)?);
            }
        } else {
            let mut next = || rest.next().map(usize::from).ok_or(CORRUPT);
            let mut count = (run >> 5) + 2;
            if count == 9 {
                loop {
                    let more = next()?;
                    count += more;
                    if !second_level || more != 255 {
                        break;
                    }
                }
            }
            let (high, low) = (run & 31, next()?);
            let mut distance = (high << 8) + low;
            if second_level && distance == 0x1fff {
                distance += (next()? << 8) + next()?;
            }
            if plain.len() + count > length {
                return Err(CORRUPT);
            }
            let from = plain.len().checked_sub(distance + 1).ok_or(CORRUPT)?;
            for at in from..from + count {
                let byte = plain.get(at).copied().ok_or(CORRUPT)?;
                plain.push(byte);
            }
        }
        if plain.len() > length {
            return Err(CORRUPT);
        }
        instruction = rest.next();
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_strings_are_themselves() {
        for client in [Client::Memcache, Client::Memcached] {
            let session = unwrap_memcached(b"user|s:1:\"a\";", 0, client).unwrap();
            assert_eq!(&*session, b"user|s:1:\"a\";");
        }
    }

    #[test]
    fn other_types_are_no_sessions() {
        for flags in [1, 2, 4, 5, 0x10, 0x20, 0x40, 0x70, 0x90, 0x11] {
            assert!(unwrap_memcached(b"\x01\0\0\0a", flags, Client::Memcached).is_err());
        }
        for flags in [1, 3, 0x100, 768] {
            assert!(unwrap_memcached(b"a", flags, Client::Memcache).is_err());
        }
        assert!(unwrap_memcached(b"no zlib", 2, Client::Memcache).is_err());
    }

    /// What the server had after `Memcached::set` of Debian's php-memcached 3.2.0.
    #[test]
    fn compressed_strings_are_what_they_were() {
        let mut session =
            b"_sf2_attributes|a:1:{s:4:\"user\";a:1:{s:8:\"username\";s:5:\"alice\";}}".to_vec();
        session.extend(b"filler|s:2100:\"");
        session.extend(b"abcdefghij-0123456789;".repeat(95));
        session.extend(b"0123456789\";");
        let fastlz = b"\x87\x08\0\0\x1f_sf2_attributes|a:1:{s:4:\"user\";\xa0\x0f\x00\x38\x80\x0f\
            \x0ename\";s:5:\"alic \x0b\x0e}}filler|s:2100 \x17\x14bcdefghij-0123456789;\
            \xe0\xfd\x15\xe0\xfd\x15\xe0\xfd\x15\xe0\xfd\x15\xe0\xfd\x15\xe0\xfd\x15\xe0\xfd\x15\
            \xe0\xe1\x15\x0b0123456789\";";
        let plain = unwrap_memcached(fastlz, 80, Client::Memcached).unwrap();
        assert_eq!(
            plain.escape_ascii().to_string(),
            session.escape_ascii().to_string()
        );
        for end in 0..fastlz.len() {
            assert!(unwrap_memcached(&fastlz[..end], 80, Client::Memcached).is_err());
        }
        // With the flags of zlib it is nothing.
        assert!(unwrap_memcached(fastlz, 48, Client::Memcached).is_err());
    }

    #[test]
    fn damaged_fastlz_is_refused() {
        let packed = b"\x03abcd\xc0\x03\x01ef";
        for end in 0..packed.len() {
            if let Ok(plain) = fastlz(&packed[..end], 14) {
                assert!(plain.len() < 14);
            }
        }
        assert!(fastlz(packed, 13).is_err());
        assert!(fastlz(b"\x00a\xe0\xff\x10", 1 << 20).is_err());
        assert!(fastlz(b"\xff", 100).is_err());
        // 255 after 255: no end, but a bound.
        let mut long = b"\x20a".to_vec();
        long.push(0xe0);
        long.extend([0xff; 4096]);
        assert!(fastlz(&long, 1000).is_err());
        let mut value = u32::MAX.to_le_bytes().to_vec();
        value.extend(packed);
        assert!(unwrap_memcached(&value, 0x50, Client::Memcached).is_err());
    }
}
