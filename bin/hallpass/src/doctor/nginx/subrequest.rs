//! Checks the location that nginx's subrequest goes to, which asks `hallpassd`.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hallpass_core::Configuration;
use hallpass_core::configuration::Listener;
use hallpass_core::doctor::Finding;
use nix::unistd::Group;

use crate::doctor::directives::{Directive, each};
use crate::doctor::permissions::{Person, WRITE};

/// A location, and what it inherits from.
pub struct Subrequest<'a> {
    pub location: &'a Directive,
    /// The blocks `http` and `server`, from the outside.
    pub around: Vec<&'a Directive>,
    pub directives: &'a [Directive],
    pub configuration: &'a Configuration,
}

/// Where a `proxy_pass` leads.
struct Target {
    servers: Vec<Server>,
    path: String,
}

enum Server {
    Unix(PathBuf),
    Tcp(String),
}

impl<'a> Subrequest<'a> {
    /// Whether it asks hallpassd.
    pub fn is_ours(&self) -> bool {
        let named = |text: &str| text.contains("hallpass");
        let Some(pass) = self.own("proxy_pass") else {
            return false;
        };
        named(pass.word(0))
            || self.location.words.iter().any(|word| named(word))
            || self
                .target()
                .is_some_and(|it| it.servers.iter().any(|it| self.listens(it)))
    }

    /// The findings for it.
    pub fn examine(&self, person: Option<&Person>) -> Vec<Finding> {
        let mut findings = self.servers(person);
        findings.extend(self.body());
        findings.extend(self.cache());
        findings.extend(self.inside_only());
        findings.extend(self.address());
        findings.extend(self.client());
        findings
    }

    fn own(&self, name: &str) -> Option<&'a Directive> {
        self.location.inside.iter().rev().find(|it| it.is(name))
    }

    /// The directive that holds here: the location's own, or what it inherits.
    fn effective(&self, name: &str) -> Option<&'a Directive> {
        let inherited = || {
            self.around
                .iter()
                .rev()
                .find_map(|block| block.inside.iter().rev().find(|it| it.is(name)))
        };
        self.own(name).or_else(inherited)
    }

    /// The headers that are set: those of the server only where the location sets none.
    fn header(&self, name: &str) -> Option<&'a Directive> {
        let blocks = [self.location]
            .into_iter()
            .chain(self.around.iter().rev().copied());
        let mut levels = blocks.map(|block| {
            block
                .inside
                .iter()
                .filter(|it| it.is("proxy_set_header"))
                .collect::<Vec<_>>()
        });
        let level = levels.find(|level| !level.is_empty())?;
        level
            .into_iter()
            .find(|it| it.word(0).eq_ignore_ascii_case(name))
    }

    fn target(&self) -> Option<Target> {
        let url = self.own("proxy_pass")?.word(0);
        let rest = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"))?;
        if let Some(rest) = rest.strip_prefix("unix:") {
            let (socket, path) = rest.split_once(':').unwrap_or((rest, ""));
            return Some(Target {
                servers: vec![Server::Unix(socket.into())],
                path: path.to_owned(),
            });
        }
        let (host, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let mut servers = Vec::new();
        each(
            self.directives,
            &mut Vec::new(),
            &mut |directive, around| {
                let within = around
                    .last()
                    .is_some_and(|it| it.is("upstream") && it.word(0) == host);
                if within && directive.is("server") {
                    servers.push(match directive.word(0).strip_prefix("unix:") {
                        Some(path) => Server::Unix(path.into()),
                        None => Server::Tcp(directive.word(0).to_owned()),
                    });
                }
            },
        );
        if servers.is_empty() {
            servers.push(Server::Tcp(host.to_owned()));
        }
        let path = path.to_owned();
        Some(Target { servers, path })
    }

    /// Whether hallpassd listens there by the configuration.
    fn listens(&self, server: &Server) -> bool {
        self.configuration
            .daemon
            .listen
            .iter()
            .any(|listener| match (server, listener) {
                (Server::Unix(asked), Listener::Unix { path, .. }) => same(asked, path),
                (Server::Tcp(asked), Listener::Tcp(address)) => {
                    let port = asked.rsplit(':').next().and_then(|port| port.parse().ok());
                    let host = asked
                        .rsplit_once(':')
                        .map_or(asked.as_str(), |(host, _)| host);
                    port == Some(address.port())
                        && (host == "localhost"
                            || host.trim_matches(['[', ']']) == address.ip().to_string())
                }
                _ => false,
            })
    }

    fn servers(&self, person: Option<&Person>) -> Vec<Finding> {
        let Some(pass) = self.own("proxy_pass") else {
            return Vec::new();
        };
        let Some(target) = self.target() else {
            return Vec::new();
        };
        let mut findings = Vec::new();
        for server in &target.servers {
            if !self.listens(server) {
                let listens: Vec<String> = self
                    .configuration
                    .daemon
                    .listen
                    .iter()
                    .map(ToString::to_string)
                    .collect();
                findings.push(Finding::problem(
                    "nginx-socket",
                    pass.at(),
                    format!(
                        "hallpassd does not listen there, but at {}",
                        listens.join(", ")
                    ),
                    "name the same socket here and in [daemon] listen",
                ));
            } else if let (Server::Unix(path), Some(person)) = (server, person)
                && path.exists()
                && let Some(barrier) = person.kept_from(path, WRITE)
            {
                findings.push(Finding::problem(
                    "nginx-socket",
                    pass.at(),
                    format!(
                        "nginx's user {} cannot open {}: {barrier}",
                        person.name,
                        path.display()
                    ),
                    format!(
                        "usermod -aG {} {}, and restart nginx",
                        group_of(path),
                        person.name
                    ),
                ));
            }
        }
        let path = target.path.split('?').next().unwrap_or_default();
        let name = self.configuration.name.as_deref();
        let known = path == "/auth" || name.is_some_and(|name| path == format!("/{name}/auth"));
        if !known {
            let seen = match path {
                "" => "without a path, the protected page's own is asked for".to_owned(),
                path => format!("hallpassd has no {path}"),
            };
            findings.push(Finding::problem(
                "nginx-path",
                pass.at(),
                seen,
                "end it with /auth, as in http://hallpass/auth",
            ));
        }
        if target.path.contains('$') {
            findings.push(Finding::problem(
                "nginx-path",
                pass.at(),
                "variables in the question: a client may add to what is asked, such as basic=0",
                "write the conditions out, as in /auth?group=staff",
            ));
        }
        findings
    }

    /// The body stays with nginx, and so must its length.
    fn body(&self) -> Option<Finding> {
        let off = self
            .effective("proxy_pass_request_body")
            .is_some_and(|it| it.word(0) == "off");
        let emptied = self
            .header("Content-Length")
            .is_some_and(|it| it.word(1).is_empty());
        let missing = match (off, emptied) {
            (true, true) => return None,
            (false, _) => "proxy_pass_request_body off;",
            (true, false) => "proxy_set_header Content-Length \"\";",
        };
        Some(Finding::warning(
            "nginx-body",
            self.location.at(),
            format!("{missing} is missing: hallpassd waits for the body of each upload"),
            format!("write {missing}"),
        ))
    }

    /// Cached answers must be keyed by the client's credentials.
    fn cache(&self) -> Option<Finding> {
        let cache = self.effective("proxy_cache")?;
        if cache.word(0) == "off" {
            return None;
        }
        let key = self.effective("proxy_cache_key");
        let said = key.map_or("$scheme$proxy_host$request_uri", |key| key.word(0));
        let accept = self.configuration.daemon.accept;
        let session = accept.session || accept.ticket;
        let mut missing = Vec::new();
        if session && !(said.contains("$http_cookie") || said.contains("$cookie_")) {
            missing.push("$http_cookie");
        }
        // Even where no password is accepted, the name of Basic counts, unless that is declared off.
        let tickets = accept.ticket && self.configuration.tickets.is_some();
        let tokens = tickets || self.configuration.reads_tokens();
        let header = tokens || !self.leaves_basic_unchecked();
        if header && !said.contains("$http_authorization") {
            missing.push("$http_authorization");
        }
        if missing.is_empty() {
            return None;
        }
        let missing = missing.join(" and ");
        Some(Finding::problem(
            "nginx-cache-key",
            key.unwrap_or(cache).at(),
            format!("the key has no {missing}: one user's answer is given to every other"),
            format!("add {missing} to proxy_cache_key, or take proxy_cache away"),
        ))
    }

    fn inside_only(&self) -> Option<Finding> {
        self.own("internal").is_none().then(|| {
            Finding::warning(
                "nginx-internal",
                self.location.at(),
                "any client may ask it: passwords can be tried past the limits of the pages",
                "write internal;",
            )
        })
    }

    /// Whether it declares that the Basic name is not used.
    pub fn leaves_basic_unchecked(&self) -> bool {
        let target = self.target();
        let query = target.as_ref().and_then(|it| it.path.split_once('?'));
        query.is_some_and(|(_, query)| query.split('&').any(|pair| pair == "basic=0"))
    }

    fn address(&self) -> Option<Finding> {
        let wanted = self.configuration.daemon.login_url.as_ref()?;
        if !wanted.contains("{url}") {
            return None;
        }
        // In hallpassd's order of precedence.
        let told = ["X-Original-URI", "X-Original-URL", "X-Forwarded-Uri"];
        let says = |name: &str| self.header(name).is_some_and(|it| !it.word(1).is_empty());
        let Some(told_by) = told.iter().position(|name| says(name)) else {
            return Some(Finding::warning(
                "nginx-original-uri",
                self.location.at(),
                "hallpassd is not told which page was asked for: the login page cannot lead back \
                 to it",
                "write proxy_set_header X-Original-URI $request_uri;",
            ));
        };
        let before = told.iter().take(told_by);
        let forged = before.copied().find(|name| self.header(name).is_none())?;
        Some(Finding::warning(
            "nginx-original-uri",
            self.location.at(),
            format!("the client may say what was asked for: its own {forged} counts first"),
            format!("write proxy_set_header {forged} \"\";"),
        ))
    }

    /// The address by which wrong passwords are counted, which is the last of `X-Forwarded-For`.
    fn client(&self) -> Option<Finding> {
        let said = self.header("X-Forwarded-For");
        let last = said.and_then(|it| it.word(1).rsplit(',').next());
        let chosen = last.is_none_or(|it| it.trim().starts_with("$http_"));
        chosen.then(|| {
            Finding::warning(
                "nginx-client-address",
                said.unwrap_or(self.location).at(),
                "the client chooses its own address: it may guess passwords without limit, and \
                 have \
                 others locked out",
                "write proxy_set_header X-Forwarded-For $remote_addr;",
            )
        })
    }
}

fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    real(one) == real(other)
}
/// The group to join for the socket at `path`: its own, where that is a group of Hallpass.
fn group_of(path: &Path) -> String {
    std::fs::metadata(path)
        .ok()
        .and_then(|metadata| Group::from_gid(metadata.gid().into()).ok().flatten())
        .map(|group| group.name)
        .filter(|name| name.starts_with("hallpass"))
        .unwrap_or_else(|| "hallpass-ask".to_owned())
}
