//! Says to which addresses browsers send the session cookie: hosts must be among them.

use serde::Deserialize;

use super::Page;

/// What a site says of its session cookie. Empty is what was not said.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct SessionCookie {
    pub domain: String,
    pub path: String,
    pub same_site: String,
    pub secure: bool,
}

impl Page {
    /// Notes where browsers send the session cookie (RFC 6265, section 5.4).
    pub(crate) fn session_cookie(&mut self, cookie: &SessionCookie) {
        let mut told = match cookie.domain.trim_start_matches('.') {
            "" => "to the site's own host name alone".to_owned(),
            domain => format!("to {domain} and all names below it"),
        };
        if !matches!(cookie.path.as_str(), "" | "/") {
            told.push_str(&format!(", for paths below {}", cookie.path));
        }
        if cookie.secure {
            told.push_str(", by HTTPS alone");
        }
        if cookie.same_site.eq_ignore_ascii_case("strict") {
            told.push_str(", and not where a page of another site leads (SameSite=Strict)");
        }
        let told = format!("browsers send the session cookie {told}");
        self.note(&format!("{told}: a host elsewhere never gets it."));
        self.cookie = Some(told);
    }
}
