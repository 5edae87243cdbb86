//! `[ejabberd]`

use super::Error;
use super::section::Section;

/// How `hallpass-ejabberd` asks and answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ejabberd {
    /// What the password field may hold, in the order in which it is tried.
    pub accept: Vec<EjabberdAccepted>,
    /// The XMPP domains that are answered for; empty for all.
    pub domains: Vec<String>,
    /// Whether XEP-0106 escapes in names are undone.
    pub unescape_jid: bool,
    /// Whether names that differ in case alone are the same.
    pub ignore_case: bool,
    /// Whether accounts can be registered, deactivated, and given other passwords.
    pub account_changes: bool,
    /// What is said when nothing can be said.
    pub unavailable: WhenUnavailable,
    /// Whether the configuration has the table at all.
    pub configured: bool,
}

/// What the password field of an ejabberd question may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EjabberdAccepted {
    /// The account's password.
    Password,
    /// The value of the site's session cookie, for a session of the account.
    Session,
    /// A ticket for such a session.
    Ticket,
}

/// What ejabberd is told when a store cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnavailable {
    /// A frame that ejabberd 18.06 and later reports as a failure and does not cache.
    Error,
    /// No.
    No,
}

impl Default for Ejabberd {
    fn default() -> Self {
        Self {
            accept: vec![EjabberdAccepted::Password],
            domains: Vec::new(),
            unescape_jid: true,
            ignore_case: true,
            account_changes: false,
            unavailable: WhenUnavailable::Error,
            configured: false,
        }
    }
}

impl Ejabberd {
    pub(super) fn read(mut section: Section<'_>) -> Result<Self, Error> {
        let default = Self::default();
        let accept = match section.strings("accept")? {
            None => default.accept,
            Some(words) => {
                let word = |word: String| match word.as_str() {
                    "password" => Ok(EjabberdAccepted::Password),
                    "session" => Ok(EjabberdAccepted::Session),
                    "ticket" => Ok(EjabberdAccepted::Ticket),
                    _ => {
                        let may = "may hold \"password\", \"session\" and \"ticket\"";
                        Err(section.wrong("accept", may))
                    }
                };
                words.into_iter().map(word).collect::<Result<_, _>>()?
            }
        };
        let unavailable = match section.string("unavailable")?.as_deref() {
            None => default.unavailable,
            Some("error") => WhenUnavailable::Error,
            Some("no") => WhenUnavailable::No,
            Some(_) => {
                return Err(section.wrong("unavailable", "is neither \"error\" nor \"no\""));
            }
        };
        let ejabberd = Self {
            accept,
            domains: section.strings("domains")?.unwrap_or_default(),
            unescape_jid: section
                .boolean("unescape_jid")?
                .unwrap_or(default.unescape_jid),
            ignore_case: section
                .boolean("ignore_case")?
                .unwrap_or(default.ignore_case),
            account_changes: section
                .boolean("account_changes")?
                .unwrap_or(default.account_changes),
            unavailable,
            configured: section.is_there(),
        };
        section.finish()?;
        Ok(ejabberd)
    }
}
