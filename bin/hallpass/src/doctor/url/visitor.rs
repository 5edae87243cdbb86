//! Sends the requests, and follows a page that has only moved.

use std::time::Duration;

use hallpass_core::Deadline;
use hallpass_stores::http::{Probe, Reply, Url, probe};
use hallpass_stores::{Tls, Unavailable};
use zeroize::Zeroizing;

use super::answer::{Access, access, words};

/// How long one request may take.
const LONGEST_REQUEST: Duration = Duration::from_secs(15);
/// How often a page may have moved.
const MOST_MOVES: usize = 3;

/// Asks one page.
pub struct Visitor<'a> {
    url: Url,
    tls: &'a Tls,
    login_url: Option<String>,
    deadline: Deadline,
}

/// An answer, and what it means.
pub struct Asked {
    pub access: Access,
    pub words: String,
    pub reply: Reply,
}

impl<'a> Visitor<'a> {
    /// A visitor of `url`. All that it asks takes no longer than `longest`.
    pub fn new(url: &Url, tls: &'a Tls, login_url: Option<String>, longest: Duration) -> Self {
        Self {
            url: url.clone(),
            tls,
            login_url,
            deadline: Deadline::after(longest),
        }
    }

    /// The page.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Asks without a credential, and goes to where the page has moved: to TLS, or to its path with
    /// a slash at the end.
    pub fn arrive(&mut self) -> Result<Asked, Unavailable> {
        let mut asked = self.ask("", Vec::new())?;
        for _ in 0..MOST_MOVES {
            let location = asked.reply.header("Location").unwrap_or_default();
            let to = self.url.led_to(&location).filter(|to| {
                let same = |one: &str, other: &str| {
                    one.trim_end_matches('/') == other.trim_end_matches('/')
                };
                to.to_string() != self.url.to_string() && same(to.path(), self.url.path())
            });
            match to {
                Some(to) if (300..400).contains(&asked.reply.status) => self.url = to,
                _ => break,
            }
            asked = self.ask("", Vec::new())?;
        }
        Ok(asked)
    }

    /// Asks with `headers`.
    pub fn ask(
        &self,
        method: &str,
        headers: Vec<(&str, Zeroizing<Vec<u8>>)>,
    ) -> Result<Asked, Unavailable> {
        let request = Probe {
            method,
            headers,
            body: b"",
        };
        let deadline = self.deadline.at_most(LONGEST_REQUEST);
        let reply = probe(&self.url, self.tls, &request, deadline)?;
        Ok(Asked {
            access: access(&reply),
            words: words(&reply, &self.url, self.login_url.as_deref()),
            reply,
        })
    }
}
