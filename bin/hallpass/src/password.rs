//! Passwords, and other things that are typed or piped in.

use std::io::{IsTerminal, Read};

use anyhow::Context;
use hallpass_core::Secret;
use zeroize::Zeroizing;

/// The most that is read from standard input.
pub const LONGEST: u64 = 1 << 20;

/// A password, asked for without echo where standard input is a terminal; else all of standard
/// input, one newline at its end dropped.
pub fn read() -> anyhow::Result<Secret> {
    if std::io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ").context("reading the password")?;
        return Ok(Secret::new(password.into_bytes()));
    }
    standard_input()
}

/// All of standard input, one newline at its end dropped; no more of it than [`LONGEST`], which no
/// password or token is as long as.
pub fn standard_input() -> anyhow::Result<Secret> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    std::io::stdin()
        .take(LONGEST)
        .read_to_end(&mut bytes)
        .context("reading standard input")?;
    Ok(Secret::new(bytes.strip_suffix(b"\n").unwrap_or(&bytes)))
}
