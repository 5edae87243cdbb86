//! Writes the sections of a program's page that its command line does not say: EXIT STATUS,
//! ENVIRONMENT and FILES.

use clap::Command;
use clap_mangen::roff::{Roff, bold, roman};
use hallpass_core::configuration::DEFAULT_PATH;

use crate::init::INSTALLED_SCHEMA;

/// How a command's help begins its list of exit codes, as in "Exit codes: 0 granted, 1 denied."
const EXIT_CODES: &str = "Exit codes: ";

/// The exit codes of a conversation with a host.
const CONVERSATION: &str = "0 the input has ended, 1 the input or the output has failed, 2 --check-config has found an error";

/// Takes the exit codes out of the description of `command`, since they have a section of their own.
pub fn take_exit_codes(command: Command) -> (Command, Option<String>) {
    let about = command.get_long_about().map(ToString::to_string);
    let Some((before, codes)) = about.as_deref().and_then(|it| it.split_once(EXIT_CODES)) else {
        return (command, None);
    };
    let codes = codes.trim_end().trim_end_matches('.').replace('\n', " ");
    (
        command.long_about(before.trim_end().to_owned()),
        Some(codes),
    )
}

/// The exit codes of commands whose help does not list them; the last word of `name` is the command.
pub fn exit_codes(name: &str, of_parent: Option<&String>) -> String {
    match (name, of_parent) {
        ("hallpass-apache" | "hallpass-apache-group", _) => {
            "0 granted, 1 unknown user, 2 wrong password, 3 inactive or not permitted, 7 throttled, \
             51 malformed input, 52 configuration, 53 unavailable"
                .to_owned()
        }
        (_, Some(codes)) if !name.ends_with("-rewritemap") => codes.clone(),
        _ => CONVERSATION.to_owned(),
    }
}

/// A list of exit codes, as in "0 granted, 1 denied": a code and its meaning each.
pub fn exit_status(page: &mut Roff, codes: &str) {
    page.control("SH", ["EXIT STATUS"]);
    let mut list: Vec<(&str, String)> = Vec::new();
    for part in codes.split([',', ';']).map(str::trim) {
        match (part.split_once(' '), list.last_mut()) {
            (Some((code, meaning)), _) if code.parse::<u8>().is_ok() => {
                list.push((code, meaning.to_owned()));
            }
            // A comma within a meaning.
            (_, Some((_, meaning))) => {
                meaning.push_str(", ");
                meaning.push_str(part);
            }
            (_, None) => {}
        }
    }
    entries(page, list);
}

/// The variables that `program` reads.
pub fn environment(page: &mut Roff, program: &str) {
    page.control("SH", ["ENVIRONMENT"]);
    let own: &[(&str, &str)] = match program {
        "hallpass" => &[(
            "NO_COLOR",
            "If it is set and not empty, the doctor writes no colours.",
        )],
        "hallpass-apache" => &[
            (
                "USER, PASS, GROUP",
                "The request, with --method environment.",
            ),
            ("COOKIE", "The browser's cookies, with --accept session."),
            (
                "IP",
                "The client's address, by which wrong passwords are counted.",
            ),
        ],
        "hallpass-checkpassword" => &[
            (
                "AUTHORIZED",
                "1 if Dovecot looks an account up, and gives no password.",
            ),
            (
                "TCPREMOTEIP, IP",
                "The client's address, by which wrong passwords are counted.",
            ),
        ],
        "hallpass-pam" => &[
            ("PAM_TYPE", "What is asked: auth or account."),
            ("PAM_USER", "The login name."),
            (
                "PAM_RHOST",
                "The client's address, by which wrong passwords are counted.",
            ),
        ],
        "hallpassd" => &[
            (
                "LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES",
                "The sockets that systemd passes, and the protocol of each.",
            ),
            (
                "NOTIFY_SOCKET, WATCHDOG_USEC",
                "Where and how often systemd is told that the daemon is ready and lives.",
            ),
        ],
        _ => &[],
    };
    let common = [
        (
            "HALLPASS_CONFIG",
            "The site's configuration, where --config names none.",
        ),
        (
            "CREDENTIALS_DIRECTORY",
            "The directory of systemd's credentials, where the configuration has \
             { credential = \"NAME\" }.",
        ),
    ];
    entries(page, common.iter().chain(own).copied());
}

/// The files that `program` reads or makes.
pub fn files(page: &mut Roff, program: &str) {
    page.control("SH", ["FILES"]);
    let own: &[(&str, &str)] = match program {
        "hallpass" => &[(
            INSTALLED_SCHEMA,
            "The JSON Schema of the configuration, which init names for editors.",
        )],
        "hallpassd" => &[(
            "/run/hallpass",
            "The directory of the sockets, as the packages set them up.",
        )],
        _ => &[],
    };
    let configuration = (
        DEFAULT_PATH,
        "The site's configuration, where neither --config nor HALLPASS_CONFIG names another.",
    );
    entries(page, [configuration].iter().chain(own).copied());
}

/// The files of hallpass.toml(5), and the variables that it depends on.
pub fn configuration_files(page: &mut Roff) {
    environment(page, "");
    page.control("SH", ["FILES"]);
    entries(
        page,
        [
            (DEFAULT_PATH, "The configuration of all programs."),
            (INSTALLED_SCHEMA, "Its JSON Schema, for editors."),
        ],
    );
}

fn entries(page: &mut Roff, list: impl IntoIterator<Item = (impl AsRef<str>, impl Into<String>)>) {
    for (name, meaning) in list {
        page.control("TP", []);
        page.text([bold(name.as_ref())]);
        page.text([roman(meaning.into())]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_a_list_of_code_and_meaning() {
        for (codes, expected) in [
            ("0 done", &[("0", "done")][..]),
            (
                "0 no problems, but perhaps warnings; 1 problems",
                &[
                    ("0", "no problems, but perhaps warnings"),
                    ("1", "problems"),
                ],
            ),
            (
                "1 denied, 111 unavailable",
                &[("1", "denied"), ("111", "unavailable")],
            ),
        ] {
            let mut page = Roff::new();
            exit_status(&mut page, codes);
            let mut wanted = String::from(".SH \"EXIT STATUS\"\n");
            for (code, meaning) in expected {
                wanted += &format!(".TP\n\\fB{code}\\fR\n{meaning}\n");
            }
            assert!(page.render().ends_with(&wanted), "{}", page.render());
        }
    }

    #[test]
    fn exit_codes_leave_the_description() {
        let command = Command::new("x").long_about("Does it.\n\nExit codes: 0 done, 1\nfailed.");
        let (command, codes) = take_exit_codes(command);
        assert_eq!(codes.as_deref(), Some("0 done, 1 failed"));
        let about = command.get_long_about().map(ToString::to_string);
        assert_eq!(about.as_deref(), Some("Does it."));
    }
}
