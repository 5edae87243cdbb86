//! Checks Prosody: Dovecot's protocol (mod_auth_dovecot), a program (mod_auth_external), or HTTP
//! (mod_auth_http).

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::dialects::PROSODY;
use super::{Line, all, asks, examine, program, read, with_included};

/// The findings for the file at `path`, or `prosody.cfg.lua` in it; none where it does not point
/// here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let main = path.join("prosody.cfg.lua");
    let path = if path.is_dir() { main.as_path() } else { path };
    read(path, &["--"])?;
    let include = |line: &Line| {
        let file = line.text.strip_prefix("Include")?;
        Some(
            file.trim_matches(|it: char| it.is_whitespace() || "()\"'".contains(it))
                .to_owned(),
        )
    };
    let lines = with_included(path, &["--"], &include)?;
    let listen = &configuration.daemon.dovecot_auth;
    let (mut findings, mut ours) = (Vec::new(), false);
    for (index, line) in lines.iter().enumerate() {
        let Some((name, value)) = line.setting() else {
            continue;
        };
        let socket = match name {
            "dovecot_auth_socket" => asks(&format!("unix:{value}"), listen),
            _ => None,
        };
        let words = match name {
            "external_auth_command" => program(value, configuration),
            _ => None,
        };
        let by_http = match name {
            "http_auth_url" => PROSODY.examine_line(line, &lines, configuration),
            _ => None,
        };
        let method = match (&socket, &words) {
            (Some(asked), _) => {
                findings.extend(asked.finding(&line.at(), "dovecot_auth", listen));
                "dovecot"
            }
            (_, Some(words)) => {
                findings.extend(examine(line, words, configuration));
                findings.extend(protocol(line, &lines, words));
                "external"
            }
            _ => match by_http {
                Some(found) => {
                    findings.extend(found);
                    "http"
                }
                None => continue,
            },
        };
        ours = true;
        findings.extend(authentication(line, method, &lines, index));
    }
    Ok(all(path, ours, findings))
}

/// The host that a line stands in: settings before the first `VirtualHost` are for all.
fn host(lines: &[Line], index: usize) -> Option<&str> {
    let before = lines.iter().take(index + 1).rev();
    let named =
        |it: &'_ Line| it.text.starts_with("VirtualHost") || it.text.starts_with("Component");
    before
        .map(|it| (named(it), it))
        .find(|(named, _)| *named)
        .map(|(_, it)| it.text.as_str())
}

/// Whether `authentication` asks by this method where the line counts.
fn authentication(line: &Line, method: &str, lines: &[Line], index: usize) -> Option<Finding> {
    let own = host(lines, index);
    let settings = lines.iter().enumerate().filter_map(|(at, it)| {
        let (name, value) = it.setting()?;
        (name == "authentication").then_some((host(lines, at), value, it))
    });
    let settings: Vec<_> = settings.collect();
    let here = settings.iter().rev().find(|(host, ..)| *host == own);
    let general = settings.iter().rev().find(|(host, ..)| host.is_none());
    let holds = here.or(general);
    if own.is_none() && settings.iter().any(|(_, value, _)| *value == method) {
        return None;
    }
    let fits = holds.is_some_and(|(_, value, _)| *value == method);
    (!fits).then(|| {
        let at = holds.map_or_else(|| line.at(), |(.., it)| it.at());
        Finding::problem(
            "prosody-method",
            at,
            format!("authentication is not \"{method}\" here: hallpassd is never asked"),
            format!("write authentication = \"{method}\""),
        )
    })
}

/// The protocol that Prosody and the program speak.
fn protocol(line: &Line, lines: &[Line], words: &[String]) -> Option<Finding> {
    let settings = lines.iter().filter_map(Line::setting);
    let mut said = settings.filter(|(name, _)| *name == "external_auth_protocol");
    let said = said.next_back();
    let said = said.map_or("generic", |(_, value)| value);
    let generic = words
        .iter()
        .any(|it| it == "generic" || it == "--protocol=generic");
    ((said == "generic") != generic).then(|| {
        Finding::problem(
            "prosody-protocol",
            line.at(),
            format!(
                "external_auth_protocol is {said}, and the program speaks the other: nobody gets in"
            ),
            match said {
                "generic" => "write --protocol generic behind hallpass-ejabberd",
                _ => "take --protocol generic away",
            },
        )
    })
}
