//! Checks Postfix: `smtpd_sasl_path`, by Dovecot's protocol.

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::{Line, all, asks, read};

/// Where relative sockets are, by default.
const QUEUE: &str = "/var/spool/postfix";

/// The findings for `main.cf` at `path`, or in it; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let main = path.join("main.cf");
    let path = if path.is_dir() { main.as_path() } else { path };
    let lines = read(path, &["#"])?;
    let services = read(&path.with_file_name("master.cf"), &["#"]).unwrap_or_default();
    let value = |name: &str| {
        let settings = lines
            .iter()
            .filter_map(|line| Some((line, line.setting()?)));
        let mut found = settings.filter(|(_, (it, _))| *it == name);
        let found = found.next_back();
        found.map(|(line, (_, value))| (line, value))
    };
    let Some((line, named)) = value("smtpd_sasl_path") else {
        return Ok(Vec::new());
    };
    let queue = value("queue_directory").map_or(QUEUE, |(_, value)| value);
    let socket = match named.starts_with('/') {
        true => named.to_owned(),
        false => format!("{queue}/{named}"),
    };
    let listen = &configuration.daemon.dovecot_auth;
    let Some(asked) = asks(&format!("unix:{socket}"), listen) else {
        return Ok(Vec::new());
    };
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(asked.finding(&line.at(), "dovecot_auth", listen));
    let is = |name: &str, wanted: &str| value(name).is_some_and(|(_, value)| value == wanted);
    let mut problem = |seen: &str, mend: &str| {
        findings.push(Finding::problem("postfix-sasl", line.at(), seen, mend));
    };
    if !is("smtpd_sasl_type", "dovecot") {
        problem(
            "smtpd_sasl_type is not dovecot: Postfix asks Cyrus SASL, and nobody gets in",
            "write smtpd_sasl_type = dovecot",
        );
    }
    let enabled = |it: &Line| {
        it.text
            .replace(' ', "")
            .contains("smtpd_sasl_auth_enable=yes")
    };
    if !is("smtpd_sasl_auth_enable", "yes") && !services.iter().any(enabled) {
        problem(
            "smtpd_sasl_auth_enable is not yes: nobody can log in",
            "write smtpd_sasl_auth_enable = yes",
        );
    }
    // What `-` means (postconf(5), compatibility_level): y before 3.0, and with its compatibility.
    let level = value("compatibility_level").map_or("0", |(_, level)| level);
    let usual = level.split('.').next().and_then(|it| it.parse().ok());
    let usual = usual.is_none_or(|level: u32| level < 1);
    let is_closed_in = |it: &Line| is_closed_in(it, usual);
    if named.starts_with('/') && !below(&socket, queue) && services.iter().any(is_closed_in) {
        problem(
            "smtpd is closed into its queue directory (master.cf), from where it does not see this \
             socket: nobody gets in",
            "let hallpassd listen below /var/spool/postfix/private, as docs/sasl.md has it",
        );
    }
    let secure = is("smtpd_tls_auth_only", "yes")
        || services.iter().any(|it| {
            it.text
                .replace(' ', "")
                .contains("smtpd_tls_security_level=encrypt")
        });
    if !secure {
        findings.push(Finding::warning(
            "postfix-sasl",
            line.at(),
            "smtpd_tls_auth_only is not yes: passwords may cross the network in clear",
            "write smtpd_tls_auth_only = yes",
        ));
    }
    Ok(all(path, true, findings))
}

/// Whether `socket` is a file in the directory `queue`, or below.
fn below(socket: &str, queue: &str) -> bool {
    Path::new(socket).starts_with(queue)
}

/// Whether a line of master.cf runs smtpd in a chroot: its fifth word, for which `-` stands where it
/// is `usual`.
fn is_closed_in(line: &Line, usual: bool) -> bool {
    let words = line.words();
    let is_smtpd = words.get(7) == Some(&"smtpd");
    let chroot = words.get(4).copied();
    let is_service = matches!(words.get(1), Some(&("inet" | "pass" | "unix" | "fifo")));
    is_service && is_smtpd && (chroot == Some("y") || (chroot == Some("-") && usual))
}
