//! Asks with an account's own session and password, and as others after it.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallpass_core::doctor::Finding;
use hallpass_core::{ClaimedName, Client, Conditions, Credential, Request, Secret, Verdict};
use hallpass_runtime::SiteClient;
use zeroize::Zeroizing;

use super::answer::Access;
use super::{ASK, Look};
use crate::terminal::plain;

const CACHED: &str = "a client gets what the account before it got";
const CACHE: &str = "the host caches the answer for all: put the session cookie and Authorization into \
                     the cache's key, or do not cache (docs/http.md)";

impl Look<'_> {
    /// The account of `session`.
    pub(super) fn session(&mut self, session: &Secret, seed: &str) {
        let tried = "ask with the session of --session";
        let Some(header) = self.cookie_header(session) else {
            self.problem(
                "url-account",
                tried,
                "not asked: the name of the session cookie is not known",
                "name it with --cookie, or the site's configuration with --config",
            );
            return;
        };
        let credential = match self.cookie.is_some() {
            true => Credential::Session(Secret::new(session.expose())),
            false => Credential::Cookies(Secret::new(session.expose())),
        };
        let own = self.own_verdict(ClaimedName::Nameless, credential);
        let headers = || vec![("Cookie", header.clone())];
        if !self.account(tried, headers(), own.as_ref()) {
            return;
        }
        self.forged(headers(), "the account", seed);
        let tried = "ask with the session, and with a made-up name by Basic";
        let name = format!("{seed}-basic-end");
        let mut both = headers();
        both.push(("Authorization", basic(&name, seed.as_bytes())));
        if let Ok(asked) = self.visitor.ask("", both)
            && asked.access == Access::Granted
            && asked.reply.shows(&name)
        {
            self.problem(
                "url-basic-name",
                tried,
                "the application is told the name that the client wrote, which nobody checked",
                "take the name from Hallpass's answer, and remove Authorization where ?basic=0 is \
                 asked (docs/http.md)",
            );
        }
        self.after_account(&header, seed);
    }

    /// The account of `user`, by its password.
    pub(super) fn password(&mut self, user: &str, password: &Secret, seed: &str) {
        if self.has_problem("url-password") {
            return;
        }
        let tried = format!("ask as {} with a wrong password", plain(user));
        let headers = vec![("Authorization", basic(user, seed.as_bytes()))];
        let open = ("a wrong password gets in", ASK);
        self.refused("url-password", &tried, "", headers, open);
        let tried = format!("ask as {} with the password", plain(user));
        let credential = Credential::Password(Secret::new(password.expose()));
        let own = self.own_verdict(ClaimedName::Named(user.to_owned()), credential);
        let header = basic(user, password.expose());
        let headers = || vec![("Authorization", header.clone())];
        if self.account(&tried, headers(), own.as_ref()) {
            self.forged(headers(), "the account", seed);
            let tried = format!(
                "ask as {} with a wrong password, after the right one",
                plain(user)
            );
            let headers = vec![("Authorization", basic(user, seed.as_bytes()))];
            self.refused("url-cache", &tried, "", headers, (CACHED, CACHE));
        }
    }

    /// Whether the account is let in as Hallpass itself says.
    fn account(
        &mut self,
        tried: &str,
        headers: Vec<(&str, Zeroizing<Vec<u8>>)>,
        own: Option<&Verdict>,
    ) -> bool {
        let asked = match self.visitor.ask("", headers) {
            Ok(asked) => asked,
            Err(cause) => {
                self.problem(
                    "url-answer",
                    tried,
                    cause.to_string(),
                    "read the host's error log",
                );
                return false;
            }
        };
        let words = &asked.words;
        let hallpass = match own {
            Some(Verdict::Granted(identity)) => format!("grants it to {}", plain(&identity.name)),
            Some(Verdict::Denied(reason)) => format!("denies it: {}", reason.word()),
            Some(Verdict::Unavailable(_)) => "cannot say".to_owned(),
            None => "is not asked here".to_owned(),
        };
        let seen = match asked.access {
            Access::Granted => format!("let in: {words}; Hallpass {hallpass}"),
            _ if asked.reply.status == 403 => {
                format!("known, and not permitted: {words}; Hallpass {hallpass}")
            }
            _ => format!("refused: {words}; Hallpass {hallpass}"),
        };
        match (asked.access, own) {
            (Access::Broken, _) => self.odd(tried, Access::Broken, words),
            (Access::Granted, Some(Verdict::Denied(_))) => self.problem(
                "url-account",
                tried,
                seen,
                "see that the host asks for this site and caches no answer; `hallpass explain` says \
                 why it is denied",
            ),
            (Access::Refused, Some(Verdict::Granted(_))) if asked.reply.status != 403 => self
                .problem(
                    "url-account",
                    tried,
                    seen,
                    "see that the host passes Cookie and Authorization on to Hallpass, and that this \
                     credential is accepted there; on its machine, `hallpass doctor --host` says what \
                     is wrong",
                ),
            (Access::Refused, Some(Verdict::Denied(_))) => self.add(Finding::warning(
                "url-account",
                tried,
                seen,
                "log in at the site and take the new session, or the right password",
            )),
            (Access::Refused, _) if asked.reply.status != 403 => self.add(Finding::warning(
                "url-account",
                tried,
                seen,
                "see that the session is live, or the password right: `hallpass explain` on the \
                 host's machine says so",
            )),
            _ => self.add(Finding::ok("url-account", tried, seen)),
        }
        asked.access == Access::Granted
    }

    /// Whether others get what the account got.
    fn after_account(&mut self, header: &Zeroizing<Vec<u8>>, seed: &str) {
        let tried = "ask without a credential, after the account";
        let open = (CACHED, CACHE);
        if self
            .refused("url-cache", tried, "", Vec::new(), open)
            .is_none()
        {
            return;
        }
        if self.has_problem("url-session") {
            return;
        }
        let tried = "ask with a session that does not exist, after the account";
        let name = header.iter().position(|it| *it == b'=').unwrap_or_default();
        let mut other = header.get(..=name).unwrap_or_default().to_vec();
        other.extend_from_slice(format!("{seed}{seed}").as_bytes());
        self.refused("url-cache", tried, "", vec![("Cookie", other.into())], open);
    }

    /// The header that shows `session`; where no cookie has a name, it is the whole header.
    fn cookie_header(&self, session: &Secret) -> Option<Zeroizing<Vec<u8>>> {
        let value = session.expose();
        let mut header = Zeroizing::new(Vec::with_capacity(value.len() + 256));
        match &self.cookie {
            Some(cookie) => {
                header.extend_from_slice(cookie.as_bytes());
                header.push(b'=');
            }
            None if self.configuration.is_none() => return None,
            None => {}
        }
        header.extend_from_slice(value);
        Some(header)
    }

    /// What Hallpass itself says, where it knows the site.
    fn own_verdict(&self, name: ClaimedName, credential: Credential) -> Option<Verdict> {
        let configuration = self.configuration.as_ref()?;
        let mut site = SiteClient::of_stores(Arc::clone(configuration));
        let request = Request {
            name,
            credential,
            conditions: Conditions::default(),
            wants_groups: false,
            client: Client::default(),
        };
        let deadline = site.deadline(Instant::now());
        Some(site.ask(request, deadline))
    }
}

/// The header of Basic for `name` and `password` (RFC 7617).
pub(super) fn basic(name: &str, password: &[u8]) -> Zeroizing<Vec<u8>> {
    let plain = Zeroizing::new([name.as_bytes(), b":", password].concat());
    let mut header = Zeroizing::new(Vec::with_capacity(8 + 2 * plain.len()));
    header.extend_from_slice(b"Basic ");
    let encoded = Zeroizing::new(STANDARD.encode(&*plain));
    header.extend_from_slice(encoded.as_bytes());
    header
}
