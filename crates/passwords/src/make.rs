//! New encoded hashes, as the software would write them today.

use std::fmt;
use std::str::FromStr;

use crate::algorithms::argon2;
use crate::algorithms::bcrypt;
use crate::algorithms::digest;
use crate::algorithms::pbkdf2;
use crate::algorithms::scrypt;
use crate::rules::django;

/// An algorithm that [`make`] can write, in the framework's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Django's default, `pbkdf2_sha256`: 1 000 000 iterations as in 5.2.
    Pbkdf2Sha256,
    /// Django's `pbkdf2_sha1`, as many iterations.
    Pbkdf2Sha1,
    /// Django's `argon2`: argon2id, 100 MiB, 2 passes, 8 lanes.
    Argon2,
    /// Django's `bcrypt_sha256`, cost 12.
    BcryptSha256,
    /// Django's `bcrypt`, cost 12.
    Bcrypt,
    /// Django's `scrypt`: N=16384, r=8, p=5 as in 5.1.
    Scrypt,
    /// Django's `md5`, for test sites: it has no cost.
    Md5,
    /// PHP's `password_hash` with `PASSWORD_BCRYPT`, `$2y$`: cost 12 as in PHP 8.4.
    PhpBcrypt,
    /// PHP's `password_hash` with `PASSWORD_ARGON2ID`: 64 MiB, 4 passes, 1 lane.
    PhpArgon2id,
}

impl Algorithm {
    /// All of them, the default first.
    pub const ALL: [Self; 9] = [
        Self::Pbkdf2Sha256,
        Self::Pbkdf2Sha1,
        Self::Argon2,
        Self::BcryptSha256,
        Self::Bcrypt,
        Self::Scrypt,
        Self::Md5,
        Self::PhpBcrypt,
        Self::PhpArgon2id,
    ];

    /// The name that the framework gives it, as in `pbkdf2_sha256`; PHP's are `2y` and `argon2id`
    /// (the values of its constants).
    pub fn name(self) -> &'static str {
        match self {
            Self::Pbkdf2Sha256 => "pbkdf2_sha256",
            Self::Pbkdf2Sha1 => "pbkdf2_sha1",
            Self::Argon2 => "argon2",
            Self::BcryptSha256 => "bcrypt_sha256",
            Self::Bcrypt => "bcrypt",
            Self::Scrypt => "scrypt",
            Self::Md5 => "md5",
            Self::PhpBcrypt => "2y",
            Self::PhpArgon2id => "argon2id",
        }
    }

    /// The default cost of [`make`]; `None` for an algorithm without one.
    pub fn default_cost(self) -> Option<u32> {
        match self {
            Self::Pbkdf2Sha256 | Self::Pbkdf2Sha1 => Some(1_000_000),
            Self::Argon2 => Some(DJANGO_ARGON2.1),
            Self::BcryptSha256 | Self::Bcrypt | Self::PhpBcrypt => Some(12),
            Self::Scrypt => Some(scrypt::Settings::DJANGO.work_factor),
            Self::Md5 => None,
            Self::PhpArgon2id => Some(PHP_ARGON2.1),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = MakeError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or(MakeError::Algorithm)
    }
}

/// Why no hash was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MakeError {
    /// No algorithm has that name.
    Algorithm,
    /// The cost is out of the algorithm's range.
    Cost,
    /// The software itself would refuse this password.
    Password,
    /// The source of randomness gave nothing usable.
    Randomness,
}

impl fmt::Display for MakeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Algorithm => {
                formatter.write_str("unknown algorithm; there are")?;
                for (position, algorithm) in Algorithm::ALL.into_iter().enumerate() {
                    let separator = if position == 0 { " " } else { ", " };
                    write!(formatter, "{separator}{algorithm}")?;
                }
                Ok(())
            }
            Self::Cost => formatter.write_str("the cost is out of the algorithm's range"),
            Self::Password => formatter.write_str(
                "bcrypt takes no password with a NUL, and none that is longer than 72 bytes",
            ),
            Self::Randomness => formatter.write_str("the source of randomness gave nothing usable"),
        }
    }
}

impl std::error::Error for MakeError {}

/// Hashes `password` anew, with a salt from `random`, which fills what it is given with random
/// bytes.
///
/// `cost` is the algorithm's own count: PBKDF2 iterations, bcrypt's exponent (4 to 31), scrypt's N,
/// argon2's passes; `None` is the software's default.
///
/// # Errors
/// [`MakeError`] where the algorithm has no such cost, or the software would refuse the password.
pub fn make(
    algorithm: Algorithm,
    password: &[u8],
    cost: Option<u32>,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<String, MakeError> {
    let cost = match (cost, algorithm.default_cost()) {
        (None, None) => 0,
        (Some(_), None) | (Some(0), _) => return Err(MakeError::Cost),
        (Some(cost), Some(_)) | (None, Some(cost)) => cost,
    };
    let encoded = match algorithm {
        Algorithm::Pbkdf2Sha256 => {
            pbkdf2::encode(pbkdf2::Kind::Sha256, password, &salt(random)?, cost)
        }
        Algorithm::Pbkdf2Sha1 => pbkdf2::encode(pbkdf2::Kind::Sha1, password, &salt(random)?, cost),
        Algorithm::Argon2 => {
            let (memory, _, lanes) = DJANGO_ARGON2;
            let salt = salt(random)?;
            let phc = argon2::encode(password, salt.as_bytes(), (memory, cost, lanes));
            return Ok(format!("argon2{}", *phc.ok_or(MakeError::Cost)?));
        }
        Algorithm::BcryptSha256 => {
            let prehashed = django::hex_sha256(password);
            return Ok(format!(
                "bcrypt_sha256${}",
                new_bcrypt(&prehashed, "2b", cost, random)?
            ));
        }
        Algorithm::Bcrypt => {
            return Ok(format!(
                "bcrypt${}",
                new_bcrypt(password, "2b", cost, random)?
            ));
        }
        Algorithm::Scrypt => {
            let settings = scrypt::Settings {
                work_factor: cost,
                ..scrypt::Settings::DJANGO
            };
            scrypt::encode(password, &salt(random)?, settings).ok_or(MakeError::Cost)?
        }
        Algorithm::Md5 => {
            let salt = salt(random)?;
            let digest = digest::Kind::Md5.hex(&[salt.as_bytes(), password]);
            return Ok(format!("md5${salt}${}", String::from_utf8_lossy(&digest)));
        }
        Algorithm::PhpBcrypt => return new_bcrypt(password, "2y", cost, random),
        Algorithm::PhpArgon2id => {
            let (memory, _, lanes) = PHP_ARGON2;
            let mut salt = [0; 16];
            random(&mut salt);
            argon2::encode(password, &salt, (memory, cost, lanes)).ok_or(MakeError::Cost)?
        }
    };
    Ok(String::from(encoded.as_str()))
}

/// Memory in KiB, passes, lanes (5.2:`hashers.py` line 391).
const DJANGO_ARGON2: (u32, u32, u32) = (102_400, 2, 8);

/// Memory in KiB, passes, lanes (PHP 8 `PASSWORD_ARGON2_DEFAULT_…`).
const PHP_ARGON2: (u32, u32, u32) = (65_536, 4, 1);

fn new_bcrypt(
    password: &[u8],
    variant: &str,
    cost: u32,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<String, MakeError> {
    if !(4..=31).contains(&cost) {
        return Err(MakeError::Cost);
    }
    if password.contains(&0) || password.len() > 72 {
        return Err(MakeError::Password);
    }
    let mut salt = [0; 16];
    random(&mut salt);
    Ok(String::from(
        bcrypt::encode(password, variant, cost, salt).as_str(),
    ))
}

/// Characters of a Django salt (5.2:`utils/crypto.py` line 48).
const SALT_CHARACTERS: &[u8; 62] =
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Length of a Django salt: 128 bits of entropy (5.2:`hashers.py` line 216).
const SALT_LENGTH: usize = 22;

/// Largest multiple of 62 that a byte can count up to: bytes from here on would make the first
/// characters of the alphabet likelier than the others.
const FAIR: u8 = 248;

/// The most blocks of randomness that are requested.
const ROUNDS: usize = 64;

/// A salt as Django's `get_random_string` makes it.
fn salt(random: &mut dyn FnMut(&mut [u8])) -> Result<String, MakeError> {
    let mut salt = String::with_capacity(SALT_LENGTH);
    for _ in 0..ROUNDS {
        let mut block = [0; 32];
        random(&mut block);
        let fair = block.into_iter().filter(|byte| *byte < FAIR);
        let characters =
            fair.filter_map(|byte| SALT_CHARACTERS.get(usize::from(byte) % SALT_CHARACTERS.len()));
        salt.extend(
            characters
                .take(SALT_LENGTH - salt.len())
                .map(|byte| char::from(*byte)),
        );
        if salt.len() == SALT_LENGTH {
            return Ok(salt);
        }
    }
    Err(MakeError::Randomness)
}
