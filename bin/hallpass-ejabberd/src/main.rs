//! ejabberd asks, the web site's accounts answer: external authentication over standard input and
//! output.
#![forbid(unsafe_code)]

mod credentials;
mod jid;
mod options;
mod protocol;
mod serve;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    serve::main()
}
