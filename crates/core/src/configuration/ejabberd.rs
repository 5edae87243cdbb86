//! Reads `[ejabberd]`: how `hallpass-ejabberd` answers.

use hallpass_stores::http::Url;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// How `hallpass-ejabberd` asks and answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Ejabberd {
    /// What the password field may contain, tried in this order: `"password"`, `"session"` (the
    /// value of the site's session cookie, for a session of the same account), `"ticket"`.
    pub accept: Vec<EjabberdAccepted>,
    /// The XMPP domains that are served; requests for others are denied. Empty: all.
    pub domains: Vec<String>,
    /// Whether XEP-0106 escapes in names are undone, and `user%domain` may mean `user@domain`.
    pub unescape_jid: bool,
    /// Whether names that differ only in case are the same. XMPP servers fold names to lower case,
    /// `ß` to `ss`, and compose letters from their accents.
    pub ignore_case: bool,
    /// `true`: [setpass, tryregister and removeuser](ejabberd.md#changes-of-accounts) change
    /// accounts. Django only, and not with `[access] passwords = false`.
    pub account_changes: bool,
    /// The answer when a store is unavailable: `"error"`, which ejabberd 18.06 and later reports as
    /// a failure and does not cache, or `"no"`, for older versions and MongooseIM.
    pub unavailable: WhenUnavailable,
    /// How ejabberd is told [to end a connection](ejabberd.md#ending-connections) when the session
    /// or ticket that let it in has ended, or the account or its password has changed: the URL of
    /// ejabberd's `mod_http_api`, as in `"http://127.0.0.1:5281/api"`, or `"ejabberdctl"`.
    pub kick: Option<Kick>,
    /// Whether the configuration has the table at all.
    #[serde(skip)]
    pub configured: bool,
}

/// What the password field of an ejabberd question may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
pub enum EjabberdAccepted {
    /// The account's password.
    Password,
    /// The value of the site's session cookie, for a session of the account.
    Session,
    /// A ticket for such a session.
    Ticket,
}

/// What ejabberd is told when a store cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
pub enum WhenUnavailable {
    /// A frame that ejabberd 18.06 and later reports as a failure and does not cache.
    Error,
    /// No.
    No,
}

/// How ejabberd is told to end a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kick {
    /// By `mod_http_api` at this URL, to which `/COMMAND` is added.
    Api(Url),
    /// By the program `ejabberdctl`.
    Ejabberdctl,
}

impl<'de> Deserialize<'de> for Kick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "ejabberdctl" {
            return Ok(Self::Ejabberdctl);
        }
        let wrong = |message| {
            D::Error::custom(format!(
                "{message}: write \"ejabberdctl\", or the URL of mod_http_api, as in \
                 \"http://127.0.0.1:5281/api\""
            ))
        };
        let url: Url = text.parse().map_err(wrong)?;
        if text.contains(['?', '#']) {
            return Err(wrong("has a query in it"));
        }
        Ok(Self::Api(url))
    }
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use serde::{Serialize, Serializer};

    use super::Kick;

    impl Serialize for Kick {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self {
                Self::Api(url) => serializer.collect_str(url),
                Self::Ejabberdctl => serializer.serialize_str("ejabberdctl"),
            }
        }
    }

    impl JsonSchema for Kick {
        fn schema_name() -> Cow<'static, str> {
            "Kick".into()
        }

        fn inline_schema() -> bool {
            true
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "string", "pattern": "^(ejabberdctl|https?://.+)$" })
        }
    }
}

impl Ejabberd {
    /// Whether sessions are accepted, themselves or by tickets.
    #[must_use]
    pub fn accepts_sessions(&self) -> bool {
        let mut accepted = self.accept.iter();
        accepted.any(|it| matches!(it, EjabberdAccepted::Session | EjabberdAccepted::Ticket))
    }
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
            kick: None,
            configured: false,
        }
    }
}
