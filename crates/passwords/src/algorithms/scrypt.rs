//! Verifies scrypt (RFC 7914), whatever the format it is stored in.
//!
//! Django's `ScryptPasswordHasher` (5.2:`hashers.py` lines 571 to 611) writes
//! `scrypt$N$SALT$R$P$BASE64`: the salt in third place, N the number itself, 64 bytes of output. It
//! compares the text; others compare the key.

use crate::hash::{Cost, Hash, Outcome, compare, positive_number};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scrypt::Params;
use zeroize::Zeroizing;

/// Django leaves `maxmem` at 0, for which OpenSSL takes this much (`EVP_PBE_scrypt`) and refuses a
/// hash that needs more.
const OPENSSL_MEMORY: u64 = 32 * 1024 * 1024;

/// What r times p stays below (RFC 7914, section 2).
const MOST_MIXED: u32 = 1 << 30;

/// Largest key that is derived: no software asks for more.
const LONGEST_KEY: usize = 1024;

/// A stored scrypt hash.
pub(crate) struct ScryptHash {
    settings: Settings,
    params: Params,
    salt: Vec<u8>,
    stored: Stored,
}

/// What the derived key is compared with.
enum Stored {
    /// The whole text, as Django writes it.
    Text(String),
    /// The key itself.
    Key(Vec<u8>),
}

/// N, r and p.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) work_factor: u32,
    pub(crate) block_size: u32,
    pub(crate) parallelism: u32,
}

impl Settings {
    /// The settings that Django 5.1 and later write.
    pub(crate) const DJANGO: Self = Self {
        work_factor: 16_384,
        block_size: 8,
        parallelism: 5,
    };

    /// `None` where N is not a power of two, r times p is over RFC 7914's bound, or OpenSSL would refuse.
    fn params(self, most: u64) -> Option<Params> {
        let exponent = u8::try_from(self.work_factor.checked_ilog2()?).ok()?;
        // `Params::new` multiplies the two without regard to overflow.
        let mixed = self.block_size.checked_mul(self.parallelism)?;
        let representable = exponent > 0
            && self.work_factor.is_power_of_two()
            && mixed < MOST_MIXED
            && self.memory() <= most;
        representable.then(|| Params::new(exponent, self.block_size, self.parallelism).ok())?
    }

    /// The bytes that OpenSSL counts.
    pub(crate) fn memory(self) -> u64 {
        let blocks = u64::from(self.work_factor) + 2 + u64::from(self.parallelism);
        blocks
            .saturating_mul(u64::from(self.block_size))
            .saturating_mul(128)
    }
}

impl ScryptHash {
    /// `decode` (5.2:`hashers.py` line 600).
    pub(crate) fn parse(encoded: &str) -> Option<Self> {
        let mut fields = encoded.strip_prefix("scrypt$")?.split('$');
        let work_factor = positive_number(fields.next()?)?;
        let salt = fields.next().filter(|salt| !salt.is_empty())?;
        let block_size = positive_number(fields.next()?)?;
        let parallelism = positive_number(fields.next()?)?;
        fields.next()?;
        let settings = Settings {
            work_factor,
            block_size,
            parallelism,
        };
        let params = settings.params(OPENSSL_MEMORY)?;
        fields.next().is_none().then(|| Self {
            settings,
            params,
            salt: salt.into(),
            stored: Stored::Text(encoded.to_owned()),
        })
    }

    /// A hash whose software compares the derived key with `key`, and lets OpenSSL take `most` bytes
    /// of memory. `None` where scrypt has no such settings, or the key is empty or overlong.
    pub(crate) fn of_key(
        settings: Settings,
        most: u64,
        salt: Vec<u8>,
        key: Vec<u8>,
    ) -> Option<Self> {
        let params = settings.params(most)?;
        (1..=LONGEST_KEY).contains(&key.len()).then_some(Self {
            settings,
            params,
            salt,
            stored: Stored::Key(key),
        })
    }
}

impl Hash for ScryptHash {
    fn cost(&self) -> Cost {
        let mixed = u64::from(self.settings.work_factor)
            .saturating_mul(u64::from(self.settings.block_size))
            .saturating_mul(u64::from(self.settings.parallelism));
        Cost {
            work: mixed.saturating_mul(3),
            memory: self.settings.memory(),
        }
    }

    fn parameters(&self) -> String {
        let Settings {
            work_factor,
            block_size,
            parallelism,
        } = self.settings;
        format!("N={work_factor}, r={block_size}, p={parallelism}")
    }

    fn check(&self, password: &[u8]) -> Outcome {
        let computed = match &self.stored {
            Stored::Text(_) => {
                let text = write(password, &self.salt, self.settings, &self.params);
                text.map(|text| Zeroizing::new(text.as_bytes().to_vec()))
            }
            Stored::Key(key) => {
                let mut computed = Zeroizing::new(vec![0; key.len()]);
                let derived = scrypt::scrypt(password, &self.salt, &self.params, &mut computed);
                derived.is_ok().then_some(computed)
            }
        };
        let stored = match &self.stored {
            Stored::Text(text) => text.as_bytes(),
            Stored::Key(key) => key,
        };
        computed.map_or(Outcome::Unsupported, |computed| compare(stored, &computed))
    }
}

/// Writes a hash as Django would; `None` where the cost is out of range.
pub(crate) fn encode(password: &[u8], salt: &str, settings: Settings) -> Option<Zeroizing<String>> {
    let params = settings.params(OPENSSL_MEMORY)?;
    write(password, salt.as_bytes(), settings, &params)
}

fn write(
    password: &[u8],
    salt: &[u8],
    settings: Settings,
    params: &Params,
) -> Option<Zeroizing<String>> {
    let Settings {
        work_factor,
        block_size,
        parallelism,
    } = settings;
    let mut digest = Zeroizing::new([0; 64]);
    scrypt::scrypt(password, salt, params, &mut *digest).ok()?;
    // The salt was read as text.
    let salt = String::from_utf8_lossy(salt);
    let digest = Zeroizing::new(STANDARD.encode(*digest));
    let before = format!("scrypt${work_factor}${salt}${block_size}${parallelism}$");
    Some(Zeroizing::new(before + &digest))
}
