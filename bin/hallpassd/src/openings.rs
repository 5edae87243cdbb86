//! Which sockets the daemon opens, and about which site each of them asks.

use hallpass_core::Configuration;
use hallpass_core::configuration::{Daemon, Listener};

/// What is spoken on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    DovecotAuth,
    Fastcgi,
    Http,
    Saslauthd,
}

impl Protocol {
    const ALL: [Self; 4] = [
        Self::Http,
        Self::Fastcgi,
        Self::DovecotAuth,
        Self::Saslauthd,
    ];

    /// The protocol that is spoken on a socket that systemd calls `name`.
    pub fn of_descriptor(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.key() == name.replace('-', "_"))
            .unwrap_or(Self::Http)
    }

    /// The key of `[daemon]` that lists its sockets.
    fn key(self) -> &'static str {
        match self {
            Self::DovecotAuth => "dovecot_auth",
            Self::Fastcgi => "fastcgi",
            Self::Http => "listen",
            Self::Saslauthd => "saslauthd",
        }
    }

    fn listeners(self, daemon: &Daemon) -> &[Listener] {
        match self {
            Self::DovecotAuth => &daemon.dovecot_auth,
            Self::Fastcgi => &daemon.fastcgi,
            Self::Http => &daemon.listen,
            Self::Saslauthd => &daemon.saslauthd,
        }
    }
}

/// A socket to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    pub protocol: Protocol,
    pub listener: Listener,
    /// The site that is asked where no path names another, by its place among the files.
    pub site: usize,
}

/// The sockets that `configurations` ask for, but for the protocols whose sockets were `handed`
/// over: each belongs to the file that names it. A socket for HTTP may be named by several files,
/// since its paths tell the sites apart; it belongs to the first of them.
///
/// # Errors
/// A sentence when two want one socket for different things.
pub fn openings(
    configurations: &[&Configuration],
    handed: &[Protocol],
) -> Result<Vec<Opening>, String> {
    let mut openings: Vec<Opening> = Vec::new();
    // The default socket is opened if nobody names another.
    let named = |configuration: &&Configuration| !configuration.daemon.listens_by_default;
    let anybody_names_one = configurations.iter().any(named);
    for protocol in Protocol::ALL {
        if handed.contains(&protocol) {
            continue;
        }
        for (site, configuration) in configurations.iter().enumerate() {
            if protocol == Protocol::Http && anybody_names_one && !named(configuration) {
                continue;
            }
            for listener in protocol.listeners(&configuration.daemon) {
                let same = |other: &&Opening| other.listener.to_string() == listener.to_string();
                match openings.iter().find(same) {
                    None => openings.push(Opening {
                        protocol,
                        listener: listener.clone(),
                        site,
                    }),
                    Some(other)
                        if (protocol, other.protocol) == (Protocol::Http, Protocol::Http) => {}
                    Some(other) => {
                        return Err(format!(
                            "{}: daemon.{}: {listener} is daemon.{} of {} already",
                            configuration.path.display(),
                            protocol.key(),
                            other.protocol.key(),
                            configurations
                                .get(other.site)
                                .map_or(String::new(), |other| other.path.display().to_string()),
                        ));
                    }
                }
            }
        }
    }
    Ok(openings)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn site(name: &str, daemon: &str) -> Configuration {
        let text = format!("framework = \"django\"\ndatabase = \"sqlite:x\"\n[daemon]\n{daemon}");
        Configuration::parse(Path::new(&format!("/{name}.toml")), &text).unwrap()
    }

    fn opened(daemons: &[&str], handed: &[Protocol]) -> Result<Vec<String>, String> {
        let names = ["a", "b", "c"];
        let sites: Vec<_> = names
            .iter()
            .zip(daemons)
            .map(|(name, daemon)| site(name, daemon))
            .collect();
        let all: Vec<_> = sites.iter().collect();
        let show = |opening: Opening| {
            let Opening {
                protocol,
                listener,
                site,
            } = opening;
            format!("{} {listener} {site}", protocol.key())
        };
        Ok(openings(&all, handed)?.into_iter().map(show).collect())
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
    fn what_systemd_hands_over_is_not_opened_again() {
        let daemon = "listen = [\"tcp:127.0.0.1:1\"]\nfastcgi = [\"unix:/f\"]";
        assert_eq!(
            opened(&[daemon], &[Protocol::Http]).unwrap(),
            ["fastcgi unix:/f 0"]
        );
        assert_eq!(
            Protocol::of_descriptor("dovecot-auth"),
            Protocol::DovecotAuth
        );
        assert_eq!(Protocol::of_descriptor("fastcgi"), Protocol::Fastcgi);
        assert_eq!(Protocol::of_descriptor("hallpassd.socket"), Protocol::Http);
    }
}
