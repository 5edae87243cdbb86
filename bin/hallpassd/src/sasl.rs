//! Reads a login of a SASL host: the account, and the name that the host continues with.

use std::net::IpAddr;

use hallpass_core::{ClaimedName, Client, Credential, Secret};

use crate::credentials::Shown;
use crate::endpoint::Endpoint;
use crate::site::{Inquiry, ServedSite};
use crate::sockets::Peer;

/// The request of a host, the `peer`, that asks at `endpoint` for a `service` whether the account
/// called `name` of `site` has this password, for a client that the host says is at the address
/// `client`.
pub fn login<'a>(
    endpoint: &Endpoint,
    site: &ServedSite,
    peer: Peer,
    name: &str,
    password: Secret,
    service: Option<&'a str>,
    client: Option<IpAddr>,
) -> Inquiry<'a> {
    let local = without_realm(name, &site.configuration.daemon.sasl_realms);
    let claimed = ClaimedName::Named(local.to_owned());
    let shown = Shown::of(claimed, Credential::Password(password));
    let client = Client::at(client.filter(|_| site.trusts(peer)));
    Inquiry {
        host: service,
        for_paths: true,
        whole_name: (local != name).then(|| name.to_owned()),
        ..Inquiry::new(endpoint.word, Ok(shown), client)
    }
}

/// The site's own name of the account that a host calls `name`: without its realm, if that is one
/// of `realms`, which add nothing to a name. The host continues with `name`, so that must not mean
/// another account.
fn without_realm<'a>(name: &'a str, realms: &[String]) -> &'a str {
    match name.rsplit_once('@') {
        Some((local, realm)) if realms.iter().any(|known| known.eq_ignore_ascii_case(realm)) => {
            local
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_realms_are_taken_off() {
        let realms = ["example.org".to_owned()];
        for (name, local) in [
            ("alice", "alice"),
            ("alice@example.org", "alice"),
            ("alice@EXAMPLE.org", "alice"),
            ("alice@example.org@example.org", "alice@example.org"),
            ("alice@example.com", "alice@example.com"),
            ("alice@mail.example.org", "alice@mail.example.org"),
            ("alice@", "alice@"),
            ("@example.org", ""),
        ] {
            assert_eq!(without_realm(name, &realms), local, "{name}");
        }
        assert_eq!(without_realm("alice@example.org", &[]), "alice@example.org");
    }
}
