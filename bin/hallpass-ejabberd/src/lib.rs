//! Answers ejabberd's external authentication, over standard input and output, by the accounts of a
//! web site.
//!
//! | module | subject |
//! |---|---|
//! | `protocol` | frames and requests |
//! | `kick` | ends connections whose session has ended |
//! | `serve` | the verdict on each request, or the change that it asks for |
#![forbid(unsafe_code)]

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod kick;
mod protocol;
mod serve;

use std::fs::File;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use hallpass_core::Configuration;
use hallpass_runtime::{CommandLine, Helper, converse, lines};
use rustix::stdio::dup2_stderr;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::kick::Kicker;
use crate::serve::{Frames, Lines, Server};

const PROGRAM: &str = "hallpass-ejabberd";

/// Answers ejabberd's external authentication by the accounts of a web site
///
/// Reads requests from standard input and writes answers to standard output until the input ends.
/// When the configuration or the site fails, it keeps running, logs the reason, and tries again at
/// the next request.
#[derive(Debug, clap::Parser)]
#[command(name = PROGRAM, version, after_help = EXAMPLES)]
struct Options {
    #[command(flatten)]
    common: CommandLine,
    /// The protocol on standard input and output
    #[arg(long, value_enum, default_value_t = Protocol::Ejabberd)]
    protocol: Protocol,
}

/// The protocol on standard input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Protocol {
    /// Frames with a length prefix
    Ejabberd,
    /// Lines, for mod_auth_external of Prosody and Metronome. On a terminal, what goes to standard
    /// error is dropped: let the log go to journald or syslog
    Generic,
}

const EXAMPLES: &str = "\
Examples:
  In ejabberd.yml:
    auth_method: [external]
    extauth_program: \"/usr/bin/hallpass-ejabberd --config /etc/hallpass/hallpass.toml\"
    auth_use_cache: false

  In prosody.cfg.lua, with mod_auth_external_insecure:
    authentication = \"external_insecure\"
    external_auth_command = \"/usr/bin/hallpass-ejabberd --protocol generic\"

  By hand, asking whether there is a user alice:
    printf '\\0\\031isuser:alice:example.com' | hallpass-ejabberd | xxd";

/// The command line, for manual pages.
#[must_use]
pub fn command_line() -> clap::Command {
    Options::command()
}

/// Runs the program, from the command line to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let (command_line, protocol) = match Options::try_parse() {
        Ok(options) if options.common.check_config => return options.common.check(2),
        Ok(options) => (Ok(options.common), options.protocol),
        Err(error) => (Err(error), Protocol::Ejabberd),
    };
    // Must come before the log may write to the terminal.
    let plain = match protocol {
        Protocol::Ejabberd => Ok(()),
        Protocol::Generic => make_terminal_plain(),
    };
    let helper = Helper::new(PROGRAM, command_line, ignore_case);
    if let Err(error) = plain {
        helper.log.error(&format!(
            "cannot make the terminal a plain channel: {error}"
        ));
        return ExitCode::FAILURE;
    }
    let kicker = (protocol == Protocol::Ejabberd).then(Kicker::default);
    let server = Server { helper, kicker };
    match protocol {
        Protocol::Ejabberd => converse(protocol::Decoder::default(), &mut Frames(server)),
        Protocol::Generic => converse(lines::Decoder::default(), &mut Lines(server)),
    }
}

fn ignore_case(configuration: &mut Configuration) {
    configuration.access.lookup.ignore_case |= configuration.ejabberd.ignore_case;
}

/// Makes the pseudo-terminal that some hosts put at standard input a plain channel: no character of
/// a password interrupts the program, and nothing is echoed, which the host would read as an
/// answer. For the same reason, standard error is dropped where it is a terminal.
///
/// # Errors
/// Errors of changing the terminal.
fn make_terminal_plain() -> io::Result<()> {
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
