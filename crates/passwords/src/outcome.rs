//! What a check comes to, and what a hash says of itself.

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
    /// The framework's own name of the algorithm, as in `pbkdf2_sha256`; `unusable` for the mark
    /// of an account without a password.
    pub algorithm: &'static str,
    /// Its cost parameters as a person reads them, as in `1000000 iterations`; empty where it
    /// has none.
    pub cost: String,
    /// About how much work a check is, in PBKDF2-HMAC-SHA256 iterations that take as long (on a
    /// processor with SHA instructions; `benches/compare.rs` measures the ratios).
    pub work: u64,
    /// Memory of one check in bytes, for the memory-hard ones (argon2, scrypt); 0 for others.
    pub memory: u64,
}
