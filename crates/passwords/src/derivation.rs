//! Checks that can be done along with others.

use hallpass_pbkdf2::Request;

use crate::Limits;
use crate::Outcome;
use crate::Rules;
use crate::algorithms::Scheme as _;
use crate::algorithms::pbkdf2::Pbkdf2Hash;

/// A check that is one PBKDF2 derivation and a comparison, taken apart, so that a
/// [`hallpass_pbkdf2::Engine`] can do the derivations of many at a time.
///
/// ```
/// use hallpass_passwords::{Derivation, Limits, Outcome, Rules};
///
/// let stored = "pbkdf2_sha256$4$seasalt$M/v4G4TmNLB9WXP5BvhbCT+6rzR5vYqCNlmcQA2+hUk=";
/// let derivation = Derivation::of(Rules::Django, stored, &Limits::default()).unwrap();
/// let mut engine = hallpass_pbkdf2::Engine::new();
/// engine.submit(derivation.request(b"not it"));
/// while !engine.is_empty() {
///     for derived in engine.step() {
///         assert_eq!(derivation.outcome(&derived.key), Outcome::Mismatch);
///     }
/// }
/// ```
pub struct Derivation<'a> {
    stored: Pbkdf2Hash<'a>,
}

impl<'a> Derivation<'a> {
    /// The derivation of a check of `encoded`; `None` where a check is something else, or over the
    /// limits: then [`verify`](crate::verify) says what it comes to.
    pub fn of(rules: Rules, encoded: &'a str, limits: &Limits) -> Option<Self> {
        if rules != Rules::Django || encoded.len() > crate::MAX_ENCODED {
            return None;
        }
        let stored = Pbkdf2Hash::parse(encoded)?;
        stored.permitted(limits, 0).then_some(Self { stored })
    }

    /// What is to be derived from `password`.
    pub fn request(&self, password: &[u8]) -> Request {
        self.stored.request(password)
    }

    /// What the check comes to, by the key that was derived.
    pub fn outcome(&self, key: &[u8]) -> Outcome {
        self.stored.compare(key)
    }
}
