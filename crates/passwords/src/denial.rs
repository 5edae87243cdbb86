//! Spends the time that an absent or cheap hash would otherwise save, so that accounts cannot be
//! enumerated by how long a denial takes.

use std::hint::black_box;
use std::ops::Range;

use hallpass_pbkdf2::Request;

use crate::algorithms::bcrypt;
use crate::algorithms::pbkdf2;
use crate::encoded::Encoded;
use crate::hash::{Context, Limits};

/// The salt of derivations whose keys are thrown away.
const SALT: &[u8] = b"hallpass";
/// A hash that costs less than this part of the costliest counts as nothing done.
const NEGLIGIBLE: u64 = 16;

/// The work that [`Encoded::spend`] does, so that an [engine](hallpass_pbkdf2::Engine) can do it
/// along with others where it is one PBKDF2 derivation.
pub enum Spending {
    /// Nothing that takes any time.
    Nothing,
    /// This, whose key is thrown away.
    Derivation(Request),
    /// Something else: [`Encoded::spend`] does it.
    Other,
}

/// The work that makes up the difference, for one form of the password.
enum Plan {
    Derive(pbkdf2::Kind, u32),
    /// One hash of each of these bcrypt costs.
    Bcrypt(Range<u32>),
    /// A check of the costliest hash.
    Check,
    /// So many iterations of PBKDF2-HMAC-SHA256.
    Fill(u32),
}

impl Encoded {
    /// Does as much work as a check of `password` against this hash, the site's costliest, less
    /// what the check of `done` cost: an unknown account and an old, cheap hash then take as long
    /// as the site's costliest hash.
    ///
    /// `done` is what has been checked, `None` where there was nothing to check. The same algorithm
    /// is run wherever it can be split (PBKDF2, bcrypt) or next to nothing has been done; in
    /// between, PBKDF2 takes the rest of the time, by [`Cost::work`](crate::Cost::work). A password
    /// that the rules try in two forms costs twice, and one that they refuse unseen (an empty one,
    /// an overlong one) nothing. Nor does anything if this hash is over the limits.
    pub fn spend(&self, password: &[u8], done: Option<&Self>, limits: &Limits) {
        if !self.parsed.fits(limits, password.len()) {
            return;
        }
        for _ in 0..self.rules.attempts(password) {
            match self.plan(done, limits) {
                Plan::Derive(kind, iterations) => derive(kind, password, iterations),
                Plan::Bcrypt(costs) => {
                    for cost in costs {
                        black_box(bcrypt::encode(password, "2b", cost, [0; 16]));
                    }
                }
                Plan::Check => {
                    let context = Context::default();
                    black_box(self.check(password, password, &context, limits));
                }
                Plan::Fill(iterations) => derive(pbkdf2::Kind::Sha256, password, iterations),
            }
        }
    }

    /// Says what [`spend`](Self::spend) does with the same arguments.
    pub fn spending(&self, password: &[u8], done: Option<&Self>, limits: &Limits) -> Spending {
        let attempts = self.rules.attempts(password);
        if attempts == 0 || !self.parsed.fits(limits, password.len()) {
            return Spending::Nothing;
        }
        match self.plan(done, limits) {
            Plan::Derive(_, 0) => Spending::Nothing,
            Plan::Derive(kind, iterations) if attempts == 1 => {
                Spending::Derivation(pbkdf2::request(kind, password, SALT, iterations))
            }
            _ => Spending::Other,
        }
    }

    fn plan(&self, done: Option<&Self>, limits: &Limits) -> Plan {
        if let Some((_, kind, target)) = self.parsed.pbkdf2() {
            let iterations = match done {
                None => Some(0),
                Some(done) => done
                    .parsed
                    .pbkdf2()
                    .filter(|(_, of_done, _)| *of_done == kind)
                    .map(|(_, _, iterations)| iterations),
            };
            if let Some(iterations) = iterations {
                return Plan::Derive(kind, target.saturating_sub(iterations));
            }
        }
        let cost_of_done = done.and_then(|done| done.parsed.bcrypt_cost());
        if let Some((target, done)) = self.parsed.bcrypt_cost().zip(cost_of_done) {
            return Plan::Bcrypt(done..target);
        }
        let due = self.cost().work;
        let done = done.map_or(0, |done| done.cost().work);
        if done < due / NEGLIGIBLE {
            return Plan::Check;
        }
        let iterations = u32::try_from(due.saturating_sub(done)).unwrap_or(u32::MAX);
        Plan::Fill(iterations.min(limits.max_iterations))
    }
}

fn derive(kind: pbkdf2::Kind, password: &[u8], iterations: u32) {
    if iterations > 0 {
        black_box(pbkdf2::derive(kind, password, SALT, iterations));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rules;

    #[test]
    fn what_is_spent_is_told_beforehand() {
        let limits = Limits::default();
        let kind = |costliest: &str, done: Option<&str>| {
            let done = done.and_then(|done| Encoded::parse(Rules::Django, done).ok());
            let spending = Encoded::parse_cost(Rules::Django, costliest)
                .map(|costliest| costliest.spending(b"secret", done.as_ref(), &limits));
            match spending {
                None | Some(Spending::Nothing) => "nothing",
                Some(Spending::Derivation(_)) => "derivation",
                Some(Spending::Other) => "other",
            }
        };
        let (thousand, ten) = ("pbkdf2_sha256$1000", "pbkdf2_sha256$10$salt$hash");
        assert_eq!(kind(thousand, None), "derivation");
        assert_eq!(kind(thousand, Some(ten)), "derivation");
        assert_eq!(kind("pbkdf2_sha256$10", Some(ten)), "nothing");
        assert_eq!(kind("pbkdf2_sha256$9", Some(ten)), "nothing");
        assert_eq!(kind("pbkdf2_sha1$1000", None), "derivation");
        assert_eq!(kind("pbkdf2_sha1$1000", Some(ten)), "other");
        assert_eq!(
            kind("md5$salt$67a1e09bb1f83f5007dc119c14d663aa", None),
            "other"
        );
        assert_eq!(kind("pbkdf2_sha256$20000001", None), "nothing");
        assert_eq!(kind("no hash at all", None), "nothing");
        let joomla = Encoded::parse_cost(Rules::Joomla, thousand)
            .map(|costliest| costliest.spending(b"", None, &limits));
        assert!(matches!(joomla, Some(Spending::Nothing)));
    }

    #[test]
    fn bcrypt_of_bcrypt_makes_up_for_as_much_as_it_takes() {
        const BCRYPT: &str = "abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2";
        let one = |cost: u32| format!("$2y${cost:02}${BCRYPT}");
        let two = |cost: u32| format!("$CP$$2a${cost:02}${BCRYPT}");
        let rows = [
            (two(6), one(6), 6..7),
            (two(6), two(4), 5..7),
            (one(6), two(4), 5..6),
            (one(6), two(5), 6..6),
        ];
        for (costliest, done, expected) in rows {
            let [target, done] =
                [&costliest, &done].map(|text| Encoded::parse(Rules::Phpbb, text).unwrap());
            let plan = target.plan(Some(&done), &Limits::default());
            assert!(
                matches!(&plan, Plan::Bcrypt(costs) if *costs == expected),
                "{costliest} {done:?}"
            );
        }
    }
}
