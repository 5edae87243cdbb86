//! Carries out one operation: asks the site, and writes the response.

use std::time::Duration;

use hallpass_core::configuration::LoginField;
use hallpass_core::{
    ClaimedName, Client, Credential, Deadline, Identity, Request, Secret, Verdict,
};
use tokio::sync::mpsc;

use super::ENDPOINT;
use super::directory::Directory;
use super::message::{
    self, BIND_RESPONSE, Bind, COMPARE_RESPONSE, Code, Operation, SEARCH_DONE, START_TLS, Scope,
    Search, WHO_AM_I,
};
use super::name::Place;
use super::paging::{Pages, Position};
use super::reader::{Reader, Refusal};
use super::search::Searching;
use crate::credentials::Shown;
use crate::endpoint::Caller;
use crate::site::{Inquiry, ServedSite};

/// The account that a connection is bound as.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The name that it logs in by, as stored.
    name: String,
    /// Its primary key.
    id: String,
}

/// What a connection is when an operation begins.
#[derive(Clone, Debug)]
pub struct State {
    pub bound: Option<Bound>,
    pub is_tls: bool,
    pub pages: Pages,
}

/// What comes of an operation.
#[derive(Debug)]
pub struct Outcome {
    /// The response.
    pub response: Vec<u8>,
    /// Whom the connection is bound as from now on; `None` where that does not change.
    pub bound: Option<Option<Bound>>,
    /// Its paged searches from now on; `None` where they do not change.
    pub pages: Option<Pages>,
    /// Whether TLS begins behind the response.
    pub starts_tls: bool,
}

impl Outcome {
    fn of(response: Vec<u8>) -> Self {
        Self {
            response,
            bound: None,
            pages: None,
            starts_tls: false,
        }
    }
}

/// Carries out `operation`, which has the number `id`. The entries that it finds go to `entries`.
pub async fn operate(
    caller: Caller,
    state: State,
    id: i32,
    operation: Operation,
    entries: mpsc::Sender<Vec<u8>>,
) -> Outcome {
    let site = caller.site();
    let directory = &site.directory;
    match operation {
        Operation::Bind(bind) => {
            let (code, message, bound) = match bind_as(&caller, &site, &state, bind).await {
                Ok(bound) => (Code::Success, "", bound),
                Err(Refusal { code, message, .. }) => (code, message, None),
            };
            // A failed bind makes the connection anonymous (RFC 4513, section 4).
            Outcome {
                bound: Some(bound),
                ..Outcome::of(message::response(id, BIND_RESPONSE, code, "", message))
            }
        }
        Operation::Search(search) => {
            let result = searched(&caller, &site, &state, id, &search, &entries).await;
            found(id, &search, state.pages, result)
        }
        Operation::Compare(compare) => {
            let client = client(&caller, &site);
            let deadline = Deadline::after(site.configuration.limits.deadline);
            let reader = Reader {
                site: &site,
                directory,
                client: &client,
                deadline,
            };
            let result = match may_look(&caller, &site, &state, deadline).await {
                Ok(()) => reader.compare(&compare).await,
                Err(refusal) => Err(refusal),
            };
            let (code, refusal) = match result {
                Ok(true) => (Code::CompareTrue, None),
                Ok(false) => (Code::CompareFalse, None),
                Err(refusal) => (Code::OperationsError, Some(refusal)),
            };
            Outcome::of(done(id, COMPARE_RESPONSE, code, refusal))
        }
        Operation::Extended(name) => extended(directory, &state, id, &name),
        // The connection sees to these.
        Operation::Unbind | Operation::Abandon(_) => Outcome::of(Vec::new()),
    }
}

/// What comes of the search with the number `id`, that found `result`: where its next page begins.
fn found(
    id: i32,
    search: &Search,
    mut pages: Pages,
    result: Result<Option<Position>, Refusal>,
) -> Outcome {
    let next = match (&search.page, result) {
        // A client may ask again for a page that it did not get.
        (_, Err(refusal)) => {
            return Outcome::of(done(id, SEARCH_DONE, Code::Success, Some(refusal)));
        }
        (None, Ok(_)) => return Outcome::of(done(id, SEARCH_DONE, Code::Success, None)),
        (Some(page), Ok(next)) => {
            pages.end(&page.cookie);
            next.map(|position| pages.keep(search.fingerprint, position))
        }
    };
    let cookie = next.as_ref().map_or(&[][..], |cookie| cookie.as_slice());
    Outcome {
        pages: Some(pages),
        ..Outcome::of(message::page_done(id, cookie))
    }
}

/// The response with `code`, or with what `refusal` says.
fn done(id: i32, tag: u8, code: Code, refusal: Option<Refusal>) -> Vec<u8> {
    match refusal {
        None => message::response(id, tag, code, "", ""),
        Some(it) => message::response(id, tag, it.code, &it.matched, it.message),
    }
}

fn extended(directory: &Directory, state: &State, id: i32, name: &str) -> Outcome {
    match name {
        WHO_AM_I => {
            let bound = state.bound.as_ref();
            let dn = |bound: &Bound| format!("dn:{}", directory.tree.person(&bound.name));
            let whom = bound.map(dn).unwrap_or_default();
            Outcome::of(message::extended(id, Code::Success, "", None, Some(&whom)))
        }
        START_TLS if state.is_tls => {
            let message = "TLS is there already";
            let code = Code::OperationsError;
            Outcome::of(message::extended(id, code, message, Some(START_TLS), None))
        }
        START_TLS if directory.tls.is_some() => {
            let response = message::extended(id, Code::Success, "", Some(START_TLS), None);
            // Without TLS, an attacker on the way may have sent the earlier bind.
            Outcome {
                bound: Some(None),
                starts_tls: true,
                ..Outcome::of(response)
            }
        }
        _ => {
            let message = "the operation is not supported";
            Outcome::of(message::extended(
                id,
                Code::ProtocolError,
                message,
                None,
                None,
            ))
        }
    }
}

/// The account that `bind` proves; `None` for an anonymous one.
async fn bind_as(
    caller: &Caller,
    site: &ServedSite,
    state: &State,
    bind: Bind,
) -> Result<Option<Bound>, Refusal> {
    let refuse = |code, message| Err(Refusal::new(code, message));
    if bind.version != 3 {
        return refuse(Code::ProtocolError, "only version 3 is supported");
    }
    let Some(password) = bind.password else {
        return refuse(
            Code::AuthMethodNotSupported,
            "only simple binds are supported",
        );
    };
    let is_empty = password.expose().is_empty();
    let place = site.directory.tree.place(&bind.dn);
    let invalid = || Refusal::new(Code::InvalidCredentials, "");
    let name = match place {
        None => return refuse(Code::InvalidDnSyntax, "the name cannot be read"),
        Some(Place::Root) if is_empty => return Ok(None),
        // It would look like a login to a program that does not look at the password (RFC 4513,
        // section 5.1.2).
        _ if is_empty => {
            return refuse(
                Code::UnwillingToPerform,
                "a bind with a name needs a password",
            );
        }
        _ if !state.is_tls && !caller.peer.is_local() => {
            return refuse(Code::ConfidentialityRequired, "passwords need TLS");
        }
        Some(Place::Person(name)) => name,
        Some(_) => return Err(invalid()),
    };
    match decide(caller, site, &name, password).await {
        Verdict::Granted(identity) => Ok(Some(Bound::new(site, *identity))),
        Verdict::Denied(_) => Err(invalid()),
        Verdict::Unavailable(unavailable) => Err(unavailable.into()),
    }
}

impl Bound {
    fn new(site: &ServedSite, identity: Identity) -> Self {
        let login = &site.configuration.access.lookup.login;
        let by_name = login.contains(&LoginField::Username);
        Self {
            name: if by_name {
                identity.name
            } else {
                identity.email
            },
            id: identity.id,
        }
    }
}

async fn decide(caller: &Caller, site: &ServedSite, name: &str, password: Secret) -> Verdict {
    let claimed = ClaimedName::Named(name.to_owned());
    let shown = Shown::of(claimed, Credential::Password(password));
    let inquiry = Inquiry {
        wants_groups: false,
        // Names of LDAP have no case.
        ignore_case: true,
        for_paths: true,
        ..Inquiry::new(ENDPOINT.word, Ok(shown), client(caller, site))
    };
    site.decide(inquiry).await
}

/// The client as far as it is known: an address whose passwords are all its own. A host that is
/// trusted asks for many people, and LDAP does not say for whom.
fn client(caller: &Caller, site: &ServedSite) -> Client {
    let address = caller.peer.address();
    Client::at(address.filter(|_| !site.trusts(caller.peer)))
}

/// Whether the connection may look at entries: programs of this machine, and those who are bound and
/// would be let in still.
async fn may_look(
    caller: &Caller,
    site: &ServedSite,
    state: &State,
    deadline: Deadline,
) -> Result<(), Refusal> {
    if caller.peer.is_local() {
        return Ok(());
    }
    let refusal = |message| Refusal::new(Code::InsufficientAccessRights, message);
    let bound = state.bound.as_ref();
    let bound = bound.ok_or_else(|| refusal("bind first"))?;
    let request = Request {
        client: client(caller, site),
        ..Request::new(ClaimedName::Named(bound.name.clone()), Credential::Vouched)
    };
    match site.engine.ask(request, true, deadline).await {
        Verdict::Granted(identity) if identity.id == bound.id => Ok(()),
        Verdict::Granted(_) | Verdict::Denied(_) => Err(refusal("the account is closed")),
        Verdict::Unavailable(unavailable) => Err(unavailable.into()),
    }
}

async fn searched(
    caller: &Caller,
    site: &ServedSite,
    state: &State,
    id: i32,
    search: &Search,
    entries: &mpsc::Sender<Vec<u8>>,
) -> Result<Option<Position>, Refusal> {
    let mut most = site.configuration.limits.deadline;
    if search.time_limit > 0 {
        most = most.min(Duration::from_secs(search.time_limit));
    }
    let deadline = Deadline::after(most);
    let directory = &site.directory;
    // What the server itself is, everybody may know.
    let place = directory.tree.place(&search.base);
    let is_open = search.scope == Scope::Base && matches!(place, Some(Place::Root | Place::Schema));
    if !is_open {
        may_look(caller, site, state, deadline).await?;
    }
    let from = match &search.page {
        None => Position::first(),
        // The client ends the paged search.
        Some(page) if page.size == 0 => return Ok(None),
        Some(page) if page.cookie.is_empty() => Position::first(),
        Some(page) => {
            let position = state.pages.find(&page.cookie, search.fingerprint);
            let message = "the cookie is not of this search, or too old";
            position.ok_or_else(|| Refusal::new(Code::UnwillingToPerform, message))?
        }
    };
    let client = client(caller, site);
    let reader = Reader {
        site,
        directory,
        client: &client,
        deadline,
    };
    let search = Searching::new(reader, id, search, from, entries);
    search.run().await
}
