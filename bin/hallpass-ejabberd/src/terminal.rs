//! The pseudo-terminal that some hosts put between themselves and their helper.

use std::fs::File;
use std::io::{self, IsTerminal};

use rustix::stdio::dup2_stderr;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// Makes a terminal at standard input a plain channel: no character of a password may interrupt the
/// program, and nothing is echoed, which the host would take for an answer. For the same reason,
/// what goes to standard error is dropped where that is a terminal.
///
/// # Errors
/// When the terminal cannot be told.
pub fn make_plain() -> io::Result<()> {
    let input = io::stdin();
    if input.is_terminal() {
        let mut modes = tcgetattr(&input)?;
        modes.make_raw();
        tcsetattr(&input, OptionalActions::Now, &modes)?;
    }
    if io::stderr().is_terminal() {
        dup2_stderr(File::options().write(true).open("/dev/null")?)?;
    }
    Ok(())
}
