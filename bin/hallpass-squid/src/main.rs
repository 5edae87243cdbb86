//! Squid asks, the web site's accounts answer: a helper for Basic authentication and for external
//! access lists.
#![forbid(unsafe_code)]

mod answer;
mod line;
mod options;
mod question;
mod serve;

use std::process::ExitCode;

fn main() -> ExitCode {
    serve::main()
}
