//! Checks ejabberd.yml (18.06 and later; the options of ejabberd_options.erl).

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::command::Command;
use super::directives::at;
use super::yaml::{self, Setting};

/// More processes than this compete for database connections.
const MANY: u32 = 64;

struct File<'a> {
    path: &'a Path,
    settings: Vec<Setting>,
}

/// The findings for the file at `path`; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let file = File {
        path,
        settings: yaml::read(&text)?,
    };
    let programs: Vec<&Setting> = file.named("extauth_program").collect();
    if !programs
        .iter()
        .any(|program| program.value.contains("hallpass"))
    {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    for program in programs.iter().filter(|it| it.value.contains("hallpass")) {
        findings.extend(file.program(program, configuration));
    }
    findings.extend(file.methods());
    findings.extend(file.cache());
    findings.extend(file.pool());
    findings.extend(file.old_names());
    findings.extend(file.domains(configuration));
    if findings.is_empty() {
        findings.push(Finding::ok("host", "read ejabberd.yml", "it fits"));
    }
    Ok(findings)
}

impl File<'_> {
    /// All settings called `name`: the server's, and those of single hosts.
    fn named(&self, name: &str) -> impl Iterator<Item = &Setting> {
        self.settings.iter().filter(move |setting| {
            match setting
                .path
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .as_slice()
            {
                [key, rest @ ..] if *key == name => rest.len() <= 1,
                ["host_config" | "append_host_config", _, key, rest @ ..] => {
                    *key == name && rest.len() <= 1
                }
                _ => false,
            }
        })
    }

    fn at(&self, setting: &Setting) -> String {
        at(self.path, setting.line)
    }

    /// The command, which `/bin/sh -c "exec …"` runs.
    fn program(&self, program: &Setting, configuration: &Configuration) -> Vec<Finding> {
        let check = "ejabberd-program";
        let at = self.at(program);
        let Some(words) = shlex::split(&program.value) else {
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

    fn methods(&self) -> Option<Finding> {
        let methods: Vec<&Setting> = self.named("auth_method").collect();
        let external = methods.iter().find(|method| method.value == "external");
        let Some(external) = external else {
            let at = methods.first().map_or_else(
                || format!("read {}", self.path.display()),
                |method| self.at(method),
            );
            return Some(Finding::problem(
                "ejabberd-method",
                at,
                "auth_method has no external: the program is never asked",
                "write auth_method: [external]",
            ));
        };
        (methods.len() > 1 && methods.iter().any(|method| method.value != "external")).then(|| {
            let others = methods.iter().filter(|method| method.value != "external");
            let others: Vec<&str> = others.map(|method| method.value.as_str()).collect();
            Finding::warning(
                "ejabberd-method",
                self.at(external),
                format!(
                    "{} lets people in as well, whatever the site says",
                    others.join(", ")
                ),
                "write auth_method: [external]",
            )
        })
    }

    fn cache(&self) -> Option<Finding> {
        let own: Option<&Setting> = self.named("auth_use_cache").last();
        let general = || self.named("use_cache").last();
        let setting = own.or_else(general);
        let off = setting.is_some_and(|it| matches!(&*it.value, "false" | "False" | "FALSE"));
        (!off).then(|| {
            let at = setting.map_or_else(
                || format!("read {}", self.path.display()),
                |setting| self.at(setting),
            );
            Finding::problem(
                "ejabberd-cache",
                at,
                "auth_use_cache is on: for an hour, a changed password is refused, the old one and \
                 deactivated users get in, and a session is good for one login",
                "write auth_use_cache: false",
            )
        })
    }

    fn pool(&self) -> Option<Finding> {
        let pool = self.named("extauth_pool_size").last()?;
        let size: u32 = pool.value.parse().ok()?;
        let (seen, mend) = match size {
            1 => (
                "extauth_pool_size is 1: every login waits for the one before it",
                "write as many as the machine has processors",
            ),
            MANY.. => (
                "extauth_pool_size is so large that the processes keep each other from the \
                 database and the processors",
                "write as many as the machine has processors",
            ),
            _ => return None,
        };
        Some(Finding::warning("ejabberd-pool", self.at(pool), seen, mend))
    }

    /// Options that ejabberd has renamed, or dropped without a visible warning.
    fn old_names(&self) -> Vec<Finding> {
        let renamed = [
            ("extauth_instances", "write extauth_pool_size in its place"),
            ("extauth_cache", "write auth_use_cache: false in its place"),
        ];
        let findings = renamed.into_iter().flat_map(|(name, mend)| {
            self.named(name).map(move |setting| {
                let seen = format!("this ejabberd does not know {name}");
                Finding::warning("ejabberd-old-option", self.at(setting), seen, mend)
            })
        });
        findings.collect()
    }

    fn domains(&self, configuration: &Configuration) -> Vec<Finding> {
        let domains = &configuration.ejabberd.domains;
        let hosts = self.settings.iter().filter(|setting| {
            setting.path.first().is_some_and(|key| key == "hosts") && setting.path.len() == 2
        });
        let others = hosts.filter(|host| {
            !domains.is_empty()
                && !domains
                    .iter()
                    .any(|domain| domain.eq_ignore_ascii_case(&host.value))
        });
        others
            .map(|host| {
                Finding::problem(
                    "ejabberd-domains",
                    self.at(host),
                    format!(
                        "{} is not one of [ejabberd] domains: every login there fails",
                        host.value
                    ),
                    format!("add \"{}\" to [ejabberd] domains", host.value),
                )
            })
            .collect()
    }
}
