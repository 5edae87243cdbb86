//! Parses the common command lines of Apache's configuration without clap.
//!
//! clap first builds every option and its help, which is a tenth of the instructions of a whole
//! request, and Apache starts a process for each. All other command lines, wrong ones included, go
//! to clap.

use std::ffi::{OsStr, OsString};

use hallpass_runtime::{CONFIG_VARIABLE, CommandLine};

use crate::options::{AlsoAccepted, Input, Method, Options, Question};

/// Parses `arguments`, without the program's name, if they are `auth` or `group`, with `--config`
/// before or after, and after it `--method` and, for `auth`, `--accept`, each at most once; `None`
/// for anything else.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Option<Options> {
    let mut arguments = arguments.into_iter();
    let mut config = None;
    let mut password = None;
    let mut method = None;
    let mut accept = None;
    while let Some(argument) = arguments.next() {
        let argument = argument.to_str()?;
        let (option, given) = match argument.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, Some(value.into())),
            _ => (argument, None),
        };
        match option {
            "auth" | "group" if password.is_none() => password = Some(option == "auth"),
            "--config" if config.is_none() => config = Some(value(given, &mut arguments)?),
            "--method" if password.is_some() && method.is_none() => {
                method = Some(match value(given, &mut arguments)?.to_str()? {
                    "pipe" => Method::Pipe,
                    "environment" => Method::Environment,
                    _ => return None,
                });
            }
            "--accept" if password == Some(true) && accept.is_none() => {
                accept = Some(match value(given, &mut arguments)?.to_str()? {
                    "session" => AlsoAccepted::Session,
                    _ => return None,
                });
            }
            _ => return None,
        }
    }
    if config.is_none() && std::env::var_os(CONFIG_VARIABLE).is_some() {
        return None;
    }
    let input = Input {
        method: method.unwrap_or(Method::Pipe),
    };
    let question = match password? {
        true => Question::Auth { input, accept },
        false => Question::Group(input),
    };
    Some(Options {
        common: CommandLine {
            config: config.map(Into::into),
            check_config: false,
        },
        question: Some(question),
    })
}

/// An option's value: after its equals sign, or the next argument, unless that looks like an option.
fn value(
    given: Option<OsString>,
    arguments: &mut impl Iterator<Item = OsString>,
) -> Option<OsString> {
    let value = given.or_else(|| arguments.next())?;
    let plain = |value: &OsStr| {
        let bytes = value.as_encoded_bytes();
        !bytes.is_empty() && !bytes.starts_with(b"-")
    };
    plain(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn both(line: &str) -> (Option<String>, Option<String>) {
        let words = || line.split_whitespace().map(OsString::from);
        let program = std::iter::once(OsString::from("hallpass-apache"));
        let show = |options: Options| format!("{options:?}");
        let whole = Options::try_parse_from(program.chain(words())).ok();
        (parse(words()).map(show), whole.map(show))
    }

    #[test]
    fn plain_command_lines_are_read_as_the_whole_parser_reads_them() {
        for line in [
            "auth",
            "group",
            "auth --config /a.toml",
            "--config /a.toml auth",
            "--config=/a.toml group",
            "group --config=a=b.toml",
            "auth --method pipe",
            "auth --method environment --config /a.toml",
            "--config /a.toml group --method=environment",
            "auth --accept session",
            "auth --accept=session --method pipe --config /a.toml",
        ] {
            let (plain, whole) = both(line);
            assert!(plain.is_some(), "{line}");
            assert_eq!(plain, whole, "{line}");
        }
    }

    #[test]
    fn everything_else_is_left_to_the_whole_parser() {
        for line in [
            "",
            "--help",
            "auth --help",
            "--version",
            "auth --check-config",
            "auth group",
            "auth --accept password",
            "auth --accept session --accept session",
            "auth --accept",
            "group --accept session",
            "--accept session auth",
            "rewritemap",
            "rewritemap --config /a.toml",
            "auth auth",
            "--method pipe auth",
            "auth --method",
            "auth --method pipes",
            "auth --method pipe --method pipe",
            "auth --config",
            "auth --config --method pipe",
            "auth --config=",
            "--config a auth --config b",
            "auth=x",
            "auth -x",
            "auth --",
            "auth --confi a",
            "autho",
        ] {
            assert_eq!(both(line).0, None, "{line}");
        }
    }
}
