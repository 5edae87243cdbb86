//! Encodes requests and verdicts between the programs and hallpassd: JSON objects, with secrets in
//! base64, because they may not be text.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallpass_core::{
    ClaimedName, Client, Conditions, Credential, Decoding, Identity, PasswordStamp, Reason,
    Request, Requirement, Secret, Session, Unavailable, Verdict,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A request of a program to hallpassd.
#[derive(Debug)]
pub struct RemoteRequest {
    /// The request.
    pub request: Request,
    /// The program that asks.
    pub host: String,
    /// Whether names are compared without regard to case, as XMPP servers do.
    pub ignore_case: bool,
    /// The time until the program's deadline.
    pub time: Duration,
    /// Whether this was let in before and is looked at again.
    pub recheck: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    host: String,
    milliseconds: u64,
    ignore_case: bool,
    name: Claimed,
    credential: Presented,
    any: Vec<Required>,
    all: Vec<Required>,
    wants_groups: bool,
    address: Option<IpAddr>,
    browser: Option<String>,
    forwarded_for: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    recheck: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Claimed {
    Named(String),
    Nameless,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Presented {
    Password(Zeroizing<String>),
    Session(Zeroizing<String>),
    Cookies(Zeroizing<String>),
    Ticket(Zeroizing<String>),
    Token(Zeroizing<String>),
    Jwt(Zeroizing<String>),
    Vouched,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Required {
    Group(String),
    Permission(String),
    Staff,
    Superuser,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Answer {
    Granted {
        name: String,
        id: String,
        email: String,
        full_name: String,
        groups: Vec<String>,
        session: Option<String>,
        expires: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stamp: Option<u64>,
    },
    /// The reason's word, and after a blank its detail, if any.
    Denied(String),
    Unavailable(String),
}

/// The bytes are not a message of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Writes a request.
#[must_use]
pub fn write_request(
    request: &Request,
    host: &str,
    ignore_case: bool,
    time: Duration,
    recheck: bool,
) -> Zeroizing<Vec<u8>> {
    let secret = |secret: &Secret| Zeroizing::new(STANDARD.encode(secret.expose()));
    let message = Message {
        host: host.to_owned(),
        milliseconds: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
        ignore_case,
        name: match &request.name {
            ClaimedName::Named(name) => Claimed::Named(name.clone()),
            ClaimedName::Nameless => Claimed::Nameless,
        },
        credential: match &request.credential {
            Credential::Password(password) => Presented::Password(secret(password)),
            Credential::Session(token) => Presented::Session(secret(token)),
            Credential::Cookies(header) => Presented::Cookies(secret(header)),
            Credential::Ticket(ticket) => Presented::Ticket(secret(ticket)),
            Credential::Token(token) => Presented::Token(secret(token)),
            Credential::Jwt(token) => Presented::Jwt(secret(token)),
            Credential::Vouched => Presented::Vouched,
        },
        any: required(&request.conditions.any),
        all: required(&request.conditions.all),
        wants_groups: request.wants_groups,
        address: request.client.address,
        browser: request.client.browser.clone(),
        forwarded_for: request.client.forwarded_for.clone(),
        recheck,
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    // Neither the values nor a vector can fail.
    drop(serde_json::to_writer(&mut *bytes, &message));
    bytes
}

/// Reads a request.
///
/// # Errors
/// [`Malformed`].
pub fn read_request(bytes: &[u8]) -> Result<RemoteRequest, Malformed> {
    let message: Message = serde_json::from_slice(bytes).map_err(|_| Malformed)?;
    let secret = |text: &Zeroizing<String>| {
        let bytes = STANDARD.decode(text.as_bytes()).map(Zeroizing::new);
        bytes
            .map(|bytes| Secret::new(&**bytes))
            .map_err(|_| Malformed)
    };
    let credential = match &message.credential {
        Presented::Password(password) => Credential::Password(secret(password)?),
        Presented::Session(token) => Credential::Session(secret(token)?),
        Presented::Cookies(header) => Credential::Cookies(secret(header)?),
        Presented::Ticket(ticket) => Credential::Ticket(secret(ticket)?),
        Presented::Token(token) => Credential::Token(secret(token)?),
        Presented::Jwt(token) => Credential::Jwt(secret(token)?),
        Presented::Vouched => Credential::Vouched,
    };
    let request = Request {
        name: match message.name {
            Claimed::Named(name) => ClaimedName::Named(name),
            Claimed::Nameless => ClaimedName::Nameless,
        },
        credential,
        conditions: Conditions {
            any: requirements(message.any),
            all: requirements(message.all),
        },
        wants_groups: message.wants_groups,
        client: Client {
            address: message.address,
            browser: message.browser,
            forwarded_for: message.forwarded_for,
        },
    };
    Ok(RemoteRequest {
        request,
        host: message.host,
        ignore_case: message.ignore_case,
        time: Duration::from_millis(message.milliseconds),
        recheck: message.recheck,
    })
}

/// Writes a verdict, without how a session was decoded.
#[must_use]
pub fn write_verdict(verdict: &Verdict) -> String {
    let answer = match verdict {
        Verdict::Granted(identity) => {
            let session = identity.session.as_ref();
            let expires = session.and_then(|session| session.expires);
            let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).ok();
            Answer::Granted {
                name: identity.name.clone(),
                id: identity.id.clone(),
                email: identity.email.clone(),
                full_name: identity.full_name.clone(),
                groups: identity.groups.clone(),
                session: session.map(|session| session.digest.clone()),
                expires: expires.and_then(seconds).map(|since| since.as_secs()),
                stamp: identity.stamp.map(|stamp| stamp.0),
            }
        }
        Verdict::Denied(reason) => Answer::Denied(match reason.detail() {
            Some(detail) => format!("{} {detail}", reason.word()),
            None => reason.word().to_owned(),
        }),
        Verdict::Unavailable(unavailable) => Answer::Unavailable(unavailable.to_string()),
    };
    // The values cannot fail.
    serde_json::to_string(&answer).unwrap_or_default()
}

/// Reads a verdict.
///
/// # Errors
/// [`Malformed`].
pub fn read_verdict(bytes: &[u8]) -> Result<Verdict, Malformed> {
    let answer: Answer = serde_json::from_slice(bytes).map_err(|_| Malformed)?;
    Ok(match answer {
        Answer::Granted {
            name,
            id,
            email,
            full_name,
            groups,
            session,
            expires,
            stamp,
        } => Verdict::Granted(Box::new(Identity {
            name,
            id,
            email,
            full_name,
            groups,
            session: session.map(|digest| Session {
                digest,
                expires: expires
                    .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds))),
                decoded: Decoding::default(),
            }),
            stamp: stamp.map(PasswordStamp),
        })),
        Answer::Denied(words) => {
            let (word, detail) = match words.split_once(' ') {
                Some((word, detail)) => (word, Some(detail)),
                None => (words.as_str(), None),
            };
            Verdict::Denied(Reason::from_words(word, detail).ok_or(Malformed)?)
        }
        Answer::Unavailable(cause) => Unavailable::new(cause).into(),
    })
}

fn required(requirements: &[Requirement]) -> Vec<Required> {
    let required = |requirement: &Requirement| match requirement {
        Requirement::Group(name) => Required::Group(name.clone()),
        Requirement::Permission(name) => Required::Permission(name.clone()),
        Requirement::Staff => Required::Staff,
        Requirement::Superuser => Required::Superuser,
    };
    requirements.iter().map(required).collect()
}

fn requirements(required: Vec<Required>) -> Vec<Requirement> {
    let requirement = |required| match required {
        Required::Group(name) => Requirement::Group(name),
        Required::Permission(name) => Requirement::Permission(name),
        Required::Staff => Requirement::Staff,
        Required::Superuser => Requirement::Superuser,
    };
    required.into_iter().map(requirement).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_comes_back_as_it_was() {
        let named = || ClaimedName::Named("zoë".to_owned());
        let secret = || Secret::new(&b"\xff\0"[..]);
        let nameless = ClaimedName::Nameless;
        for (name, credential) in [
            (named(), Credential::Password(secret())),
            (named(), Credential::Session(secret())),
            (nameless.clone(), Credential::Session(secret())),
            (nameless.clone(), Credential::Cookies(secret())),
            (nameless, Credential::Ticket(secret())),
            (named(), Credential::Token(secret())),
            (named(), Credential::Jwt(secret())),
            (named(), Credential::Vouched),
        ] {
            let request = Request {
                name,
                credential,
                conditions: Conditions {
                    any: vec![Requirement::Group("a,b".to_owned()), Requirement::Staff],
                    all: vec![
                        Requirement::Permission("app.x".to_owned()),
                        Requirement::Superuser,
                    ],
                },
                wants_groups: true,
                client: Client {
                    address: "2001:db8::1".parse().ok(),
                    browser: Some("x".to_owned()),
                    forwarded_for: None,
                },
            };
            let bytes = write_request(&request, "test", true, Duration::from_millis(1500), true);
            let remote = read_request(&bytes).unwrap();
            // Debug shows no secret, so those are compared by writing them again.
            assert_eq!(format!("{:?}", remote.request), format!("{request:?}"));
            assert_eq!((remote.host.as_str(), remote.ignore_case), ("test", true));
            assert_eq!(remote.time, Duration::from_millis(1500));
            assert!(remote.recheck);
            let again = write_request(&remote.request, "test", true, remote.time, true);
            assert_eq!(again, bytes);
        }
    }

    #[test]
    fn a_verdict_comes_back_as_it_was() {
        let session = Session {
            digest: "d".to_owned(),
            expires: Some(UNIX_EPOCH + Duration::from_secs(5)),
            decoded: Decoding::default(),
        };
        let identity = Identity {
            name: "zoë".to_owned(),
            id: "7".to_owned(),
            groups: vec!["a".to_owned(), "\"b\"".to_owned()],
            session: Some(session),
            stamp: Some(PasswordStamp(u64::MAX)),
            ..Identity::default()
        };
        let mut verdicts = vec![
            Verdict::Granted(Box::new(identity)),
            Verdict::Granted(Box::default()),
            Unavailable::new("the database is away").into(),
        ];
        verdicts.extend(Reason::ALL.map(Verdict::Denied));
        for verdict in verdicts {
            let text = write_verdict(&verdict);
            assert_eq!(read_verdict(text.as_bytes()), Ok(verdict), "{text}");
        }
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in [
            "",
            "{}",
            "null",
            "\"granted\"",
            "{\"denied\": \"because\"}",
            "{\"denied\": \"inactive because\"}",
            "{\"denied\": \"inactive \"}",
            "{\"denied\": null}",
            "{\"granted\": {}}",
            "{\"granted\": {\"name\": \"alice\"}}",
            "{\"denied\": \"inactive\", \"unavailable\": \"x\"}",
            "<html>",
            // A request that does not say whether its host has a name.
            r#"{"host":"x","milliseconds":1,"ignore_case":false,"credential":{"session":"eA=="},
                "any":[],"all":[],"wants_groups":false,"address":null,"browser":null,
                "forwarded_for":null}"#,
        ] {
            assert_eq!(read_verdict(text.as_bytes()), Err(Malformed), "{text}");
            assert_eq!(read_request(text.as_bytes()).err(), Some(Malformed));
        }
    }
}
