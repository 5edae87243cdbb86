//! Asks a live host from outside, as its clients do: without a credential, with made-up ones, and
//! with an account's own.
//!
//! About a dozen requests, one after the other, to the host of one URL and to no other.

mod account;
mod answer;
mod claims;
mod visitor;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use hallpass_core::doctor::Finding;
use hallpass_core::{Configuration, Secret};
use hallpass_runtime::CommandLine;
use hallpass_stores::http::Url;
use hallpass_stores::{Tls, TlsMode};
use zeroize::Zeroizing;

use self::account::basic;
use self::answer::{Access, is_cached};
use self::claims::{Claim, ELSEWHERE};
use self::visitor::{Asked, Visitor};
use super::report::Report;
use crate::options::DoctorOptions;
use crate::terminal::{LONGEST, password, standard_input};

/// How long all requests together may take.
const LONGEST_RUN: Duration = Duration::from_secs(120);
/// A name that no account has to have.
const NOBODY: &str = "hallpass-doctor";

/// The fix where a host lets a client in that Hallpass does not.
const ASK: &str = "have the host ask hallpassd or a Hallpass program for this address; on its machine, \
                   `hallpass doctor --host` says what is wrong";
const CLEAR: &str = "have the host remove the client's own Remote-* headers, with hyphens and with \
                     underscores, wherever it leads to the application (docs/http.md, what every \
                     recipe does)";

/// What is asked, and what has been found.
struct Look<'a> {
    visitor: Visitor<'a>,
    configuration: Option<Arc<Configuration>>,
    /// The name of the session cookie; `None` where it is not known.
    cookie: Option<String>,
    findings: Vec<Finding>,
}

/// Asks the host at the URL of `options`.
///
/// # Errors
/// What was asked for cannot be: a wrong URL, a session that cannot be read.
pub fn run(common: &CommandLine, options: &DoctorOptions, url: &str) -> anyhow::Result<Report> {
    let url: Url = match url.parse() {
        Ok(url) => url,
        Err(wrong) => bail!("--url {wrong}"),
    };
    // A host may be asked from a machine that knows nothing of the site.
    let configuration = match common.configuration() {
        Ok(configuration) => Some(Arc::new(configuration)),
        Err(_) if common.config.is_none() => None,
        Err(error) => return Err(error.into()),
    };
    let own = configuration.as_ref().and_then(|it| it.session_cookie());
    let cookie = options
        .cookie
        .clone()
        .or(own.map(|cookie| cookie.name.to_owned()));
    let session = options.session.as_deref().map(session).transpose()?;
    let password = match &options.user {
        Some(_) if options.session.as_deref() == Some("-") => {
            bail!("--session - and --user both read standard input; name a file with --session")
        }
        Some(_) => Some(password()?),
        None => None,
    };
    let login_url = configuration
        .as_ref()
        .and_then(|it| it.daemon.login_url.as_ref().map(ToString::to_string));
    let tls = Tls {
        mode: TlsMode::VerifyFull,
        ca: options.ca.clone(),
    };
    let mut look = Look {
        visitor: Visitor::new(&url, &tls, login_url, LONGEST_RUN),
        configuration,
        cookie,
        findings: Vec::new(),
    };
    let seed = random()?;
    if look.without_credential() {
        look.made_up(&seed);
        look.methods();
        if let Some(session) = &session {
            look.session(session, &seed);
        }
        if let (Some(user), Some(password)) = (&options.user, &password) {
            look.password(user, password, &seed);
        }
    } else {
        look.open_page(&seed);
    }
    Ok(Report::new(look.findings))
}

/// The session that `given` is: in standard input for `-`, in a file where that is a path, or itself.
fn session(given: &str) -> anyhow::Result<Secret> {
    let path = Path::new(given);
    let secret = match given {
        "-" => standard_input()?,
        // No session has a slash in it.
        _ if !given.contains('/') && !path.is_file() => Secret::new(given),
        _ => {
            let file = std::fs::File::open(path);
            let file = file.with_context(|| format!("--session {}", path.display()))?;
            let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
            file.take(LONGEST)
                .read_to_end(&mut bytes)
                .context("reading the session")?;
            Secret::new(bytes.strip_suffix(b"\n").unwrap_or(&bytes))
        }
    };
    if secret.expose().is_empty() {
        bail!("--session: it is empty");
    }
    Ok(secret)
}

/// Random letters, for names and tokens that do not exist.
fn random() -> anyhow::Result<String> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).context("making random letters")?;
    let letter = |byte: &u8| char::from(b'a' + byte % 26);
    Ok(bytes.iter().map(letter).collect())
}

impl Look<'_> {
    fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn has_problem(&self, check: &str) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|it| it.check == check && it.mend.is_some())
    }

    fn problem(&mut self, check: &'static str, tried: &str, seen: impl Into<String>, mend: &str) {
        self.add(Finding::problem(check, tried, seen, mend));
    }

    /// Whether a client without a credential is sent away, so that others can be compared with it.
    fn without_credential(&mut self) -> bool {
        let tried = format!("ask {} without a credential", self.visitor.url());
        let asked = match self.visitor.arrive() {
            Ok(asked) => asked,
            Err(cause) => {
                let mend = match cause.cause() {
                    hallpass_stores::Cause::Tls => {
                        "renew the host's certificate, or name its authority with --ca"
                    }
                    _ => "start the host, or correct the address after --url",
                };
                let finding = Finding::problem("url-answer", tried, cause.to_string(), mend);
                self.add(finding.unreachable());
                return false;
            }
        };
        let words = asked.words.clone();
        match asked.access {
            Access::Refused => {
                self.add(Finding::ok("url-open", tried, format!("refused: {words}")));
                return true;
            }
            Access::Granted => self.problem(
                "url-open",
                &tried,
                format!("anybody gets in: {words}"),
                &format!("{ASK}; or name a protected page with --url"),
            ),
            access => self.odd(&tried, access, &words),
        }
        false
    }

    /// Finds an answer that is neither a page nor a refusal.
    fn odd(&mut self, tried: &str, access: Access, words: &str) {
        let mend = match access {
            Access::Broken => {
                "read the host's error log: it cannot ask hallpassd, or does not understand the \
                 answer; on its machine, `hallpass doctor` checks both"
            }
            Access::Missing => "name a page that exists and is protected with --url",
            _ => "name a page with --url that answers GET",
        };
        let seen = match access {
            Access::Broken => format!("{words}: an error of the host's, and nobody gets in"),
            Access::Missing => format!("{words}: no such page, for any client"),
            _ => format!("{words}: neither a page nor a refusal"),
        };
        self.problem("url-answer", tried, seen, mend);
    }

    /// Asks with `headers`, which must be refused; whether they were.
    fn refused(
        &mut self,
        check: &'static str,
        tried: &str,
        method: &str,
        headers: Vec<(&str, Zeroizing<Vec<u8>>)>,
        open: (&str, &str),
    ) -> Option<Asked> {
        let asked = match self.visitor.ask(method, headers) {
            Ok(asked) => asked,
            Err(cause) => {
                let mend = "read the host's error log";
                self.problem("url-answer", tried, cause.to_string(), mend);
                return None;
            }
        };
        match asked.access {
            Access::Granted => {
                let (seen, mend) = open;
                self.problem(check, tried, format!("{seen}: {}", asked.words), mend);
                return None;
            }
            Access::Broken => self.odd(tried, Access::Broken, &asked.words),
            _ => {
                let seen = format!("refused: {}", asked.words);
                self.add(Finding::ok(check, tried, seen));
            }
        }
        Some(asked)
    }

    /// Credentials and identities that do not exist.
    fn made_up(&mut self, seed: &str) {
        let tried = "ask with a session that does not exist";
        match self.cookie.clone() {
            Some(cookie) => {
                let header = format!("{cookie}={seed}{seed}{seed}");
                let headers = vec![("Cookie", header.into_bytes().into())];
                let open = ("a made-up session gets in", ASK);
                self.refused("url-session", tried, "", headers, open);
            }
            None => self.add(Finding::ok(
                "url-session",
                tried,
                "not checked: the cookie's name is not known; --cookie gives it",
            )),
        }
        let claims = claims::identity(seed);
        let tried = "ask with made-up identity headers, and nothing else";
        let open = ("a client that writes them itself gets in", CLEAR);
        let before = self.findings.len();
        let headers = claims::headers(&claims).chain(claims::places()).collect();
        let asked = self.refused("url-identity", tried, "", headers, open);
        if asked.is_none() && self.findings.len() > before {
            self.which_lets_in(&claims);
        }
        if let Some(asked) = asked
            && asked
                .reply
                .header("Location")
                .is_some_and(|it| it.contains(ELSEWHERE))
        {
            self.add(Finding::warning(
                "url-login-page",
                tried,
                "the login page is told to lead back to a host that the client chose",
                "set X-Original-URI, X-Forwarded-Host and X-Forwarded-Proto at the host, and do not \
                 pass the client's own on (docs/http.md)",
            ));
        }
        let tried = "ask with a made-up name and password";
        let headers = vec![("Authorization", basic(NOBODY, seed.as_bytes()))];
        let open = ("a made-up name and password get in", ASK);
        self.refused("url-password", tried, "", headers, open);
    }

    /// Names the header that lets in, in the finding that one does.
    fn which_lets_in(&mut self, claims: &[Claim]) {
        const LIKELY: [&str; 4] = [
            "Remote-User",
            "Remote_User",
            "X-Remote-User",
            "X-WEBAUTH-USER",
        ];
        let likely = claims
            .iter()
            .filter(|it| LIKELY.contains(&it.name.as_str()));
        for claim in likely {
            let headers = vec![(claim.name.as_str(), claim.value.clone().into_bytes().into())];
            let lets_in = self
                .visitor
                .ask("", headers)
                .is_ok_and(|it| it.access == Access::Granted);
            if lets_in && let Some(finding) = self.findings.last_mut() {
                finding.tried = format!("ask with a made-up {}, and nothing else", claim.name);
                return;
            }
        }
    }

    /// Whether a method gets around what is asked for GET.
    fn methods(&mut self) {
        for method in ["HEAD", "HALLPASS"] {
            let tried = format!("ask by the method {method} without a credential");
            let open = (
                "anybody gets in",
                "protect all methods: no <Limit> or <LimitExcept> in Apache, no limit_except in nginx",
            );
            let asked = self.visitor.ask(method, Vec::new());
            // Servers that know no such method say so in many ways.
            if let Ok(asked) = asked
                && asked.access == Access::Granted
            {
                let (seen, mend) = open;
                self.problem(
                    "url-method",
                    &tried,
                    format!("{seen}: {}", asked.words),
                    mend,
                );
                return;
            }
        }
        self.add(Finding::ok(
            "url-method",
            "ask by the methods HEAD and HALLPASS without a credential",
            "refused",
        ));
    }

    /// The identity that a page which needs no login receives.
    fn open_page(&mut self, seed: &str) {
        if self.has_problem("url-open") {
            self.forged(Vec::new(), "the page", seed);
        }
    }

    /// What of made-up identity headers comes through to the page, beside `headers`.
    fn forged(&mut self, headers: Vec<(&str, Zeroizing<Vec<u8>>)>, who: &str, seed: &str) {
        let claims = claims::identity(seed);
        let headers = headers
            .into_iter()
            .chain(claims::headers(&claims))
            .collect();
        let tried = format!("ask as {who} with made-up identity headers");
        let asked = match self.visitor.ask("", headers) {
            Ok(asked) => asked,
            Err(cause) => {
                self.problem(
                    "url-answer",
                    &tried,
                    cause.to_string(),
                    "read the host's error log",
                );
                return;
            }
        };
        let shown = |ours: bool| -> Vec<&str> {
            let claims = claims.iter().filter(|claim| claim.ours == ours);
            let claims = claims.filter(|claim| asked.reply.shows(&claim.value));
            claims.map(|claim| claim.name.as_str()).collect()
        };
        let (ours, others) = (shown(true), shown(false));
        if !ours.is_empty() {
            let seen = format!(
                "the application is shown the client's own {}",
                ours.join(", ")
            );
            self.problem("url-identity", &tried, seen, CLEAR);
            return;
        }
        if is_cached(&asked.reply) {
            let seen = "a cache answered with a page that an account was shown before";
            let mend = "do not cache what is protected, or put the cookie and Authorization into the \
                        cache's key";
            self.add(Finding::warning("url-cache", &tried, seen, mend));
        }
        let through = match others.as_slice() {
            [] => "none of them is seen in the answer".to_owned(),
            names => format!(
                "of Hallpass's own none is seen in the answer, and {} came through: see that the \
                 application does not believe it",
                names.join(", ")
            ),
        };
        self.add(Finding::ok("url-identity", tried, through));
    }
}
