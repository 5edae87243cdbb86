//! One key at a time, with every kernel that this processor has.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail by them"
)]

mod hashlib;

use hallpass_pbkdf2::{Kernel, hmac_sha1, hmac_sha256};
use hashlib::{Vector, bytes};

/// RFC 6070 section 2, but for the key of sixteen million iterations.
#[test]
fn rfc_6070_keys_are_derived() {
    let rows: [(&[u8], &[u8], u32, &str); 5] = [
        (
            b"password",
            b"salt",
            1,
            "0c60c80f961f0e71f3a9b524af6012062fe037a6",
        ),
        (
            b"password",
            b"salt",
            2,
            "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957",
        ),
        (
            b"password",
            b"salt",
            4096,
            "4b007901b765489abead49d926f721d065a429c1",
        ),
        (
            b"passwordPASSWORDpassword",
            b"saltSALTsaltSALTsaltSALTsaltSALTsalt",
            4096,
            "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038",
        ),
        (
            b"pass\0word",
            b"sa\0lt",
            4096,
            "56fa6aa75548099dcc37d7f03425e0c3",
        ),
    ];
    for (password, salt, iterations, expected) in rows {
        // 4096 takes Miri minutes.
        if cfg!(miri) && iterations > 2 {
            continue;
        }
        let expected = bytes(expected);
        let mut key = vec![0; expected.len()];
        hmac_sha1(password, salt, iterations, &mut key);
        assert_eq!(key, expected, "{password:?} {iterations}");
        for kernel in Kernel::available() {
            key.fill(0);
            kernel.hmac_sha1(password, salt, iterations, &mut key);
            assert_eq!(key, expected, "{kernel:?} {password:?} {iterations}");
        }
    }
}

/// RFC 6070 section 2.
#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn rfc_6070_key_of_sixteen_million_iterations_is_derived() {
    let mut key = [0; 20];
    hmac_sha1(b"password", b"salt", 16_777_216, &mut key);
    assert_eq!(key[..], bytes("eefe3d61cd4da4e4e9945b3d6ba2158c2634e984"));
}

/// RFC 7914 section 11.
#[test]
fn rfc_7914_keys_are_derived() {
    let rows: [(&[u8], &[u8], u32, &str); 2] = [
        (
            b"passwd",
            b"salt",
            1,
            "55 ac 04 6e 56 e3 08 9f ec 16 91 c2 25 44 b6 05
             f9 41 85 21 6d de 04 65 e6 8b 9d 57 c2 0d ac bc
             49 ca 9c cc f1 79 b6 45 99 16 64 b3 9d 77 ef 31
             7c 71 b8 45 b1 e3 0b d5 09 11 20 41 d3 a1 97 83",
        ),
        (
            b"Password",
            b"NaCl",
            80_000,
            "4d dc d8 f6 0b 98 be 21 83 0c ee 5e f2 27 01 f9
             64 1a 44 18 d0 4c 04 14 ae ff 08 87 6b 34 ab 56
             a1 d4 25 a1 22 58 33 54 9a db 84 1b 51 c9 b3 17
             6a 27 2b de bb a1 d0 78 47 8f 62 b3 97 f3 3c 8d",
        ),
    ];
    for (password, salt, iterations, expected) in rows {
        if cfg!(miri) && iterations > 1 {
            continue;
        }
        let mut key = [0; 64];
        hmac_sha256(password, salt, iterations, &mut key);
        assert_eq!(key[..], bytes(expected));
    }
}

#[test]
fn every_kernel_derives_what_hashlib_derives() {
    for kernel in Kernel::available() {
        for (line, vector) in Vector::all().iter().enumerate() {
            assert_eq!(
                vector.derive(Some(kernel)),
                vector.key,
                "{kernel:?} line {}",
                line + 1
            );
        }
    }
}

#[test]
fn the_kernel_that_is_chosen_derives_what_hashlib_derives() {
    for (line, vector) in Vector::all().iter().enumerate() {
        assert_eq!(vector.derive(None), vector.key, "line {}", line + 1);
    }
}

#[test]
fn the_portable_kernel_is_always_available() {
    assert!(Kernel::Portable.is_available());
    assert_eq!(Kernel::available().next(), Some(Kernel::Portable));
}

#[test]
fn a_kernel_that_is_not_available_gives_way_to_the_portable_one() {
    let missing = Kernel::ALL
        .into_iter()
        .find(|kernel| !kernel.is_available())
        .unwrap();
    let mut key = [0; 20];
    missing.hmac_sha1(b"password", b"salt", 2, &mut key);
    assert_eq!(key[..], bytes("ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"));
}

#[test]
fn no_iterations_are_one() {
    let (mut none, mut one) = ([0; 32], [0; 32]);
    for kernel in Kernel::available() {
        kernel.hmac_sha256(b"password", b"salt", 0, &mut none);
        kernel.hmac_sha256(b"password", b"salt", 1, &mut one);
        assert_eq!(none, one);
    }
    hmac_sha256(b"password", b"salt", 0, &mut none);
    assert_eq!(none, one);
}

#[test]
fn a_key_of_no_length_does_not_panic() {
    for kernel in Kernel::available() {
        kernel.hmac_sha1(b"password", b"salt", 100, &mut []);
        kernel.hmac_sha256(b"password", b"salt", 100, &mut []);
    }
}

#[test]
fn another_password_salt_or_count_gives_another_key() {
    let derive = |password: &[u8], salt: &[u8], iterations| {
        let mut key = [0; 32];
        hmac_sha256(password, salt, iterations, &mut key);
        key
    };
    let key = derive(b"password", b"salt", 100);
    assert_ne!(key, derive(b"passwore", b"salt", 100));
    assert_ne!(key, derive(b"passwor", b"dsalt", 100));
    assert_ne!(key, derive(b"password", b"salu", 100));
    assert_ne!(key, derive(b"password", b"salt", 101));
}
