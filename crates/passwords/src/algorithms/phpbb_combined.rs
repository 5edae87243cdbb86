//! Verifies combined hashes, `$H\2y$9SALT$10\SALT$HASH`: bcrypt over a phpass hash, made in the
//! background from the hashes of a board that was upgraded from 3.0 (3.3
//! `cron/task/core/update_hashes.php`, `manager.php` `check_combined_hash`).

use super::bcrypt::BcryptHash;
use super::digest;
use super::phpass;
use super::phpass::PhpassHash;
use crate::hash::{Cost, Hash, Limits, Outcome};

/// Settings of a phpass hash: prefix, rounds and salt.
const SETTINGS: usize = 12;

/// The two hashes as they would stand alone; the inner one's digest is not stored.
pub(crate) struct Combined {
    algorithm: &'static str,
    portable: PhpassHash,
    bcrypt: BcryptHash,
}

impl Combined {
    pub(crate) fn parse(encoded: &str) -> Option<Self> {
        let mut fields = encoded.strip_prefix('$')?.split('$');
        let kinds = fields.next()?.split_once('\\')?;
        let (prefix, algorithm) = match kinds {
            ("H", "2a") => ("$H$", "salted_md5+bcrypt"),
            ("H", "2y") => ("$H$", "salted_md5+bcrypt_2y"),
            ("P", "2a") => ("$P$", "phpass+bcrypt"),
            ("P", "2y") => ("$P$", "phpass+bcrypt_2y"),
            _ => return None,
        };
        let (inner, outer, hash) = (fields.next()?, fields.next()?, fields.next()?);
        let (cost, salt) = outer.split_once('\\')?;
        let plain = fields.next().is_none() && inner.len() == SETTINGS - 3 && salt.len() == 22;
        let portable = format!("{prefix}{inner}{:.<22}", "");
        let bcrypt = format!("${}${cost}${salt}{hash}", kinds.1);
        plain.then_some(Self {
            algorithm,
            portable: PhpassHash::parse(&portable, phpass::Kind::Md5)?,
            bcrypt: BcryptHash::parse(&bcrypt)?,
        })
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    fn check_one(&self, password: &[u8]) -> Outcome {
        let hash = self.portable.encode(password);
        self.bcrypt.check(hash.get(SETTINGS..).unwrap_or_default())
    }
}

impl Hash for Combined {
    fn cost(&self) -> Cost {
        let (portable, bcrypt) = (self.portable.cost(), self.bcrypt.cost());
        Cost {
            work: portable.work.saturating_add(bcrypt.work),
            memory: 0,
        }
    }

    fn parameters(&self) -> String {
        let (portable, bcrypt) = (self.portable.parameters(), self.bcrypt.parameters());
        format!("{portable}, {bcrypt}")
    }

    fn fits(&self, limits: &Limits, length: usize) -> bool {
        self.portable.fits(limits, length) && self.bcrypt.fits(limits, 22)
    }

    /// The password, or its MD5: hashes that came from phpBB 2 are of that.
    fn check(&self, password: &[u8]) -> Outcome {
        match self.check_one(password) {
            Outcome::Mismatch => self.check_one(&digest::Kind::Md5.hex(&[password])),
            outcome => outcome,
        }
    }
}
