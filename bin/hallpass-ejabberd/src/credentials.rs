//! What the password field may hold.

use hallpass_core::configuration::EjabberdAccepted;
use hallpass_core::{ClaimedName, Credential, Deadline, Reason, Request, Secret, Verdict};
use hallpass_runtime::Open;

/// The verdict on `password` for the user `name`: taken for each of what is accepted in turn, until
/// it is granted, or nobody can say.
pub fn ask(site: &mut Open, name: &str, password: &Secret, deadline: Deadline) -> Verdict {
    let mut verdict = Verdict::Denied(Reason::Malformed);
    for accepted in site.configuration.ejabberd.accept.clone() {
        if accepted == EjabberdAccepted::Password
            && let Some(verdict) = token(site, name, password, deadline)
        {
            return verdict;
        }
        let secret = Secret::new(password.expose());
        let credential = match accepted {
            EjabberdAccepted::Password => Credential::Password(secret),
            EjabberdAccepted::Session => Credential::Session(secret),
            EjabberdAccepted::Ticket => Credential::Ticket(secret),
        };
        verdict = site.ask(about(name, credential), deadline);
        if !matches!(verdict, Verdict::Denied(_)) {
            break;
        }
    }
    verdict
}

/// The verdict on a password that is a token of the site's; `None` where it is none.
fn token(site: &mut Open, name: &str, password: &Secret, deadline: Deadline) -> Option<Verdict> {
    if !site.configuration.reads_tokens() {
        return None;
    }
    let token = Credential::Token(Secret::new(password.expose()));
    let question = about(name, token);
    match site.ask(question, deadline) {
        Verdict::Denied(Reason::NoSession) => None,
        verdict => Some(verdict),
    }
}

/// A question about the user `name`, under whose JID ejabberd goes on.
fn about(name: &str, credential: Credential) -> Request {
    Request::new(ClaimedName::Named(name.to_owned()), credential)
}
