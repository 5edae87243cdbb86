//! `ScryptPasswordHasher` (5.2:`hashers.py` lines 571 to 611).
//!
//! `scrypt$N$SALT$R$P$BASE64`: the salt in third place, N the number itself, 64 bytes of output.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scrypt::Params;
use zeroize::Zeroizing;

use crate::Description;
use crate::Outcome;
use crate::algorithms::Scheme;
use crate::algorithms::compare;
use crate::number;

/// Django leaves `maxmem` at 0, for which OpenSSL takes this much (`EVP_PBE_scrypt`) and refuses a
/// hash that needs more.
const OPENSSL_MEMORY: u64 = 32 * 1024 * 1024;

/// A stored scrypt hash.
pub(crate) struct ScryptHash<'a> {
    cost: Cost,
    params: Params,
    salt: &'a str,
    encoded: &'a str,
}

/// N, r and p.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) work_factor: u32,
    pub(crate) block_size: u32,
    pub(crate) parallelism: u32,
}

impl Cost {
    /// What Django 5.1 and later write.
    pub(crate) const DJANGO: Self = Self {
        work_factor: 16_384,
        block_size: 8,
        parallelism: 5,
    };

    /// `None` where N is no power of two, or OpenSSL would refuse.
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

impl<'a> ScryptHash<'a> {
    /// `decode` (5.2:`hashers.py` line 600).
    pub(crate) fn parse(encoded: &'a str) -> Option<Self> {
        let mut fields = encoded.strip_prefix("scrypt$")?.split('$');
        let work_factor = number::positive(fields.next()?)?;
        let salt = fields.next().filter(|salt| !salt.is_empty())?;
        let block_size = number::positive(fields.next()?)?;
        let parallelism = number::positive(fields.next()?)?;
        fields.next()?;
        let cost = Cost {
            work_factor,
            block_size,
            parallelism,
        };
        let params = cost.params()?;
        fields.next().is_none().then_some(Self {
            cost,
            params,
            salt,
            encoded,
        })
    }
}

impl Scheme for ScryptHash<'_> {
    fn description(&self) -> Description {
        let Cost {
            work_factor,
            block_size,
            parallelism,
        } = self.cost;
        let mixed = u64::from(work_factor)
            .saturating_mul(u64::from(block_size))
            .saturating_mul(u64::from(parallelism));
        Description {
            algorithm: "scrypt",
            cost: format!("N={work_factor}, r={block_size}, p={parallelism}"),
            work: mixed.saturating_mul(3),
            memory: self.cost.memory(),
        }
    }

    fn check(&self, password: &[u8]) -> Outcome {
        match write(password, self.salt, self.cost, &self.params) {
            Some(computed) => compare(self.encoded.as_bytes(), computed.as_bytes()),
            None => Outcome::Unsupported,
        }
    }
}

/// Writes a hash as Django would; `None` where the cost is out of range.
pub(crate) fn encode(password: &[u8], salt: &str, cost: Cost) -> Option<Zeroizing<String>> {
    write(password, salt, cost, &cost.params()?)
}

fn write(password: &[u8], salt: &str, cost: Cost, params: &Params) -> Option<Zeroizing<String>> {
    let Cost {
        work_factor,
        block_size,
        parallelism,
    } = cost;
    let mut digest = Zeroizing::new([0; 64]);
    scrypt::scrypt(password, salt.as_bytes(), params, &mut *digest).ok()?;
    let digest = Zeroizing::new(STANDARD.encode(*digest));
    let settings = format!("scrypt${work_factor}${salt}${block_size}${parallelism}$");
    Some(Zeroizing::new(settings + &digest))
}
