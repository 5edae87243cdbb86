//! Defines the interface of a stored hash, the cost of a check, and its outcome.

use subtle::ConstantTimeEq as _;

/// The outcome of checking one password against one stored text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The password is right.
    Match,
    /// The password is wrong.
    Mismatch,
    /// The stored text marks an account that has no password, or a locked one.
    Unusable,
    /// The stored text is malformed, of an unknown algorithm, or over the limits.
    Unsupported,
}

/// What a hash is checked with beside the password: columns of the site's row, and the site's own
/// secret.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Context<'a> {
    /// The login name as stored, which SMF hashes with the password; phpBB's column `login_name`.
    pub login_name: Option<&'a str>,
    /// The salt, where it is in a column of its own: `user_passwd_salt` (phpBB), or Redmine's `salt`.
    pub salt: Option<&'a str>,
    /// Devise's pepper, a secret of the site's that is hashed after the password.
    pub pepper: Option<&'a [u8]>,
}

/// Never shows the pepper.
impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Context")
            .field("login_name", &self.login_name)
            .field("salt", &self.salt)
            .finish_non_exhaustive()
    }
}

/// The cost of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// About how much work it is, in PBKDF2-HMAC-SHA256 iterations that take as long (on a
    /// processor with SHA instructions; `benches/compare.rs` measures the ratios).
    pub work: u64,
    /// Memory in bytes, for the memory-hard algorithms (argon2, scrypt); 0 for others.
    pub memory: u64,
}

impl Cost {
    /// Whether it keeps within `limits`, bcrypt's cost as work like any other.
    pub fn fits(self, limits: &Limits) -> bool {
        self.work <= u64::from(limits.max_iterations) && self.memory <= limits.max_memory
    }
}

/// The limits on the cost of one check. A stored hash over them is never computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest PBKDF2 iteration count; the count or rounds of every other iterated hash count
    /// by the time they take (see [`Cost::work`]).
    pub max_iterations: u32,
    /// Most memory, in bytes, that one check may use (argon2, scrypt).
    pub max_memory: u64,
    /// Largest bcrypt cost (the exponent).
    pub max_cost: u32,
}

impl Default for Limits {
    /// 20 million iterations, 512 MiB, bcrypt cost 16.
    fn default() -> Self {
        Self {
            max_iterations: 20_000_000,
            max_memory: 512 * 1024 * 1024,
            max_cost: 16,
        }
    }
}

/// A stored hash whose fields are parsed and in range.
pub(crate) trait Hash {
    /// The cost of one check.
    fn cost(&self) -> Cost;

    /// The cost parameters as a person reads them; empty where there are none.
    fn parameters(&self) -> String;

    /// Whether a check of a password of `length` bytes keeps within the limits.
    fn fits(&self, limits: &Limits, _length: usize) -> bool {
        self.cost().fits(limits)
    }

    /// Whether it is of this password, as the software's own hash function gets it.
    fn check(&self, password: &[u8]) -> Outcome;
}

/// Compares what is stored with what the password came to, in constant time.
pub(crate) fn compare(stored: &[u8], computed: &[u8]) -> Outcome {
    if bool::from(stored.ct_eq(computed)) {
        Outcome::Match
    } else {
        Outcome::Mismatch
    }
}

/// Whether `work` for each block of 64 bytes that the password fills stays within the limits,
/// for the algorithms that hash the password anew in each round.
pub(crate) fn rounds_fit(work: u64, limits: &Limits, length: usize) -> bool {
    let blocks = u64::try_from(length / 64)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    work.saturating_mul(blocks) <= u64::from(limits.max_iterations)
}

/// A decimal number as C's and Python's `%d` write it: no sign, no space, no leading zero.
pub(crate) fn plain_number(text: &str) -> Option<u32> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits {
        text.parse().ok()
    } else {
        None
    }
}

/// A decimal number as Python's `int` reads it, and software compares nothing of its text: white
/// space around it, a sign, leading zeros, underscores between digits. `None` where it is not
/// positive.
pub(crate) fn python_number(text: &str) -> Option<u32> {
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let text = text.strip_prefix('+').unwrap_or(text);
    let mut parts = text.split('_');
    let sound = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    if !parts.all(sound) {
        return None;
    }
    text.replace('_', "")
        .parse()
        .ok()
        .filter(|number| *number > 0)
}

/// As [`plain_number`], and not 0.
pub(crate) fn positive_number(text: &str) -> Option<u32> {
    plain_number(text).filter(|number| *number > 0)
}
