//! Time that an absent or cheap hash would otherwise save.

use std::hint::black_box;

use hallpass_pbkdf2::Request;

use crate::Description;
use crate::Limits;
use crate::Rules;
use crate::algorithms::Parsed;
use crate::algorithms::Scheme;
use crate::algorithms::bcrypt;
use crate::algorithms::bcrypt::BcryptHash;
use crate::algorithms::check;
use crate::algorithms::pbkdf2;
use crate::algorithms::pbkdf2::Pbkdf2Hash;
use crate::rules::drupal;
use crate::rules::joomla;
use crate::rules::phpbb;
use crate::rules::wordpress;

/// The salt of derivations whose key nobody needs.
const SALT: &[u8] = b"hallpass";
/// A hash that costs less than this part of the costliest counts as nothing done.
const NEGLIGIBLE: u64 = 16;

/// As [`spend_with`] under Django's rules.
pub fn spend(password: &[u8], costliest: &str, already: Option<&str>, limits: &Limits) {
    spend_with(Rules::Django, password, costliest, already, limits);
}

/// Does as much work as a check of `costliest` would, less what the check of `already` cost, so
/// that an unknown account and an old, cheap hash take as long as the site's costliest hash.
///
/// `costliest` is an encoded hash, or its beginning (`pbkdf2_sha256$1000000`); `already` is what
/// has been checked, `None` where there was nothing to check. The same algorithm is run wherever
/// it can be split (PBKDF2, bcrypt) or nothing to speak of has been done; in between, PBKDF2 takes
/// the rest of the time, by [`Description::work`]. A password that `rules` try in two forms costs
/// twice, and one that they refuse unseen (an empty one, an overlong one) nothing.
///
/// A `costliest` over the limits, or one that cannot be read, costs nothing.
pub fn spend_with(
    rules: Rules,
    password: &[u8],
    costliest: &str,
    already: Option<&str>,
    limits: &Limits,
) {
    let completed = complete(costliest);
    let Some(target) = find(rules, &completed) else {
        return;
    };
    if !target.permitted(limits, password.len()) {
        return;
    }
    for _ in 0..attempts(rules, password) {
        spend_once(rules, password, &completed, &*target, already, limits);
    }
}

/// What [`spend_with`] does, so that an [engine](hallpass_pbkdf2::Engine) can do it along with
/// others where it is one PBKDF2 derivation.
pub enum Spending {
    /// Nothing that takes any time.
    Nothing,
    /// This, and nobody needs the key.
    Derivation(Request),
    /// Something else: [`spend_with`] does it.
    Other,
}

/// Says what [`spend_with`] does with the same arguments.
pub fn spending(
    rules: Rules,
    password: &[u8],
    costliest: &str,
    already: Option<&str>,
    limits: &Limits,
) -> Spending {
    let completed = complete(costliest);
    let permitted =
        find(rules, &completed).is_some_and(|target| target.permitted(limits, password.len()));
    let attempts = attempts(rules, password);
    if !permitted || attempts == 0 {
        return Spending::Nothing;
    }
    let Some(target) = Pbkdf2Hash::parse(&completed).filter(|_| attempts == 1) else {
        return Spending::Other;
    };
    let iterations = match already {
        None => target.iterations(),
        Some(already) => match Pbkdf2Hash::parse(already) {
            Some(done) if done.kind() == target.kind() => {
                target.iterations().saturating_sub(done.iterations())
            }
            _ => return Spending::Other,
        },
    };
    match iterations {
        0 => Spending::Nothing,
        _ => Spending::Derivation(pbkdf2::request(target.kind(), password, SALT, iterations)),
    }
}

fn spend_once(
    rules: Rules,
    password: &[u8],
    costliest: &str,
    target: &dyn Scheme,
    already: Option<&str>,
    limits: &Limits,
) {
    let due = target.description().work;
    let already = already.unwrap_or_default();
    let done = find(rules, already).map_or(0, |scheme| scheme.description().work);
    if let Some((target, done)) = Pbkdf2Hash::parse(costliest).zip(Pbkdf2Hash::parse(already))
        && target.kind() == done.kind()
    {
        let iterations = target.iterations().saturating_sub(done.iterations());
        derive(target.kind(), password, iterations);
    } else if let Some((target, done)) = bcrypt_of(costliest).zip(bcrypt_of(already)) {
        // One of each cost in between makes up the difference.
        for cost in done.cost()..target.cost() {
            black_box(bcrypt::encode(password, "2b", cost, [0; 16]));
        }
    } else if done < due / NEGLIGIBLE {
        black_box(check(target, password, limits));
    } else {
        let iterations = due
            .saturating_sub(done)
            .min(u64::from(limits.max_iterations));
        let iterations = u32::try_from(iterations).unwrap_or(limits.max_iterations);
        derive(pbkdf2::Kind::Sha256, password, iterations);
    }
}

/// In how many forms a wrong password is tried.
fn attempts(rules: Rules, password: &[u8]) -> usize {
    match rules {
        Rules::Django | Rules::Php => 1,
        Rules::Drupal => drupal::attempts(password),
        Rules::Joomla | Rules::Joomla3 => joomla::attempts(password),
        Rules::Phpbb => phpbb::attempts(password),
        Rules::Wordpress => wordpress::attempts(password),
    }
}

/// Says what an encoded hash, or the beginning that [`spend`] takes, costs; `None` where it cannot
/// be read.
pub fn describe_cost(costliest: &str) -> Option<Description> {
    find(Rules::Django, &complete(costliest)).map(|scheme| scheme.description())
}

/// Adds the fields that say nothing of the cost, where they are left out.
fn complete(costliest: &str) -> String {
    let abbreviated = matches!(
        costliest.split_once('$'),
        Some(("pbkdf2_sha1" | "pbkdf2_sha256", iterations)) if !iterations.contains('$')
    );
    let rest = if abbreviated { "$hallpass$" } else { "" };
    format!("{costliest}{rest}")
}

/// The hash, under these rules or the first others that know it.
fn find(rules: Rules, encoded: &str) -> Parsed<'_> {
    [rules, Rules::Django, Rules::Php]
        .into_iter()
        .chain(Rules::ALL)
        .find_map(|rules| crate::parse(rules, encoded))
}

fn bcrypt_of(encoded: &str) -> Option<BcryptHash<'_>> {
    let plain = encoded.find("$2").and_then(|start| encoded.get(start..))?;
    BcryptHash::parse(plain, "bcrypt")
}

fn derive(kind: pbkdf2::Kind, password: &[u8], iterations: u32) {
    if iterations > 0 {
        black_box(pbkdf2::derive(kind, password, SALT, iterations));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_is_told_beforehand() {
        let limits = Limits::default();
        let kind = |costliest: &str, already: Option<&str>| match spending(
            Rules::Django,
            b"secret",
            costliest,
            already,
            &limits,
        ) {
            Spending::Nothing => "nothing",
            Spending::Derivation(_) => "derivation",
            Spending::Other => "other",
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
        let joomla = spending(Rules::Joomla, b"", thousand, None, &limits);
        assert!(matches!(joomla, Spending::Nothing));
    }

    #[test]
    fn a_password_costs_an_unknown_account_what_it_costs_a_known_one() {
        let long = [b'k'; 5000];
        let rows: [(&[u8], [usize; 4]); 8] = [
            // Drupal, Joomla, phpBB, WordPress.
            (b"secret", [1, 1, 1, 1]),
            (b"it's", [1, 1, 1, 1]),
            (b" secret ", [2, 1, 1, 1]),
            (b"a&amp;b", [1, 1, 1, 1]),
            (b"", [0, 0, 0, 0]),
            (b"0", [1, 0, 0, 0]),
            (b"   ", [0, 1, 0, 0]),
            (&long, [0, 1, 0, 0]),
        ];
        for (password, expected) in rows {
            let rules = [Rules::Drupal, Rules::Joomla, Rules::Phpbb, Rules::Wordpress];
            assert_eq!(
                rules.map(|rules| attempts(rules, password)),
                expected,
                "{password:?}"
            );
        }
    }
}
