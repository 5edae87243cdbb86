//! Checks the headers of nginx's sub-request: the credentials must be in it, the body's length must
//! not, and what the client may not choose must be set.

use hallpass_core::configuration::Jwt;
use hallpass_core::doctor::Finding;

use super::server::level;
use super::subrequest::{Subrequest, Target};
use super::variables::names;
use crate::doctor::directives::Directive;

/// What hallpassd answers, and what nginx answers for it while it is down.
const DENIALS: [&str; 2] = ["401", "403"];
const FAILURES: [&str; 4] = ["500", "502", "503", "504"];

impl<'a> Subrequest<'a> {
    /// The header that is set: nginx takes those of an outer block only where the inner one sets
    /// none.
    fn header(&self, name: &str) -> Option<&'a Directive> {
        let level = level(&self.location.chain, "proxy_set_header");
        let mut level = level.into_iter();
        level.find(|it| it.word(0).eq_ignore_ascii_case(name))
    }

    /// The cookie and the password must arrive.
    pub(super) fn credentials(&self, target: &Target) -> Vec<Finding> {
        let accept = self.configuration.daemon.accept;
        let off = self.effective("proxy_pass_request_headers");
        let off = off.filter(|it| it.word(0) == "off");
        let basic = !target.leaves_basic_unchecked();
        let sends = |name: &str| match self.header(name) {
            Some(set) => !set.word(1).is_empty(),
            None => off.is_none(),
        };
        let (cookie, authorization) = (sends("Cookie"), sends("Authorization"));
        let sessions = accept.session && cookie;
        let passwords = accept.password && basic && authorization;
        let tokens = self.configuration.reads_tokens();
        let tickets = accept.ticket && self.configuration.tickets.is_some();
        let bearer = |jwt: &Jwt| accept.session && jwt.cookie.is_none();
        let signed = self.configuration.jwt.as_ref().is_some_and(bearer);
        let tickets = (tickets || tokens || signed) && authorization;
        let mut findings = Vec::new();
        if !(sessions || passwords || tickets) {
            let lost = off.or_else(|| self.header("Cookie"));
            let lost = lost.or_else(|| self.header("Authorization"));
            let at = lost.unwrap_or(self.location.directive);
            let name = if accept.session {
                "Cookie"
            } else {
                "Authorization"
            };
            findings.push(Finding::problem(
                "nginx-credentials",
                at.at(),
                format!("the client's {name} does not reach hallpassd: nobody gets in"),
                format!("take {} {} away", at.name, at.words.join(" ")),
            ));
        } else if accept.session && !cookie {
            let at = self.header("Cookie").or(off).unwrap_or(self.pass);
            findings.push(Finding::problem(
                "nginx-credentials",
                at.at(),
                "the client's Cookie does not reach hallpassd: sessions let nobody in, though \
                 [daemon] accept has them",
                format!("take {} {} away", at.name, at.words.join(" ")),
            ));
        } else if accept.password && basic && !authorization {
            let at = self.header("Authorization").or(off).unwrap_or(self.pass);
            findings.push(Finding::warning(
                "nginx-credentials",
                at.at(),
                "the client's Authorization does not reach hallpassd: browsers ask for a password \
                 again and again, which never arrives",
                "write ?basic=0 behind /auth, or take that header's line away",
            ));
        }
        findings.extend(self.cookie_value());
        findings
    }

    /// A Cookie header of the operator's own must hold the site's cookie.
    fn cookie_value(&self) -> Option<Finding> {
        let set = self.header("Cookie").filter(|it| !it.word(1).is_empty())?;
        let name = self.configuration.session_cookie_name()?;
        let value = self.variables.expand(set.word(1));
        let whole = names(&value).contains(&"http_cookie");
        if whole || value.contains(&format!("{name}=")) {
            return None;
        }
        Some(Finding::problem(
            "nginx-credentials",
            set.at(),
            format!("Cookie is set to {value}, in which there is no {name}: no session counts"),
            format!("write proxy_set_header Cookie \"{name}=$cookie_{name}\";"),
        ))
    }

    /// Pages that turn an error into an answer that lets in.
    pub(super) fn errors(&self) -> Vec<Finding> {
        let intercepts = self.effective("proxy_intercept_errors");
        let intercepts = intercepts.is_some_and(|it| it.word(0) == "on");
        let mut findings = Vec::new();
        for page in level(&self.location.chain, "error_page") {
            let changed = page.words.iter().find(|word| word.starts_with('='));
            let Some(changed) = changed.filter(|it| lets_in(it)) else {
                continue;
            };
            let of = |codes: &[&str]| page.words.iter().any(|word| codes.contains(&&**word));
            let when = match () {
                () if intercepts && of(&DENIALS) => "whom hallpassd denies",
                () if of(&FAILURES) => "everybody while hallpassd cannot be asked",
                () => continue,
            };
            findings.push(Finding::problem(
                "nginx-error-page",
                page.at(),
                format!(
                    "error_page {} makes an error of the sub-request an answer that lets in {when}",
                    page.words.join(" ")
                ),
                format!(
                    "take it away from {}, or write it without {changed}",
                    self.location.directive.words.join(" ")
                ),
            ));
        }
        findings
    }

    /// The body stays with nginx, and so must its length.
    pub(super) fn body(&self) -> Option<Finding> {
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
            self.location.directive.at(),
            format!("{missing} is missing: hallpassd waits for the body of each upload"),
            format!("write {missing}"),
        ))
    }

    pub(super) fn address(&self) -> Option<Finding> {
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
                self.location.directive.at(),
                "hallpassd is not told which page was asked for: the login page cannot lead back \
                 to it",
                "write proxy_set_header X-Original-URI $request_uri;",
            ));
        };
        let before = told.iter().take(told_by);
        let forged = before.copied().find(|name| self.header(name).is_none())?;
        Some(Finding::warning(
            "nginx-original-uri",
            self.location.directive.at(),
            format!("the client may say what was asked for: its own {forged} counts first"),
            format!("write proxy_set_header {forged} \"\";"),
        ))
    }

    /// The address by which wrong passwords are counted, which is the last of `X-Forwarded-For`.
    pub(super) fn client(&self) -> Option<Finding> {
        let said = self.header("X-Forwarded-For");
        let last = said.and_then(|it| it.word(1).rsplit(',').next());
        let chosen = last.is_none_or(|it| it.trim().starts_with("$http_"));
        chosen.then(|| {
            Finding::warning(
                "nginx-client-address",
                said.unwrap_or(self.location.directive).at(),
                "the client chooses its own address: it may guess passwords without limit, and \
                 have others locked out",
                "write proxy_set_header X-Forwarded-For $remote_addr;",
            )
        })
    }
}

/// Whether `=` or `=CODE` of an `error_page` may make an error a 2xx: alone, what answers decides.
fn lets_in(changed: &str) -> bool {
    changed == "=" || changed.starts_with("=2")
}
