//! Checks ejabberd.yml (18.06 and later; the options of ejabberd_options.erl), for each of its hosts.

mod options;

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::configuration::EjabberdAccepted;
use hallpass_core::doctor::Finding;

use self::options::{Options, Value};
use super::command::Command;
use super::directives::at;

/// More processes than this compete for database connections.
const MANY: u32 = 64;

/// For how many seconds after the end of its session a client without a resource is looked for.
const LATE_BIND: u64 = 20;
/// `negotiation_timeout` by default, in seconds.
const NEGOTIATION: u64 = 120;

/// The options that are looked at, and whether each is a list.
const OPTIONS: [(&str, bool); 6] = [
    ("auth_method", true),
    ("auth_use_cache", false),
    ("use_cache", false),
    ("extauth_program", false),
    ("extauth_pool_size", false),
    ("disable_sasl_mechanisms", true),
];

/// The words of a switch that is off, and of one that is on. ejabberd knows no others.
const OFF: [&str; 4] = ["false", "off", "no", "n"];
const ON: [&str; 4] = ["true", "on", "yes", "y"];

struct File<'a> {
    path: &'a Path,
    options: Options,
}

/// The findings for the file at `path`; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let file = File {
        path,
        options: Options::read(path)?,
    };
    let is_ours = |program: &&Value| program.text.contains("hallpass");
    if !file.options.all("extauth_program").any(|it| is_ours(&it)) {
        return Ok(Vec::new());
    }
    // What it does not start with says nothing of how it would run.
    let mut findings = file.refused();
    if findings.is_empty() {
        for program in file.options.all("extauth_program").filter(is_ours) {
            findings.extend(file.program(program, configuration));
        }
        findings.extend(file.methods(configuration));
        findings.extend(file.caches());
        findings.extend(file.pools(configuration));
        findings.extend(file.negotiation(configuration));
        findings.extend(file.mechanisms());
        findings.extend(file.domains(configuration));
    }
    findings.extend(file.old_names());
    findings.extend(file.missing());
    findings.dedup_by(|one, other| (one.check, &one.tried) == (other.check, &other.tried));
    if findings.is_empty() {
        findings.push(Finding::ok("host", "read ejabberd.yml", "it fits"));
    }
    Ok(findings)
}

impl File<'_> {
    fn at(&self, value: Option<&Value>) -> String {
        value.map_or_else(
            || format!("read {}", self.path.display()),
            |value| at(&value.file, value.line),
        )
    }

    /// The hosts that ask Hallpass.
    fn ours(&self) -> impl Iterator<Item = &Value> {
        let hosts = self.options.hosts.iter();
        hosts.filter(|host| self.asks_us(&host.text) && self.is_external(&host.text))
    }

    /// Whether the program of `host` is Hallpass's.
    fn asks_us(&self, host: &str) -> bool {
        let programs = self.options.for_host(host, "extauth_program");
        programs.iter().any(|it| it.text.contains("hallpass"))
    }

    fn is_external(&self, host: &str) -> bool {
        let methods = self.options.for_host(host, "auth_method");
        methods.iter().any(|it| it.text == "external")
    }

    /// Options with which ejabberd does not start.
    fn refused(&self) -> Vec<Finding> {
        let refused = |(key, is_list): (&'static str, bool)| {
            let (value, why) = self.options.refused(key, is_list)?;
            Some(Finding::problem(
                "ejabberd-option",
                self.at(Some(value)),
                format!("{key}: {why}, and ejabberd does not start"),
                format!("write {key} once, or in host_config for a host of its own"),
            ))
        };
        let switches = ["auth_use_cache", "use_cache"]
            .into_iter()
            .filter_map(|key| {
                let known = |it: &&Value| OFF.contains(&&*it.text) || ON.contains(&&*it.text);
                let value = self.options.all(key).find(|it| !known(it))?;
                Some(Finding::problem(
                    "ejabberd-option",
                    self.at(Some(value)),
                    format!("{key} is neither true nor false, and ejabberd does not start"),
                    "write auth_use_cache: false",
                ))
            });
        let mut findings: Vec<Finding> = OPTIONS.into_iter().filter_map(refused).collect();
        findings.extend(switches);
        findings
    }

    /// Included files that are not where they are looked for.
    fn missing(&self) -> Vec<Finding> {
        let missing = self.options.missing.iter();
        let finding = |value: &Value| {
            Finding::warning(
                "ejabberd-include",
                self.at(Some(value)),
                format!(
                    "{} is not read: there is no such file beside ejabberd.yml",
                    value.text
                ),
                "name it by its absolute path; ejabberd looks for it in its own working directory",
            )
        };
        missing.map(finding).collect()
    }

    /// The command, which `/bin/sh -c "exec …"` runs.
    fn program(&self, program: &Value, configuration: &Configuration) -> Vec<Finding> {
        let check = "ejabberd-program";
        let at = self.at(Some(program));
        let Some(words) = shlex::split(&program.text) else {
            return vec![Finding::problem(
                check,
                at,
                "a quote in extauth_program does not end: the shell cannot run it",
                "put quotes around whole words, inside those of YAML",
            )];
        };
        let others = ["apache", "checkpassword", "pam", "squid"];
        let is_other = |it: &String| {
            others
                .iter()
                .any(|other| it.ends_with(&format!("hallpass-{other}")))
        };
        if words.first().is_some_and(is_other) {
            return vec![Finding::problem(
                check,
                at,
                format!("{} does not speak ejabberd's protocol", words.join(" ")),
                "write /usr/bin/hallpass-ejabberd",
            )];
        }
        let command = Command {
            check,
            at,
            words: &words,
        };
        command.examine(configuration)
    }

    /// Whether each host that should ask Hallpass does, and asks nothing else.
    fn methods(&self, configuration: &Configuration) -> Vec<Finding> {
        let domains = &configuration.ejabberd.domains;
        let wanted = |host: &str| domains.iter().any(|it| it.eq_ignore_ascii_case(host));
        let any_is_external = self
            .options
            .hosts
            .iter()
            .any(|it| self.is_external(&it.text));
        let global = self.options.global("auth_method");
        let global_is_external = global.iter().any(|it| it.text == "external");
        if !any_is_external {
            let at = self.at(self.options.all("auth_method").next());
            return vec![Finding::problem(
                "ejabberd-method",
                at,
                "auth_method has no external: the program is never asked",
                "write auth_method: [external]",
            )];
        }
        let mut findings = Vec::new();
        for host in &self.options.hosts {
            let name = &host.text;
            let methods = self.options.for_host(name, "auth_method");
            if !self.asks_us(name) {
                continue;
            }
            if !self.is_external(name) {
                // Where domains say nothing of it, a host that overrides what all others have is one
                // that is to be like them.
                let is_fault = match domains.is_empty() {
                    true => global_is_external,
                    false => wanted(name),
                };
                if is_fault {
                    findings.push(Finding::problem(
                        "ejabberd-method",
                        self.at(methods.first().copied()),
                        format!(
                            "{name} has no external in its auth_method: the program is never asked, \
                             and no account of the site gets in there"
                        ),
                        format!(
                            "take auth_method away in the host_config of {name}, or list the other \
                             hosts in [ejabberd] domains"
                        ),
                    ));
                }
                continue;
            }
            let others: Vec<&Value> = methods
                .into_iter()
                .filter(|it| it.text != "external")
                .collect();
            if let Some(first) = others.first() {
                let names: Vec<&str> = others.iter().map(|it| it.text.as_str()).collect();
                let s = if names.len() == 1 { "s" } else { "" };
                findings.push(Finding::warning(
                    "ejabberd-method",
                    self.at(Some(first)),
                    format!(
                        "{} let{s} people in as well, whatever the site says",
                        names.join(", ")
                    ),
                    "write auth_method: [external]",
                ));
            }
        }
        findings
    }

    /// Whether ejabberd caches what Hallpass answers: by the option of the host or of the server for
    /// authentication, and only then by those for everything.
    fn caches(&self) -> Vec<Finding> {
        let hosts: Vec<&Value> = self.ours().collect();
        let of = |host: &str| {
            let own = self.options.for_host(host, "auth_use_cache").pop();
            own.or_else(|| self.options.for_host(host, "use_cache").pop())
        };
        let on = |host: &&&Value| !of(&host.text).is_some_and(|it| OFF.contains(&&*it.text));
        let cached: Vec<&&Value> = hosts.iter().filter(on).collect();
        let finding = |host: &&Value| {
            let place = of(&host.text);
            let whose: Vec<&str> = cached
                .iter()
                .filter(|other| of(&other.text) == place)
                .map(|other| other.text.as_str())
                .collect();
            let of_some = match whose.len() == hosts.len() {
                true => String::new(),
                false => format!(" for {}", whose.join(", ")),
            };
            Finding::problem(
                "ejabberd-cache",
                self.at(place),
                format!(
                    "auth_use_cache is on{of_some}: for an hour, a changed password is refused, the \
                     old one and deactivated users get in, and a session is good for one login"
                ),
                "write auth_use_cache: false",
            )
        };
        cached.iter().map(|host| finding(host)).collect()
    }

    fn pools(&self, configuration: &Configuration) -> Vec<Finding> {
        let ejabberd = &configuration.ejabberd;
        // Nothing is computed, and one process is to know of every login.
        let knows_all =
            ejabberd.kick.is_some() && !ejabberd.accept.contains(&EjabberdAccepted::Password);
        let pool = |host: &Value| {
            let pool = self
                .options
                .for_host(&host.text, "extauth_pool_size")
                .pop()?;
            let seen = match pool.text.parse::<u32>().ok()? {
                1 if knows_all => return None,
                1 => "extauth_pool_size is 1: every login waits for the one before it",
                MANY.. => {
                    "extauth_pool_size is so large that the processes keep each other from the \
                     database and the processors"
                }
                _ => return None,
            };
            let mend = "write as many as the machine has processors";
            Some(Finding::warning(
                "ejabberd-pool",
                self.at(Some(pool)),
                seen,
                mend,
            ))
        };
        self.ours().filter_map(pool).collect()
    }

    /// Clients that may be without a resource for longer than they are looked for.
    fn negotiation(&self, configuration: &Configuration) -> Option<Finding> {
        configuration.ejabberd.kick.as_ref()?;
        let given = self.options.global("negotiation_timeout").pop();
        let longest = given.map_or(Some(NEGOTIATION), |it| seconds(&it.text))?;
        (longest > LATE_BIND).then(|| {
            let seen = format!(
                "a client may be logged in without a resource for {longest} seconds, and [ejabberd] kick \
                 finds it for {LATE_BIND} seconds after its session has ended"
            );
            let mend = "write negotiation_timeout: 15 seconds";
            Finding::warning("ejabberd-kick", self.at(given), seen, mend)
        })
    }

    /// A program can be asked about a password alone, which is the mechanism PLAIN: the others are
    /// computed from passwords that ejabberd would have to know.
    fn mechanisms(&self) -> Vec<Finding> {
        let disabled = |host: &Value| {
            let values = self.options.for_host(&host.text, "disable_sasl_mechanisms");
            let mut values = values.into_iter();
            let plain = values.find(|it| it.text.eq_ignore_ascii_case("plain"))?;
            Some(Finding::problem(
                "ejabberd-mechanism",
                self.at(Some(plain)),
                format!(
                    "{} has no mechanism PLAIN, the only one by which external asks about a \
                     password: nobody logs in",
                    host.text
                ),
                "take PLAIN out of disable_sasl_mechanisms, and write starttls_required: true for \
                 ejabberd_c2s",
            ))
        };
        self.ours().filter_map(disabled).collect()
    }

    /// Options that ejabberd has renamed, or dropped without a visible warning.
    fn old_names(&self) -> Vec<Finding> {
        let renamed = [
            ("extauth_instances", "write extauth_pool_size in its place"),
            ("extauth_cache", "write auth_use_cache: false in its place"),
        ];
        let findings = renamed.into_iter().flat_map(|(name, mend)| {
            self.options.all(name).map(move |value| {
                let seen = format!("this ejabberd does not know {name}");
                Finding::warning("ejabberd-old-option", self.at(Some(value)), seen, mend)
            })
        });
        findings.collect()
    }

    fn domains(&self, configuration: &Configuration) -> Vec<Finding> {
        let domains = &configuration.ejabberd.domains;
        let is_known = |host: &str| {
            domains
                .iter()
                .any(|domain| domain.eq_ignore_ascii_case(host))
        };
        let others = self
            .ours()
            .filter(|host| !domains.is_empty() && !is_known(&host.text));
        let finding = |host: &Value| {
            Finding::problem(
                "ejabberd-domains",
                self.at(Some(host)),
                format!(
                    "{} is not one of [ejabberd] domains: every login there fails",
                    host.text
                ),
                format!("add \"{}\" to [ejabberd] domains", host.text),
            )
        };
        others.map(finding).collect()
    }
}

/// A time of ejabberd's in seconds, which a number alone is; `None` for what it does not know.
fn seconds(text: &str) -> Option<u64> {
    let end = text.find(|it: char| !it.is_ascii_digit());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let number: u64 = number.parse().ok()?;
    match unit.trim() {
        "" | "s" | "sec" | "second" | "seconds" => Some(number),
        "ms" | "millisecond" | "milliseconds" => Some(number / 1000),
        "m" | "min" | "minute" | "minutes" => number.checked_mul(60),
        "h" | "hour" | "hours" => number.checked_mul(3600),
        "d" | "day" | "days" => number.checked_mul(86400),
        _ => None,
    }
}
