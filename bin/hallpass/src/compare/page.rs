//! Asks a page of the running site who is logged in, where its software cannot be asked itself.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, bail};
use hallpass_core::{
    Authenticator, ClaimedName, Configuration, Credential, Deadline, Request, Secret, Verdict,
};
use hallpass_settings::Document;
use hallpass_sites::compare::{About, Question};
use hallpass_sites::http::HttpTable;
use hallpass_stores::sql::Location;
use serde_json::{Value, json};

use crate::options::PageOptions;

/// A page of the site that says whose session it is asked with.
pub struct Page {
    configuration: Configuration,
    authenticator: Authenticator,
    pub about: About,
}

impl Page {
    /// The page of `options`, for the site of `configuration`, which has been read for it alone.
    ///
    /// # Errors
    /// When the address, the cookie or the place of the name is not valid.
    pub fn new(mut configuration: Configuration, options: &PageOptions) -> anyhow::Result<Self> {
        let url = options.url.as_deref().context("--url is missing")?;
        if configuration.http.is_some() {
            bail!(
                "the configuration has the site's page asked for sessions: there is nothing to compare it with"
            );
        }
        let username = match options.name_at.split_once("header:") {
            Some(("", header)) => format!("{{ header = {} }}", Value::from(header)),
            _ => Value::from(options.name_at.as_str()).to_string(),
        };
        let mut text = format!(
            "[http]\nurl = {}\nusername = {username}\n",
            Value::from(url)
        );
        if let Some(cookie) = &options.cookie {
            text.push_str(&format!("cookie = {}\n", Value::from(cookie.as_str())));
        }
        let document = Document::parse(Path::new("the options of compare"), &text)?;
        let section = document.top().section("http")?;
        let table: HttpTable = section.read()?;
        let http = table.resolve(&section, configuration.session_cookie_name())?;
        configuration.http = Some(http);
        // The page's word is all there is.
        configuration.database.location = Location::Nowhere;
        Ok(Self {
            authenticator: Authenticator::new(&configuration),
            configuration,
            about: About {
                software: format!("The page {url}"),
                notes: vec![
                    "accounts, groups and passwords: a page tells of sessions alone".to_owned(),
                ],
                accounts: false,
            },
        })
    }

    /// The answer to `question`.
    pub fn ask(&mut self, question: &Question<'_>) -> Value {
        let Question::Session { token } = question else {
            let listing = json!({
                "accounts": { "names": [], "count": 0 },
                "sessions": [],
                "unlisted": "a page does not tell which ones there are, and those were asked about that Hallpass lists",
            });
            return json!({ "answer": listing });
        };
        let credential = Credential::Session(Secret::new(*token));
        let request = Request::new(ClaimedName::Nameless, credential);
        let deadline = Deadline::after(self.configuration.limits.deadline);
        match self
            .authenticator
            .answer(&request, SystemTime::now(), deadline)
        {
            Verdict::Granted(identity) => json!({ "answer": { "id": "", "name": identity.name } }),
            Verdict::Denied(_) => json!({ "answer": null }),
            Verdict::Unavailable(cause) => json!({ "cannot": cause.to_string() }),
        }
    }
}
