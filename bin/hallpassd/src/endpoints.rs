//! Lists the endpoints, and finds the sockets that the configurations ask for.

use std::borrow::Borrow;

use hallpass_core::Configuration;
use hallpass_core::configuration::Listener;

use crate::endpoint::Endpoint;
use crate::{dovecot, fastcgi, http, ldap, saslauthd};

/// All endpoints, in the order in which their sockets are opened.
pub static ENDPOINTS: [&Endpoint; 7] = [
    &http::ENDPOINT,
    &fastcgi::ENDPOINT,
    &dovecot::ENDPOINT,
    &saslauthd::ENDPOINT,
    &ldap::ENDPOINT,
    &http::STATUS,
    &http::DIALECTS,
];

/// The endpoint of a socket that systemd calls `name`; HTTP where that is not the name of any.
pub fn of_descriptor(name: &str) -> &'static Endpoint {
    let named = |endpoint: &&&'static Endpoint| endpoint.key == name.replace('-', "_");
    ENDPOINTS.iter().find(named).unwrap_or(&&http::ENDPOINT)
}

/// A socket to open.
#[derive(Clone, Debug)]
pub struct ListenerSpec {
    pub endpoint: &'static Endpoint,
    pub listener: Listener,
    /// The site that is asked where no path names another, by its place among the files.
    pub site: usize,
}

/// The sockets that `configurations` ask for, except those of endpoints that systemd has
/// `activated`: each belongs to the file that names it. A socket of an endpoint with paths may be
/// named by several files, since the paths tell the sites apart; it belongs to the first of them.
///
/// # Errors
/// A sentence when two configurations want one socket for different endpoints.
pub fn listeners(
    configurations: &[impl Borrow<Configuration>],
    activated: &[&Endpoint],
) -> Result<Vec<ListenerSpec>, String> {
    let mut specs: Vec<ListenerSpec> = Vec::new();
    // The default socket of HTTP is opened only if no file names another.
    let names_one = |configuration: &Configuration| !configuration.daemon.listens_by_default;
    let any_names_one = configurations.iter().any(|it| names_one(it.borrow()));
    for endpoint in ENDPOINTS {
        if activated.iter().any(|other| other.key == endpoint.key) {
            continue;
        }
        for (site, configuration) in configurations.iter().enumerate() {
            let configuration = configuration.borrow();
            let has_default = std::ptr::eq(endpoint, &raw const http::ENDPOINT);
            if has_default && any_names_one && !names_one(configuration) {
                continue;
            }
            for listener in (endpoint.listeners)(&configuration.daemon) {
                let same =
                    |other: &&ListenerSpec| other.listener.to_string() == listener.to_string();
                match specs.iter().find(same) {
                    None => specs.push(ListenerSpec {
                        endpoint,
                        listener: listener.clone(),
                        site,
                    }),
                    Some(other) if endpoint.has_paths && other.endpoint.key == endpoint.key => {}
                    Some(other) => {
                        return Err(format!(
                            "{}: daemon.{}: {listener} is daemon.{} of {} already",
                            configuration.path.display(),
                            endpoint.key,
                            other.endpoint.key,
                            configurations.get(other.site).map_or(String::new(), |it| it
                                .borrow()
                                .path
                                .display()
                                .to_string()),
                        ));
                    }
                }
            }
        }
    }
    Ok(specs)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn site(name: &str, daemon: &str) -> Configuration {
        let text = format!("framework = \"django\"\ndatabase = \"sqlite:x\"\n[daemon]\n{daemon}");
        Configuration::parse(Path::new(&format!("/{name}.toml")), &text).unwrap()
    }

    fn opened(daemons: &[&str], activated: &[&Endpoint]) -> Result<Vec<String>, String> {
        let names = ["a", "b", "c"];
        let sites: Vec<_> = names
            .iter()
            .zip(daemons)
            .map(|(name, daemon)| site(name, daemon))
            .collect();
        let show = |spec: ListenerSpec| {
            let ListenerSpec {
                endpoint,
                listener,
                site,
            } = spec;
            format!("{} {listener} {site}", endpoint.key)
        };
        Ok(listeners(&sites, activated)?
            .into_iter()
            .map(show)
            .collect())
    }

    #[test]
    fn every_listener_of_the_configuration_has_an_endpoint() {
        let daemon = "listen = [\"unix:/h\"]\nfastcgi = [\"unix:/f\"]\n\
             dovecot_auth = [\"unix:/d\"]\nsaslauthd = [\"unix:/s\"]\nldap = [\"unix:/l\"]\nstatus = [\"unix:/t\"]\ndialects = [\"unix:/a\"]";
        let daemon = site("a", daemon).daemon;
        let table = ENDPOINTS.map(|endpoint| (endpoint.key, (endpoint.listeners)(&daemon)));
        assert_eq!(table, daemon.listeners());
    }

    #[test]
    fn each_socket_belongs_to_the_file_that_names_it() {
        let (http, fastcgi) = ("listen = [\"tcp:127.0.0.1:1\"]", "fastcgi = [\"unix:/f\"]");
        let default = "listen unix:/run/hallpass/http.sock 0";
        assert_eq!(opened(&["", ""], &[]).unwrap(), [default]);
        assert_eq!(
            opened(&["", http], &[]).unwrap(),
            ["listen tcp:127.0.0.1:1 1"]
        );
        assert_eq!(
            opened(&[http, http], &[]).unwrap(),
            ["listen tcp:127.0.0.1:1 0"]
        );
        assert_eq!(
            opened(&["", fastcgi], &[]).unwrap(),
            [default, "fastcgi unix:/f 1"]
        );
        assert!(opened(&["listen = []"], &[]).unwrap().is_empty());
    }

    #[test]
    fn one_socket_has_one_meaning() {
        let error = opened(&["fastcgi = [\"unix:/f\"]", "fastcgi = [\"unix:/f\"]"], &[]);
        assert_eq!(
            error.unwrap_err(),
            "/b.toml: daemon.fastcgi: unix:/f is daemon.fastcgi of /a.toml already"
        );
        let both = "listen = [\"unix:/f\"]\nfastcgi = [\"unix:/f\"]";
        assert!(opened(&[both], &[]).is_err());
    }

    #[test]
    fn what_systemd_opens_is_not_opened_again() {
        let daemon = "listen = [\"tcp:127.0.0.1:1\"]\nfastcgi = [\"unix:/f\"]";
        assert_eq!(
            opened(&[daemon], &[&http::ENDPOINT]).unwrap(),
            ["fastcgi unix:/f 0"]
        );
        for (name, key) in [
            ("dovecot-auth", "dovecot_auth"),
            ("fastcgi", "fastcgi"),
            ("ldap", "ldap"),
            ("hallpassd.socket", "listen"),
        ] {
            assert_eq!(of_descriptor(name).key, key);
        }
    }
}
