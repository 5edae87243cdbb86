//! SIGTERM and SIGINT.

use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Runs `then` on a thread of its own when the program is told to end, once; after that a second
/// signal ends it at once, whatever it is doing.
///
/// # Errors
/// When the signals cannot be caught.
pub fn on_terminate(then: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut received = signals.forever();
            if received.next().is_some() {
                then();
            }
            if received.next().is_some() {
                std::process::exit(128 + SIGTERM);
            }
        })?;
    Ok(())
}
