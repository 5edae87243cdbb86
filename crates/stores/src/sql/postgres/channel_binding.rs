//! Computes the channel binding `tls-server-end-point` of a certificate (RFC 5929, 4.1).

use sha2::{Digest, Sha256, Sha384, Sha512};

/// The hash of `certificate`, in DER, by the hash function that it is signed with, and SHA-256 in
/// place of MD5 and SHA-1. `None` where the signature uses no single hash function, as Ed25519.
pub(super) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    // Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID, … }, … }
    let (whole, _) = element(certificate, SEQUENCE)?;
    let (_, rest) = element(whole, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (name, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    Some(match name {
        MD5_WITH_RSA | SHA1_WITH_RSA | ECDSA_WITH_SHA1 | SHA256_WITH_RSA | ECDSA_WITH_SHA256 => {
            Sha256::digest(certificate).to_vec()
        }
        SHA384_WITH_RSA | ECDSA_WITH_SHA384 => Sha384::digest(certificate).to_vec(),
        SHA512_WITH_RSA | ECDSA_WITH_SHA512 => Sha512::digest(certificate).to_vec(),
        _ => return None,
    })
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

// The object identifiers of RFC 8017 (1.2.840.113549.1.1) and RFC 5758 (1.2.840.10045.4).
const MD5_WITH_RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04";
const SHA1_WITH_RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05";
const SHA256_WITH_RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b";
const SHA384_WITH_RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c";
const SHA512_WITH_RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d";
const ECDSA_WITH_SHA1: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x01";
const ECDSA_WITH_SHA256: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x02";
const ECDSA_WITH_SHA384: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x03";
const ECDSA_WITH_SHA512: &[u8] = b"\x2a\x86\x48\xce\x3d\x04\x03\x04";

/// What the element of the kind `tag` holds that `der` begins with, and what comes after it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        // The length of the length: as much as certificates come to.
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(*length & 0x7f))?;
            let number = digits
                .iter()
                .fold(0, |number, digit| number << 8 | usize::from(*digit));
            (number, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate's outline: something that is signed, how, and 300 bytes of signature.
    fn certificate(algorithm: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, inner: &[u8]| {
            let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
            [&[tag, 0x82][..], &length, inner].concat()
        };
        let algorithm = wrap(SEQUENCE, &wrap(OBJECT_IDENTIFIER, algorithm));
        let parts = [wrap(SEQUENCE, b"signed"), algorithm, wrap(0x03, &[0; 300])];
        wrap(SEQUENCE, &parts.concat())
    }

    #[test]
    fn the_hash_is_the_signature_s_and_never_weaker_than_sha_256() {
        for (algorithm, length) in [
            (MD5_WITH_RSA, 32),
            (SHA1_WITH_RSA, 32),
            (SHA256_WITH_RSA, 32),
            (ECDSA_WITH_SHA256, 32),
            (SHA384_WITH_RSA, 48),
            (ECDSA_WITH_SHA384, 48),
            (SHA512_WITH_RSA, 64),
            (ECDSA_WITH_SHA512, 64),
        ] {
            let found = end_point(&certificate(algorithm)).unwrap();
            assert_eq!(found.len(), length, "{algorithm:x?}");
        }
        // Ed25519 (RFC 8410).
        assert_eq!(end_point(&certificate(b"\x2b\x65\x70")), None);
    }

    #[test]
    fn what_is_not_a_certificate_has_none() {
        let whole = certificate(SHA256_WITH_RSA);
        for end in 0..whole.len() {
            assert_eq!(end_point(&whole[..end]), None, "{end}");
        }
        assert_eq!(end_point(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
