//! HTTP servers ask, the web site's sessions and accounts answer: the question of nginx's
//! auth_request, Caddy's forward_auth and Traefik's ForwardAuth.
#![forbid(unsafe_code)]

mod credentials;
mod identity;
mod listen;
mod login;
mod options;
mod percent;
mod pool;
mod queue;
mod route;
mod serve;
mod start;

use std::process::ExitCode;

fn main() -> ExitCode {
    start::main()
}
