//! Reads a stored hash once, and checks passwords against it.

use std::fmt;

use hallpass_pbkdf2::Request;
use zeroize::Zeroizing;

use crate::algorithms::pbkdf2::{Kind, Pbkdf2Hash};
use crate::hash::{Context, Cost, Limits, Outcome};
use crate::parsed::Parsed;
use crate::rules::Rules;

/// Longest stored hash that is read, in bytes; a longer one is [`ParseError::Unsupported`].
///
/// The longest that any of the frameworks writes has about 160.
pub const MAX_ENCODED: usize = 4096;

/// A stored hash, parsed: its algorithm, its cost, and how a password is checked against it.
///
/// ```
/// use hallpass_passwords::{Context, Encoded, Limits, Outcome, Rules};
///
/// let stored = "md5$salt$67a1e09bb1f83f5007dc119c14d663aa";
/// let encoded = Encoded::parse(Rules::Django, stored)?;
/// let (context, limits) = (Context::default(), Limits::default());
/// assert_eq!(encoded.algorithm(), "md5");
/// assert_eq!(encoded.verify(b"password", &context, &limits), Outcome::Match);
/// assert_eq!(encoded.verify(b"Password", &context, &limits), Outcome::Mismatch);
/// # Ok::<(), hallpass_passwords::ParseError>(())
/// ```
pub struct Encoded {
    pub(crate) rules: Rules,
    pub(crate) parsed: Parsed,
    text: String,
}

impl Encoded {
    /// Parses `text`, as stored, the way `rules` say.
    ///
    /// # Errors
    /// [`ParseError`] where `text` is not a hash that a password could be checked against.
    pub fn parse(rules: Rules, text: &str) -> Result<Self, ParseError> {
        if text.len() > MAX_ENCODED {
            return Err(ParseError::Unsupported);
        }
        if text.is_empty() || rules.mark_unusable(text) {
            return Err(ParseError::Unusable);
        }
        let parsed = rules.parse(text).ok_or(ParseError::Unsupported)?;
        Ok(Self {
            rules,
            parsed,
            text: text.to_owned(),
        })
    }

    /// Parses `text` by the first of `rules` that knows its format.
    ///
    /// # Errors
    /// [`ParseError`] where none does, or where the first says that the account has no password.
    pub fn parse_any(rules: &[Rules], text: &str) -> Result<Self, ParseError> {
        rules
            .iter()
            .map(|rules| Self::parse(*rules, text))
            .find(|parsed| !matches!(parsed, Err(ParseError::Unsupported)))
            .unwrap_or(Err(ParseError::Unsupported))
    }

    /// Parses what a denial shall cost, for [`spend`](Self::spend): an encoded hash by any rules,
    /// or the beginning of Django's (`pbkdf2_sha256$1000000`). `rules` say in how many forms a
    /// typed password is tried. `None` where it cannot be read.
    pub fn parse_cost(rules: Rules, text: &str) -> Option<Self> {
        let is_beginning = matches!(
            text.split_once('$'),
            Some(("pbkdf2_sha1" | "pbkdf2_sha256", iterations)) if !iterations.contains('$')
        );
        let text = if is_beginning {
            format!("{text}$hallpass$")
        } else {
            text.to_owned()
        };
        let parsed = [rules, Rules::Django, Rules::Php]
            .into_iter()
            .chain(Rules::ALL)
            .find_map(|rules| rules.parse(&text))?;
        Some(Self {
            rules,
            parsed,
            text,
        })
    }

    /// The text that was parsed, to be kept as secret as any stored hash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The rules that it was parsed by.
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// The framework's own name of the algorithm, as in `pbkdf2_sha256`.
    pub fn algorithm(&self) -> &'static str {
        self.parsed.algorithm
    }

    /// The cost parameters as a person reads them, as in `1000000 iterations`; empty where the
    /// algorithm has none.
    pub fn parameters(&self) -> String {
        self.parsed.scheme.hash().parameters()
    }

    /// The cost of one check.
    pub fn cost(&self) -> Cost {
        self.parsed.scheme.hash().cost()
    }

    /// Whether a check keeps within `limits`.
    ///
    /// bcrypt is limited by [`Limits::max_cost`] only, all others by [`Cost::work`] and
    /// [`Cost::memory`]. Where one check computes several hashes (phpBB's converted and combined
    /// hashes), the limits are those of each.
    pub fn fits(&self, limits: &Limits) -> bool {
        self.parsed.fits(limits, 0)
    }

    /// Checks `password`, as typed. A check over the limits is [`Outcome::Unsupported`], and is
    /// not begun.
    pub fn verify(&self, password: &[u8], context: &Context<'_>, limits: &Limits) -> Outcome {
        for mut form in self.rules.forms(password) {
            if let (Rules::Devise, Some(pepper)) = (self.rules, context.pepper) {
                let peppered = [form.as_slice(), pepper].concat();
                form = Zeroizing::new(peppered);
            }
            match self.check(password, &form, context, limits) {
                Outcome::Mismatch => {}
                outcome => return outcome,
            }
        }
        Outcome::Mismatch
    }

    /// Checks one form of the password; converted hashes look at what was `typed`, too.
    pub(crate) fn check(
        &self,
        typed: &[u8],
        form: &[u8],
        context: &Context<'_>,
        limits: &Limits,
    ) -> Outcome {
        self.parsed.check(typed, form, context, limits)
    }

    /// The derivation that a check consists of; `None` where a check is something else, or over
    /// the limits: then only [`verify`](Self::verify) gives its outcome.
    pub fn derivation(&self, limits: &Limits) -> Option<Derivation<'_>> {
        let (stored, kind, _) = self.parsed.pbkdf2().filter(|_| self.fits(limits))?;
        Some(Derivation { stored, kind })
    }
}

/// Never shows the stored hash.
impl fmt::Debug for Encoded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Encoded")
            .field("rules", &self.rules)
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

/// Why a stored text is not a hash that a password could be checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// It marks an account that has no password, or a locked one: Django's `!…`, or nothing.
    Unusable,
    /// It is malformed, of an algorithm that the rules do not know, or longer than
    /// [`MAX_ENCODED`].
    Unsupported,
}

impl fmt::Display for ParseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unusable => "the account has no password",
            Self::Unsupported => "the stored hash is malformed or of an unknown algorithm",
        })
    }
}

impl std::error::Error for ParseError {}

/// The outcome of a check against a text that is not a hash.
impl From<ParseError> for Outcome {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::Unusable => Self::Unusable,
            ParseError::Unsupported => Self::Unsupported,
        }
    }
}

/// A check that is one PBKDF2 derivation and a comparison, taken apart, so that a
/// [`hallpass_pbkdf2::Engine`] can do the derivations of many at a time.
///
/// ```
/// use hallpass_passwords::{Encoded, Limits, Outcome, Rules};
///
/// let stored = "pbkdf2_sha256$4$seasalt$M/v4G4TmNLB9WXP5BvhbCT+6rzR5vYqCNlmcQA2+hUk=";
/// let encoded = Encoded::parse(Rules::Django, stored)?;
/// let derivation = encoded.derivation(&Limits::default()).unwrap();
/// let mut engine = hallpass_pbkdf2::Engine::new();
/// engine.submit(derivation.request(b"not it"));
/// while !engine.is_empty() {
///     for derived in engine.step() {
///         assert_eq!(derivation.outcome(&derived.key), Outcome::Mismatch);
///     }
/// }
/// # Ok::<(), hallpass_passwords::ParseError>(())
/// ```
pub struct Derivation<'a> {
    stored: &'a Pbkdf2Hash,
    kind: Kind,
}

impl Derivation<'_> {
    /// The key to derive from `password`.
    pub fn request(&self, password: &[u8]) -> Request {
        self.stored.request(self.kind, password)
    }

    /// The outcome of the check, by the derived key.
    pub fn outcome(&self, key: &[u8]) -> Outcome {
        self.stored.compare(key)
    }
}
