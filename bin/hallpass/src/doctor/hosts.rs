//! Finds the servers on this machine, and checks whether their configuration points here.

use std::path::{Path, PathBuf};

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::{apache, caddy, ejabberd, nginx, others};
use crate::options::{DoctorOptions, HostKind};

/// A known server: how to check it, and where systems keep its configuration.
struct Host {
    kind: HostKind,
    name: &'static str,
    /// The page of docs/ about its configuration.
    page: &'static str,
    places: &'static [&'static str],
    look: fn(&Path, &Configuration) -> Result<Vec<Finding>, String>,
}

const HOSTS: [Host; 21] = [
    Host {
        kind: HostKind::Ejabberd,
        name: "ejabberd",
        page: "ejabberd",
        places: &[
            "/etc/ejabberd/ejabberd.yml",
            "/opt/ejabberd/conf/ejabberd.yml",
            "/usr/local/etc/ejabberd/ejabberd.yml",
        ],
        look: ejabberd::look,
    },
    Host {
        kind: HostKind::Apache,
        name: "Apache",
        page: "apache",
        places: &["/etc/apache2/apache2.conf", "/etc/httpd/conf/httpd.conf"],
        look: apache::look,
    },
    Host {
        kind: HostKind::Nginx,
        name: "nginx",
        page: "http",
        places: &["/etc/nginx/nginx.conf", "/usr/local/nginx/conf/nginx.conf"],
        look: nginx::look,
    },
    Host {
        kind: HostKind::Caddy,
        name: "Caddy",
        page: "http",
        places: &["/etc/caddy/Caddyfile"],
        look: caddy::look,
    },
    Host {
        kind: HostKind::Dovecot,
        name: "Dovecot",
        page: "checkpassword",
        places: &["/etc/dovecot"],
        look: others::dovecot,
    },
    Host {
        kind: HostKind::Exim,
        name: "Exim",
        page: "sasl",
        places: &["/etc/exim4", "/etc/exim"],
        look: others::exim,
    },
    Host {
        kind: HostKind::Haproxy,
        name: "HAProxy",
        page: "http",
        places: &["/etc/haproxy/haproxy.cfg"],
        look: others::haproxy,
    },
    Host {
        kind: HostKind::Lighttpd,
        name: "lighttpd",
        page: "fastcgi",
        places: &["/etc/lighttpd"],
        look: others::lighttpd,
    },
    Host {
        kind: HostKind::Pam,
        name: "PAM",
        page: "pam",
        places: &["/etc/pam.d"],
        look: others::pam,
    },
    Host {
        kind: HostKind::Postfix,
        name: "Postfix",
        page: "sasl",
        places: &["/etc/postfix"],
        look: others::postfix,
    },
    Host {
        kind: HostKind::Prosody,
        name: "Prosody",
        page: "sasl",
        places: &["/etc/prosody"],
        look: others::prosody,
    },
    Host {
        kind: HostKind::Saslauthd,
        name: "Cyrus SASL",
        page: "sasl",
        places: &["/etc/sasl2", "/etc/postfix/sasl"],
        look: others::saslauthd,
    },
    Host {
        kind: HostKind::Squid,
        name: "Squid",
        page: "squid",
        places: &["/etc/squid"],
        look: others::squid,
    },
    Host {
        kind: HostKind::Traefik,
        name: "Traefik",
        page: "http",
        places: &["/etc/traefik"],
        look: others::traefik,
    },
    Host {
        kind: HostKind::Centrifugo,
        name: "Centrifugo",
        page: "dialects",
        places: &["/etc/centrifugo"],
        look: others::centrifugo,
    },
    Host {
        kind: HostKind::Emqx,
        name: "EMQX",
        page: "dialects",
        places: &["/etc/emqx/emqx.conf", "/opt/emqx/etc/emqx.conf"],
        look: others::emqx,
    },
    Host {
        kind: HostKind::Freeradius,
        name: "FreeRADIUS",
        page: "more-hosts",
        places: &[
            "/etc/freeradius/3.0/mods-enabled",
            "/etc/raddb/mods-enabled",
        ],
        look: others::freeradius,
    },
    Host {
        kind: HostKind::Mosquitto,
        name: "Mosquitto",
        page: "dialects",
        places: &["/etc/mosquitto"],
        look: others::mosquitto,
    },
    Host {
        kind: HostKind::Rabbitmq,
        name: "RabbitMQ",
        page: "dialects",
        places: &["/etc/rabbitmq"],
        look: others::rabbitmq,
    },
    Host {
        kind: HostKind::Synapse,
        name: "Synapse",
        page: "dialects",
        places: &["/etc/matrix-synapse"],
        look: others::synapse,
    },
    Host {
        kind: HostKind::Vernemq,
        name: "VerneMQ",
        page: "dialects",
        places: &["/etc/vernemq"],
        look: others::vernemq,
    },
];

/// What is seen of a configuration that was read as a whole, and has no fault.
pub const FITS: &str = "it fits";

/// The check of a finding which says that nothing points here, and what was not read.
const UNREAD: &str = "host-unread";

/// The finding of a configuration of which nothing points here, without `unread`.
pub fn nothing_without(path: &Path, unread: &str) -> Vec<Finding> {
    let seen = format!("nothing in it points to Hallpass, without {unread}");
    vec![Finding::ok(
        UNREAD,
        format!("read {}", path.display()),
        seen,
    )]
}

/// The finding of a configuration that fits, without `unread`.
pub fn fits_without(path: &Path, unread: &str) -> Vec<Finding> {
    let seen = format!("and what was read fits, without {unread}");
    vec![Finding::ok(
        "host",
        format!("read {}", path.display()),
        seen,
    )]
}

/// Checks the server that `options` names, or all that this machine has.
pub fn look(configuration: &Configuration, options: &DoctorOptions) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut strangers: Vec<&str> = Vec::new();
    for host in HOSTS {
        let asked = options.host == Some(host.kind);
        if options.host.is_some() && !asked {
            continue;
        }
        let place = match &options.host_config {
            Some(path) => Some(path.clone()),
            None => host
                .places
                .iter()
                .map(PathBuf::from)
                // A path that this user may not read counts as present.
                .find(|it| it.try_exists().unwrap_or(true)),
        };
        match place {
            Some(path) => match host.at(&path, configuration, asked) {
                Some(found) => findings.extend(found),
                None => strangers.push(host.name),
            },
            None if asked => findings.push(Finding::problem(
                "host",
                format!("look for {}", host.name),
                format!("its configuration is at none of {}", host.places.join(", ")),
                "name it with --host-config FILE",
            )),
            None => {}
        }
    }
    if let Some((last, others)) = strangers.split_last() {
        let seen = match others {
            [] => format!("{last} is installed, but not set up for this site"),
            others => format!(
                "{} and {last} are installed, but not set up for this site",
                others.join(", ")
            ),
        };
        findings.push(Finding::ok("host", "look for other servers", seen));
    }
    findings
}

impl Host {
    /// The findings for its configuration at `path`; `None` where it does not point here, which is
    /// a problem where it was `asked` for.
    fn at(&self, path: &Path, configuration: &Configuration, asked: bool) -> Option<Vec<Finding>> {
        let tried = format!("read {}, of {}", path.display(), self.name);
        let finding = match (self.look)(path, configuration) {
            Err(error) if !asked => {
                let seen = format!("not checked: {error}");
                Finding::ok("host", tried, seen)
            }
            Err(error) => Finding::problem(
                "host-configuration",
                tried,
                error,
                "look as a user who may read it, or name another: --host-config FILE",
            ),
            Ok(found) if found.iter().any(|finding| finding.mend.is_some()) => {
                return Some(merged(found));
            }
            Ok(found) if found.iter().any(|it| it.check == UNREAD) => {
                let seen = found.into_iter().next().map(|it| it.seen);
                let seen = seen.unwrap_or_default();
                match asked {
                    true => {
                        let mend = format!("docs/{}.md says what belongs there", self.page);
                        Finding::problem("host", tried, seen, mend)
                    }
                    false => Finding::ok("host", tried, seen),
                }
            }
            Ok(found) if !found.is_empty() => {
                // What was not read is said.
                let less = found.into_iter().map(|it| it.seen).find(|it| it != FITS);
                let less = less.unwrap_or_else(|| "and fits".to_owned());
                Finding::ok("host", tried, format!("it points here, {less}"))
            }
            Ok(_) if asked => Finding::problem(
                "host",
                tried,
                "nothing in it points to Hallpass",
                format!("docs/{}.md says what belongs there", self.page),
            ),
            Ok(_) => return None,
        };
        Some(vec![finding])
    }
}

/// The findings, of which those that differ in their place alone are one.
fn merged(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for finding in findings {
        let is_same = |other: &&mut Finding| {
            (other.check, other.status, &other.seen, &other.mend)
                == (finding.check, finding.status, &finding.seen, &finding.mend)
        };
        match merged.iter_mut().find(is_same) {
            Some(other) if other.tried == finding.tried => {}
            Some(other) => {
                let place = finding.tried.trim_start_matches("read ");
                other.tried = format!("{}, {place}", other.tried);
            }
            None => merged.push(finding),
        }
    }
    merged
}
