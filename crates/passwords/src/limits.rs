//! What a stored hash may ask for.

/// What one check may cost at most. A stored hash that asks for more is never run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest PBKDF2 iteration count; the count or rounds of every other iterated hash count
    /// by the time they take (see [`Description::work`](crate::Description::work)).
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
