//! Checks programs that ask `hallpassd` by HTTP in a form of their own, at `/as/DIALECT`: where they
//! ask, what for, and with which token.

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::configuration::DialectToken;
use hallpass_core::doctor::Finding;

use super::dialect_urls::Url;
use super::{Asked, Line, all, conditions_of_query, lines};

/// A program.
pub struct Program {
    /// Its name in messages, and that of its dialect.
    name: &'static str,
    dialect: &'static str,
    comments: &'static [&'static str],
    /// Settings that have to be there where one of them is, each with what the program does without.
    needed: &'static [(&'static str, &'static str)],
}

const RABBITMQ: Program = Program {
    name: "RabbitMQ",
    dialect: "rabbitmq",
    comments: &["#", "%"],
    needed: &[
        ("auth_http.user_path", RABBITMQ_DEFAULT),
        ("auth_http.vhost_path", RABBITMQ_DEFAULT),
        ("auth_http.resource_path", RABBITMQ_DEFAULT),
        ("auth_http.topic_path", RABBITMQ_DEFAULT),
    ],
};
/// From `rabbitmq_auth_backend_http.app` of 3.10.
const RABBITMQ_DEFAULT: &str = "RabbitMQ asks at http://localhost:8000/auth, and refuses";

const MOSQUITTO: Program = Program {
    name: "mosquitto-go-auth",
    dialect: "mosquitto-go-auth",
    comments: &["#"],
    needed: &[
        ("auth_opt_http_getuser_uri", MOSQUITTO_MISSING),
        ("auth_opt_http_superuser_uri", MOSQUITTO_MISSING),
        ("auth_opt_http_aclcheck_uri", MOSQUITTO_MISSING),
    ],
};
const MOSQUITTO_MISSING: &str = "the plug-in does not start its back end http";

const EMQX: Program = plain("EMQX", "emqx");
const VERNEMQ: Program = plain("VerneMQ", "vernemq");
const FREERADIUS: Program = plain("FreeRADIUS", "freeradius");
const SYNAPSE: Program = plain("Synapse", "synapse");
const CENTRIFUGO: Program = plain("Centrifugo", "centrifugo");
pub const PROSODY: Program = plain("Prosody", "prosody");

const fn plain(name: &'static str, dialect: &'static str) -> Program {
    Program {
        name,
        dialect,
        comments: &["#"],
        needed: &[],
    }
}

/// What the check of a server finds.
type Found = Result<Vec<Finding>, String>;

pub fn rabbitmq(path: &Path, configuration: &Configuration) -> Found {
    let lines = lines(path, RABBITMQ.comments)?;
    // With permissions of its own, RabbitMQ asks about passwords alone.
    let has_own = lines.iter().filter_map(Line::setting).any(|(key, value)| {
        key.starts_with("auth_backends.") && key.ends_with(".authz") && !is_http_backend(value)
    });
    let program = match has_own {
        true => Program {
            needed: &[("auth_http.user_path", RABBITMQ_DEFAULT)],
            ..RABBITMQ
        },
        false => RABBITMQ,
    };
    let mut found = program.examine(&lines, configuration);
    if let Some(findings) = &mut found {
        findings.extend(rabbitmq_settings(&lines, path));
    }
    Ok(all(path, found.is_some(), found.unwrap_or_default()))
}

pub fn mosquitto(path: &Path, configuration: &Configuration) -> Found {
    let lines = lines(path, MOSQUITTO.comments)?;
    let value = |name: &str| {
        let mut named = lines.iter().rev().filter_map(|it| key_and_value(it));
        named.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    // The plug-in makes addresses of their parts.
    let scheme = match value("auth_opt_http_with_tls") {
        Some("true") => "https",
        _ => "http",
    };
    let host = value("auth_opt_http_host").unwrap_or("localhost");
    let port = value("auth_opt_http_port").map_or_else(String::new, |it| format!(":{it}"));
    let with_addresses: Vec<Line> = lines
        .iter()
        .map(|line| match key_and_value(line) {
            Some((key, path)) if key.starts_with("auth_opt_http_") && key.ends_with("_uri") => {
                Line {
                    text: format!("{key} {scheme}://{host}{port}{path}"),
                    ..line.clone()
                }
            }
            _ => line.clone(),
        })
        .collect();
    let mut found = MOSQUITTO.examine(&with_addresses, configuration);
    if let Some(findings) = &mut found {
        let names = |key: &str, word: &str| value(key).is_some_and(|it| it.contains(word));
        if !names("auth_opt_backends", "http") {
            findings.push(Finding::problem(
                "dialect-backend",
                format!("read {}", path.display()),
                "auth_opt_backends does not name http: hallpassd is never asked",
                "write auth_opt_backends http",
            ));
        }
        if names("auth_opt_http_response_mode", "text") {
            findings.push(Finding::problem(
                "dialect-answer",
                format!("read {}", path.display()),
                "auth_opt_http_response_mode is text: the plug-in takes no answer of hallpassd for yes",
                "write auth_opt_http_response_mode status",
            ));
        }
    }
    Ok(all(path, found.is_some(), found.unwrap_or_default()))
}

pub fn emqx(path: &Path, configuration: &Configuration) -> Found {
    EMQX.look(path, configuration)
}

pub fn vernemq(path: &Path, configuration: &Configuration) -> Found {
    VERNEMQ.look(path, configuration)
}

pub fn freeradius(path: &Path, configuration: &Configuration) -> Found {
    let lines = lines(path, FREERADIUS.comments)?;
    // The only variable of the module's own example.
    let base = lines.iter().find_map(|it| match it.setting() {
        Some(("connect_uri", value)) => Some(value.trim_end_matches('/').to_owned()),
        _ => None,
    });
    let expanded: Vec<Line> = lines
        .iter()
        .map(|line| Line {
            text: match &base {
                Some(base) => line.text.replace("${..connect_uri}", base),
                None => line.text.clone(),
            },
            ..line.clone()
        })
        .collect();
    let found = FREERADIUS.examine(&expanded, configuration);
    Ok(all(path, found.is_some(), found.unwrap_or_default()))
}

pub fn synapse(path: &Path, configuration: &Configuration) -> Found {
    SYNAPSE.look(path, configuration)
}

pub fn centrifugo(path: &Path, configuration: &Configuration) -> Found {
    CENTRIFUGO.look(path, configuration)
}

impl Program {
    fn look(&self, path: &Path, configuration: &Configuration) -> Found {
        let lines = lines(path, self.comments)?;
        let found = self.examine(&lines, configuration);
        Ok(all(path, found.is_some(), found.unwrap_or_default()))
    }

    /// The findings for `lines`; `None` where none of them points here.
    fn examine(&self, lines: &[Line], configuration: &Configuration) -> Option<Vec<Finding>> {
        let mut findings = Vec::new();
        let mut ours = false;
        for line in lines {
            if let Some(found) = self.examine_line(line, lines, configuration) {
                ours = true;
                findings.extend(found);
            }
        }
        if !ours {
            return None;
        }
        let keys: Vec<&str> = lines
            .iter()
            .filter_map(|it| Some(key_and_value(it)?.0))
            .collect();
        for (key, consequence) in self.needed {
            if !keys.contains(key) {
                let file = lines.first().map(|it| it.file.display().to_string());
                findings.push(Finding::problem(
                    "dialect-setting",
                    format!("read {}", file.unwrap_or_default()),
                    format!("{key} is missing: {consequence}"),
                    format!("write all of {}", self.keys()),
                ));
                break;
            }
        }
        Some(findings)
    }

    fn keys(&self) -> String {
        let keys: Vec<&str> = self.needed.iter().map(|(key, _)| *key).collect();
        keys.join(", ")
    }

    /// The findings for a line; `None` where it does not ask here. `lines` are those in whose file
    /// the token may stand elsewhere.
    pub fn examine_line(
        &self,
        line: &Line,
        lines: &[Line],
        configuration: &Configuration,
    ) -> Option<Vec<Finding>> {
        let mut listeners = configuration.daemon.dialects.clone();
        listeners.extend(configuration.daemon.listen.iter().cloned());
        let mut findings = None;
        for url in Url::all_in(&line.text) {
            let Some(place) = url.place(configuration) else {
                continue;
            };
            if !url.address.is_at(&listeners) {
                // Another daemon's.
                if url.address.is_served() {
                    continue;
                }
                let found = Asked::Nowhere.finding(&line.at(), "dialects", &listeners);
                findings.get_or_insert_with(Vec::new).extend(found);
                continue;
            }
            let found = self.examine_url(&url, place, line, lines, configuration);
            findings.get_or_insert_with(Vec::new).extend(found);
        }
        findings
    }

    fn examine_url(
        &self,
        url: &Url<'_>,
        place: &str,
        line: &Line,
        lines: &[Line],
        configuration: &Configuration,
    ) -> Vec<Finding> {
        let at = line.at();
        let mut findings = Vec::new();
        if url.is_tls {
            findings.push(Finding::problem(
                "dialect-tls",
                &*at,
                "hallpassd does not speak TLS there: no request arrives, and nobody gets in",
                "write http://, and let hallpassd listen on loopback alone",
            ));
        }
        // Some programs add the rest of the path.
        let is_base = place.trim_end_matches('/') == self.dialect;
        match hallpassd::dialect(place) {
            Some(dialect) if dialect == self.dialect => {}
            None if is_base => {}
            Some(other) => findings.push(Finding::problem(
                "dialect-answer",
                &*at,
                format!(
                    "the answers there are {other}'s, which {} does not understand",
                    self.name
                ),
                format!("ask at /as/{}", self.dialect),
            )),
            None => findings.push(Finding::problem(
                "host-question",
                &*at,
                format!("hallpassd has no /as/{place}: it answers 404, and nobody gets in"),
                "docs/dialects.md has the paths; they are exact",
            )),
        }
        findings.extend(conditions_of_query(url.query, &at, configuration));
        if let (Some(token), true) = (&configuration.daemon.dialect_token, url.is_tcp()) {
            findings.extend(missing_token(url, token, line, lines));
        }
        findings
    }
}

/// Whether `value` names RabbitMQ's back end that asks by HTTP.
fn is_http_backend(value: &str) -> bool {
    ["http", "rabbit_auth_backend_http"].contains(&value)
}

/// Whether RabbitMQ asks its HTTP back end, and how.
fn rabbitmq_settings(lines: &[Line], path: &Path) -> Vec<Finding> {
    let tried = format!("read {}", path.display());
    let settings = || lines.iter().filter_map(Line::setting);
    let mut findings = Vec::new();
    let is_asked = |(key, value): (&str, &str)| {
        let is_backend = key.starts_with("auth_backends.") && !key.ends_with(".authz");
        (is_backend || key == "auth_cache.cached_backend") && is_http_backend(value)
    };
    if !settings().any(is_asked) {
        findings.push(Finding::problem(
            "dialect-backend",
            &*tried,
            "no auth_backends names http: hallpassd is never asked",
            "write auth_backends.1 = http",
        ));
    }
    let mut method = settings().filter(|(key, _)| *key == "auth_http.http_method");
    if method.next_back().is_none_or(|(_, value)| value != "post") {
        findings.push(Finding::warning(
            "dialect-method",
            tried,
            "auth_http.http_method is not post: passwords are in URLs, and conditions are lost",
            "write auth_http.http_method = post",
        ));
    }
    findings
}

/// The finding for a URL over TCP that shows no token, or another.
fn missing_token(
    url: &Url<'_>,
    token: &DialectToken,
    line: &Line,
    lines: &[Line],
) -> Option<Finding> {
    let seen = match url.secret {
        Some(secret) if token.is(secret.as_bytes()) => return None,
        // A variable of the program's own.
        Some(secret) if secret.contains('$') => return None,
        Some(_) => "it shows another token than daemon.dialect_token",
        None if shown_elsewhere(token, line, lines) => return None,
        None => "it shows no token",
    };
    Some(Finding::problem(
        "dialect-token",
        line.at(),
        format!("{seen}: hallpassd answers 401, and nobody gets in"),
        "write http://hallpass:TOKEN@…, or the token where the program sends it as Bearer",
    ))
}

/// Whether a header of the same file has the token, or may have it.
fn shown_elsewhere(token: &DialectToken, line: &Line, lines: &[Line]) -> bool {
    let of_file = lines.iter().filter(|it| it.file == line.file);
    of_file.into_iter().any(|it| {
        let parts = it.text.split(|it: char| !is_of_token(it));
        let mut words = parts.filter(|word| !word.is_empty());
        let is_variable =
            it.text.to_ascii_lowercase().contains("authorization") && it.text.contains('$');
        is_variable || words.any(|word| token.is(word.as_bytes()))
    })
}

/// Of those that end no token in quotes, headers and `name:TOKEN`.
fn is_of_token(it: char) -> bool {
    it.is_ascii_alphanumeric() || "-._~+/=".contains(it)
}

/// The key and the value of a line, with or without `=` between them.
fn key_and_value(line: &Line) -> Option<(&str, &str)> {
    line.setting()
        .filter(|(key, _)| !key.contains(' '))
        .or_else(|| {
            let (key, value) = line.text.split_once(char::is_whitespace)?;
            Some((key, value.trim()))
        })
}
