//! `ScryptPasswordHasher` (5.2:`hashers.py` lines 571 to 611).
//!
//! `scrypt$N$SALT$R$P$BASE64`: the salt in third place, N the number itself, 64 bytes of output.

use crate::hash::{Cost, Hash, Outcome, compare, positive_number};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scrypt::Params;
use zeroize::Zeroizing;

/// Django leaves `maxmem` at 0, for which OpenSSL takes this much (`EVP_PBE_scrypt`) and refuses a
/// hash that needs more.
const OPENSSL_MEMORY: u64 = 32 * 1024 * 1024;

/// A stored scrypt hash.
pub(crate) struct ScryptHash {
    settings: Settings,
    params: Params,
    salt: String,
    encoded: String,
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

    /// `None` where N is not a power of two, or OpenSSL would refuse.
    fn params(self) -> Option<Params> {
        let exponent = u8::try_from(self.work_factor.checked_ilog2()?).ok()?;
        let representable = self.work_factor.is_power_of_two() && self.memory() <= OPENSSL_MEMORY;
        representable.then(|| Params::new(exponent, self.block_size, self.parallelism).ok())?
    }

    fn memory(self) -> u64 {
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
        let params = settings.params()?;
        fields.next().is_none().then(|| Self {
            settings,
            params,
            salt: salt.to_owned(),
            encoded: encoded.to_owned(),
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
        match write(password, &self.salt, self.settings, &self.params) {
            Some(computed) => compare(self.encoded.as_bytes(), computed.as_bytes()),
            None => Outcome::Unsupported,
        }
    }
}

/// Writes a hash as Django would; `None` where the cost is out of range.
pub(crate) fn encode(password: &[u8], salt: &str, settings: Settings) -> Option<Zeroizing<String>> {
    write(password, salt, settings, &settings.params()?)
}

fn write(
    password: &[u8],
    salt: &str,
    settings: Settings,
    params: &Params,
) -> Option<Zeroizing<String>> {
    let Settings {
        work_factor,
        block_size,
        parallelism,
    } = settings;
    let mut digest = Zeroizing::new([0; 64]);
    scrypt::scrypt(password, salt.as_bytes(), params, &mut *digest).ok()?;
    let digest = Zeroizing::new(STANDARD.encode(*digest));
    let before = format!("scrypt${work_factor}${salt}${block_size}${parallelism}$");
    Some(Zeroizing::new(before + &digest))
}
