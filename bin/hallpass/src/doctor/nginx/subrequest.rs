//! Checks the location that nginx's sub-request goes to, which asks `hallpassd`.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;
use nix::unistd::Group;

use super::answer::Answer;
use super::server::{Location, Pattern, effective};
use super::variables::{Variables, is_the_clients, names};
use crate::doctor::address::{self, Address};
use crate::doctor::directives::{Directive, each};
use crate::doctor::groups;
use crate::doctor::permissions::{Person, WRITE};

/// The sub-request at the location that answers it.
pub struct Subrequest<'a> {
    pub location: &'a Location<'a>,
    pub pass: &'a Directive,
    pub variables: Variables,
    pub configuration: &'a Configuration,
    /// What the location got, and whether that found it.
    uri: String,
    unchanged: bool,
    directives: &'a [Directive],
}

/// Where a `proxy_pass` leads.
pub(super) struct Target {
    servers: Vec<Address>,
    /// Whether nginx speaks TLS there.
    tls: bool,
    /// The server as written, with variables replaced by their values.
    host: String,
    /// The path and query that are asked for.
    path: String,
}

impl<'a> Subrequest<'a> {
    /// The sub-request that has this answer; `None` where no HTTP server is asked.
    pub fn of<'d: 'a>(
        answer: &Answer<'a, 'd>,
        variables: &Variables,
        directives: &'d [Directive],
        configuration: &'a Configuration,
    ) -> Option<Self> {
        let Answer::Proxy {
            location,
            pass,
            uri,
            unchanged,
        } = answer
        else {
            return None;
        };
        let own = Variables::of([location.directive]);
        Some(Self {
            location,
            pass,
            variables: own.or(variables),
            configuration,
            uri: uri.clone(),
            unchanged: *unchanged,
            directives,
        })
    }

    /// Whether it asks this site's hallpassd: by its address or, where no server is at the address
    /// that is named, by its name.
    pub fn is_ours(&self) -> bool {
        let listen = &self.configuration.daemon.listen;
        let Some(target) = self.target() else {
            return false;
        };
        if target.servers.iter().any(|it| it.is_at(listen)) {
            return !self.is_of_another_site(&target);
        }
        let named = |text: &str| text.contains("hallpass");
        let named = named(self.pass.word(0))
            || named(&target.host)
            || self.location.directive.words.iter().any(|it| named(it));
        named && !target.servers.iter().any(Address::is_served)
    }

    /// Whether the path is that of another site of the same daemon.
    fn is_of_another_site(&self, target: &Target) -> bool {
        let path = target.path.split('?').next().unwrap_or_default();
        let name = path
            .strip_suffix("/auth")
            .and_then(|it| it.strip_prefix('/'));
        let own = self.configuration.name.as_deref();
        name.is_some_and(|name| {
            !name.is_empty()
                && !name.contains('/')
                && own != Some(name)
                && target.servers.iter().any(|it| it.answers(path))
        })
    }

    /// The findings for it.
    pub fn examine(&self, person: Option<&Person>) -> Vec<Finding> {
        let Some(target) = self.target() else {
            return Vec::new();
        };
        let mut findings = self.servers(&target, person);
        findings.extend(self.path(&target));
        findings.extend(self.query(&target));
        findings.extend(self.credentials(&target));
        findings.extend(self.errors());
        findings.extend(self.body());
        findings.extend(self.cache());
        findings.extend(self.inside_only());
        findings.extend(self.address());
        findings.extend(self.client());
        findings
    }

    pub(super) fn own(&self, name: &str) -> Option<&'a Directive> {
        let inside = &self.location.directive.inside;
        inside.iter().rev().find(|it| it.is(name))
    }

    /// The directive that holds here: the location's own, or what it inherits.
    pub(super) fn effective(&self, name: &str) -> Option<&'a Directive> {
        effective(&self.location.chain, name)
    }

    fn target(&self) -> Option<Target> {
        let url = self.variables.expand(self.pass.word(0));
        let rest = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"))
            .or_else(|| url.strip_prefix("$scheme://"))?;
        let (host, path) = match rest.strip_prefix("unix:") {
            Some(socket) => {
                let (socket, path) = socket.split_once(':').unwrap_or((socket, ""));
                (format!("unix:{socket}"), path)
            }
            None => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let (host, path) = rest.split_at(end);
                (host.to_owned(), path)
            }
        };
        Some(Target {
            servers: self.upstream(&host),
            tls: url.starts_with("https:"),
            path: self.asked(path),
            host,
        })
    }

    /// The servers of an `upstream`, or `host` itself.
    fn upstream(&self, host: &str) -> Vec<Address> {
        let mut servers = Vec::new();
        each(
            self.directives,
            &mut Vec::new(),
            &mut |directive, around| {
                let within = around
                    .last()
                    .is_some_and(|it| it.is("upstream") && it.word(0) == host);
                if within && directive.is("server") {
                    servers.extend(Address::parse(directive.word(0), 80));
                }
            },
        );
        if servers.is_empty() {
            servers.extend(Address::parse(host, 80));
        }
        servers
    }

    /// The path that is asked for: `proxy_pass` with a path replaces what the location matched,
    /// and one without passes the sub-request's own on (`ngx_http_proxy_create_uri`).
    fn asked(&self, path: &str) -> String {
        let escape = |text: &str| {
            text.replace('%', "%25")
                .replace('?', "%3F")
                .replace(' ', "%20")
        };
        if path.is_empty() || !self.unchanged {
            return escape(&self.uri);
        }
        let matched = match self.location.pattern {
            Pattern::Exact | Pattern::Prefix { .. } => self.location.text.len(),
            _ => self.uri.len(),
        };
        let variable = !names(self.pass.word(0)).is_empty();
        match self.uri.get(matched..) {
            Some(rest) if !variable => format!("{path}{}", escape(rest)),
            _ => path.to_owned(),
        }
    }

    fn servers(&self, target: &Target, person: Option<&Person>) -> Vec<Finding> {
        let listen = &self.configuration.daemon.listen;
        let mut findings = Vec::new();
        for server in &target.servers {
            if !server.is_at(listen) {
                findings.push(Finding::problem(
                    "nginx-socket",
                    self.pass.at(),
                    format!(
                        "hallpassd does not listen there, but at {}",
                        address::list(listen)
                    ),
                    "name the same socket here and in [daemon] listen",
                ));
            } else if let (Address::Unix(path), Some(person)) = (server, person)
                && path.exists()
                && let Some(barrier) = person.kept_from(path, WRITE)
            {
                findings.push(Finding::problem(
                    "nginx-socket",
                    self.pass.at(),
                    format!(
                        "nginx's user {} cannot open {}: {barrier}",
                        person.name,
                        path.display()
                    ),
                    joins(path, &person.name),
                ));
            }
        }
        if target.tls && target.servers.iter().any(|it| it.is_at(listen)) {
            findings.push(Finding::problem(
                "nginx-scheme",
                self.pass.at(),
                "hallpassd speaks plain HTTP there, and no TLS: every request is answered 500",
                "write http:// in place of https://",
            ));
        }
        findings.extend(self.patience());
        let looked_up = names(self.pass.word(0)).is_empty();
        let named = target.servers.iter().any(Address::is_named);
        let upstream = target.servers.len() > 1 || !target.host.contains(['.', ':']);
        if !looked_up && named && !upstream && self.effective("resolver").is_none() {
            findings.push(Finding::problem(
                "nginx-resolver",
                self.pass.at(),
                format!(
                    "the variable makes nginx look {} up for each request, and no resolver is \
                     set: every request is answered 500",
                    target.host
                ),
                "write resolver with the address of a DNS server, or the address without a \
                 variable",
            ));
        }
        findings
    }

    /// nginx must wait for as long as hallpassd may take.
    fn patience(&self) -> Option<Finding> {
        let said = self.effective("proxy_read_timeout")?;
        let deadline = self.configuration.limits.deadline;
        if time(said.word(0))? >= deadline {
            return None;
        }
        let seconds = deadline.as_secs_f64().ceil();
        Some(Finding::warning(
            "nginx-timeout",
            said.at(),
            format!(
                "nginx waits {} for an answer that may take {seconds} s ([limits] deadline): slow \
                 ones are answered 500",
                said.word(0)
            ),
            format!("write proxy_read_timeout {}s;", seconds + 1.0),
        ))
    }

    fn path(&self, target: &Target) -> Vec<Finding> {
        let mut findings = Vec::new();
        let path = target.path.split('?').next().unwrap_or_default();
        let name = self.configuration.name.as_deref();
        let known = path == "/auth"
            || path.starts_with("/auth/")
            || name.is_some_and(|name| path == format!("/{name}/auth"));
        if !known {
            findings.push(Finding::problem(
                "nginx-path",
                self.pass.at(),
                format!("it asks for {path}, which hallpassd does not have: nobody gets in"),
                "end it with /auth, as in http://hallpass/auth",
            ));
        }
        let given = names(&target.path);
        if is_the_clients(&target.path) {
            findings.push(Finding::problem(
                "nginx-path",
                self.pass.at(),
                "variables in the question: a client may add to what is asked, such as basic=0",
                "write the conditions out, as in /auth?group=staff",
            ));
        } else if let Some(first) = given.first() {
            findings.push(Finding::warning(
                "nginx-unresolved",
                self.pass.at(),
                format!("cannot tell what ${first} is, and so what hallpassd is asked"),
                "write the conditions out, as in /auth?group=staff",
            ));
        }
        findings
    }

    /// The conditions that are asked for.
    fn query(&self, target: &Target) -> Vec<Finding> {
        let Some((_, query)) = target.path.split_once('?') else {
            return Vec::new();
        };
        let pairs = query.split('&').filter(|pair| names(pair).is_empty());
        let mut findings = Vec::new();
        let mut words = Vec::new();
        for pair in pairs {
            match hallpassd::conditions(pair) {
                Some(conditions) => words.extend(groups::of(&conditions)),
                None => findings.push(Finding::problem(
                    "nginx-query",
                    self.pass.at(),
                    format!(
                        "hallpassd does not understand {pair} and answers 400: every request is \
                         answered 500"
                    ),
                    "write group=NAME, permission=APP.CODENAME, is=staff, is=superuser, basic=0 or \
                     redirect=1",
                )),
            }
        }
        findings.extend(groups::examine(self.configuration, &self.pass.at(), &words));
        findings
    }

    fn inside_only(&self) -> Option<Finding> {
        self.own("internal").is_none().then(|| {
            Finding::warning(
                "nginx-internal",
                self.location.directive.at(),
                "any client may ask it: passwords can be tried past the limits of the pages",
                "write internal;",
            )
        })
    }

    /// Whether it declares that the Basic name is not used.
    pub fn leaves_basic_unchecked(&self) -> bool {
        self.target().is_some_and(|it| it.leaves_basic_unchecked())
    }
}

impl Target {
    pub(super) fn leaves_basic_unchecked(&self) -> bool {
        let query = self.path.split_once('?');
        query.is_some_and(|(_, query)| query.split('&').any(|pair| pair == "basic=0"))
    }
}

/// A time as nginx reads it, of one unit: `500ms`, `5s`, `5`, `1m`; `None` for others, which are long.
fn time(text: &str) -> Option<Duration> {
    let end = text.find(|it: char| !it.is_ascii_digit());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let number = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" | "" => Some(Duration::from_secs(number)),
        _ => None,
    }
}

/// How `user` gets to open the socket at `path`: as a member of its group, where that is a group
/// of Hallpass.
fn joins(path: &Path, user: &str) -> String {
    let metadata = std::fs::metadata(path).ok();
    let gid = metadata.map(|metadata| metadata.gid());
    let group = gid.and_then(|gid| Group::from_gid(gid.into()).ok().flatten());
    let group = group.map(|group| group.name);
    match group {
        Some(group) if group.starts_with("hallpass") => {
            format!("usermod -aG {group} {user}, and restart nginx")
        }
        group => {
            let group = group.unwrap_or_else(|| gid.unwrap_or_default().to_string());
            format!(
                "start hallpassd by systemd, whose socket belongs to hallpass-ask and not to \
                 {group}; then usermod -aG hallpass-ask {user}, and restart nginx"
            )
        }
    }
}
