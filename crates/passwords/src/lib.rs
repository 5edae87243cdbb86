//! Encoded password hashes as web frameworks store them: identify, verify, make.
//!
//! Pure functions: no input or output, no configuration, no clock.
#![forbid(unsafe_code)]

/// Whose rules decide what a stored hash means and what is done to a typed password first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Django's `check_password`.
    Django,
}

/// What one check may cost at most. A stored hash that asks for more is never run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest PBKDF2 iteration count.
    pub max_iterations: u32,
    /// Most memory, in bytes, that one check may use (argon2, scrypt).
    pub max_memory: u64,
    /// Largest bcrypt cost (the exponent).
    pub max_cost: u32,
}

/// What the check of one password against one stored hash came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The password is right.
    Match,
    /// The password is wrong.
    Mismatch,
    /// The stored value marks an account that has no password, or a locked one.
    Unusable,
    /// The stored value is malformed, of an unknown algorithm, or over the limits.
    Unsupported,
}

/// What a stored hash says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The framework's own name of the algorithm, as in `pbkdf2_sha256`.
    pub algorithm: &'static str,
    /// Its cost parameters as a person reads them, as in `1000000 iterations`.
    pub cost: String,
    /// About how much work a check is, in PBKDF2-HMAC-SHA256 iterations that take as long.
    pub work: u64,
}

/// Checks `password` against `encoded` as `rules` say.
pub fn verify(_rules: Rules, _password: &[u8], _encoded: &str, _limits: &Limits) -> Outcome {
    Outcome::Unsupported
}

/// Says what `encoded` is; `None` where `rules` know no such format or its fields are malformed.
pub fn identify(_rules: Rules, _encoded: &str) -> Option<Description> {
    None
}
