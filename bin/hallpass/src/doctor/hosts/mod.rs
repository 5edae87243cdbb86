//! The servers on this machine, and whether their configuration points here.

mod apache;
mod command;
mod configuration_file;
mod ejabberd;
mod nginx;
mod others;
mod yaml;

use std::path::{Path, PathBuf};

use hallpass_core::Configuration;
use hallpass_core::examination::Finding;

use crate::options::{DoctorOptions, HostKind};

/// A server that is known: how to look at it, and where systems have its configuration.
struct Host {
    kind: HostKind,
    name: &'static str,
    places: &'static [&'static str],
    look: fn(&Path, &Configuration) -> Result<Vec<Finding>, String>,
}

const HOSTS: [Host; 3] = [
    Host {
        kind: HostKind::Ejabberd,
        name: "ejabberd",
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
        places: &["/etc/apache2/apache2.conf", "/etc/httpd/conf/httpd.conf"],
        look: apache::look,
    },
    Host {
        kind: HostKind::Nginx,
        name: "nginx",
        places: &["/etc/nginx/nginx.conf", "/usr/local/nginx/conf/nginx.conf"],
        look: nginx::look,
    },
];

/// Looks at the server that `options` names, or at all that this machine has.
pub fn look(configuration: &Configuration, options: &DoctorOptions) -> Vec<Finding> {
    let mut findings = Vec::new();
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
                .map(PathBuf::from) // One that may not be looked at is there, as far as anybody can tell.
                .find(|it| it.try_exists().unwrap_or(true)),
        };
        findings.extend(match place {
            Some(path) => host.at(&path, configuration, asked),
            None if asked => vec![Finding::problem(
                "host",
                format!("look for {}", host.name),
                format!("its configuration is at none of {}", host.places.join(", ")),
                "say where it is: --host-config FILE",
            )],
            None => Vec::new(),
        });
    }
    if options.host.is_none() {
        findings.extend(others::look());
    }
    findings
}

impl Host {
    /// What its configuration at `path` comes to. One that does not point here is a problem where
    /// it was `asked` for.
    fn at(&self, path: &Path, configuration: &Configuration, asked: bool) -> Vec<Finding> {
        let tried = format!("read {}, of {}", path.display(), self.name);
        match (self.look)(path, configuration) {
            Err(error) if !asked => {
                vec![Finding::ok(
                    "host",
                    tried,
                    format!("this user cannot: {error}"),
                )]
            }
            Err(error) => vec![Finding::problem(
                "host-configuration",
                tried,
                error,
                "look as a user who may read it, or name another: --host-config FILE",
            )],
            Ok(found) if !found.is_empty() => {
                let good = found.iter().all(|finding| finding.mend.is_none());
                if good {
                    vec![Finding::ok("host", tried, "it points here, and fits")]
                } else {
                    found
                }
            }
            Ok(_) if asked => vec![Finding::problem(
                "host",
                tried,
                "nothing in it points to Hallpass",
                format!(
                    "docs/{}.md has what belongs there",
                    self.name.to_lowercase()
                ),
            )],
            Ok(_) => vec![Finding::ok(
                "host",
                tried,
                "nothing in it points to Hallpass",
            )],
        }
    }
}

/// Where a line of a file is, for people.
fn at(path: &Path, line: usize) -> String {
    format!("read {}:{line}", path.display())
}
