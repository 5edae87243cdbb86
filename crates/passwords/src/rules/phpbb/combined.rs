//! Combined hashes, `$H\2y$9SALT$10\SALT$HASH`: bcrypt over a phpass hash, made in the background
//! from the hashes of a board that was upgraded from 3.0 (3.3 `cron/task/core/update_hashes.php`,
//! `manager.php` `check_combined_hash`).

use zeroize::Zeroizing;

use crate::Description;
use crate::Limits;
use crate::Outcome;
use crate::algorithms::Parsed;
use crate::algorithms::Scheme;
use crate::algorithms::bcrypt::BcryptHash;
use crate::algorithms::digest;
use crate::algorithms::phpass;
use crate::algorithms::phpass::PhpassHash;

/// Settings of a phpass hash: prefix, rounds and salt.
const SETTINGS: usize = 12;

pub(super) fn parse(encoded: &str) -> Parsed<'_> {
    let mut fields = encoded.strip_prefix('$')?.split('$');
    let kinds = fields.next()?.split_once('\\')?;
    let (portable, algorithm) = match kinds {
        ("H", "2a") => ("$H$", "salted_md5+bcrypt"),
        ("H", "2y") => ("$H$", "salted_md5+bcrypt_2y"),
        ("P", "2a") => ("$P$", "phpass+bcrypt"),
        ("P", "2y") => ("$P$", "phpass+bcrypt_2y"),
        _ => return None,
    };
    let (inner, outer, hash) = (fields.next()?, fields.next()?, fields.next()?);
    let (cost, salt) = outer.split_once('\\')?;
    let combined = Combined {
        algorithm,
        // The two hashes as they would stand alone; the inner one's digest is not stored.
        portable: format!("{portable}{inner}{:.<22}", ""),
        bcrypt: format!("${}${cost}${salt}{hash}", kinds.1),
    };
    let parsed = combined.portable().is_some() && combined.bcrypt().is_some();
    let plain = fields.next().is_none() && inner.len() == SETTINGS - 3 && salt.len() == 22;
    if parsed && plain {
        Some(Box::new(combined))
    } else {
        None
    }
}

struct Combined {
    algorithm: &'static str,
    portable: String,
    bcrypt: String,
}

impl Combined {
    fn portable(&self) -> Option<PhpassHash<'_>> {
        PhpassHash::parse(&self.portable, phpass::Kind::Md5, self.algorithm)
    }

    fn bcrypt(&self) -> Option<BcryptHash<'_>> {
        BcryptHash::parse(&self.bcrypt, self.algorithm)
    }

    fn check_one(&self, password: &[u8]) -> Outcome {
        let (Some(portable), Some(bcrypt)) = (self.portable(), self.bcrypt()) else {
            return Outcome::Unsupported;
        };
        let hash: Zeroizing<Vec<u8>> = portable.encode(password);
        bcrypt.check(hash.get(SETTINGS..).unwrap_or_default())
    }
}

impl Scheme for Combined {
    fn description(&self) -> Description {
        let parts = (self.portable(), self.bcrypt());
        let (cost, work) = match parts.0.zip(parts.1) {
            Some((portable, bcrypt)) => {
                let (portable, bcrypt) = (portable.description(), bcrypt.description());
                (
                    format!("{}, {}", portable.cost, bcrypt.cost),
                    portable.work.saturating_add(bcrypt.work),
                )
            }
            None => (String::new(), 0),
        };
        Description {
            algorithm: self.algorithm,
            cost,
            work,
            memory: 0,
        }
    }

    fn permitted(&self, limits: &Limits, length: usize) -> bool {
        let portable = self
            .portable()
            .is_some_and(|part| part.permitted(limits, length));
        portable && self.bcrypt().is_some_and(|part| part.permitted(limits, 22))
    }

    /// The password, or its MD5: hashes that came from phpBB 2 are of that.
    fn check(&self, password: &[u8]) -> Outcome {
        match self.check_one(password) {
            Outcome::Mismatch => self.check_one(digest::Kind::Md5.hex(&[password]).as_bytes()),
            outcome => outcome,
        }
    }
}
