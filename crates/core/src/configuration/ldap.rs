//! Reads `[ldap]`: the site as a read-only directory.

use std::path::PathBuf;

use hallpass_settings::{Error, Listener, Number, Table};
use serde::Deserialize;

use crate::dn::Dn;

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct LdapTable {
    /// The name of the directory's base entry, which begins with `dc=`, `o=` or `ou=`. People are
    /// under `ou=people` below it, groups under `ou=groups`.
    base: String,
    /// `true`: searches that name no account may list all people and groups, and groups show their
    /// members.
    list: bool,
    /// The most entries that one search returns.
    size_limit: Number<1, 1_000_000>,
    /// The certificate for TLS in PEM, with its intermediate certificates, for `ldaps://` and
    /// StartTLS at every listener. Without it, only unix sockets and loopback accept passwords.
    certificate: Option<PathBuf>,
    /// The private key of the certificate, in PEM.
    certificate_key: Option<PathBuf>,
}

impl Default for LdapTable {
    fn default() -> Self {
        Self {
            base: "dc=example,dc=org".to_owned(),
            list: false,
            size_limit: Number(500),
            certificate: None,
            certificate_key: None,
        }
    }
}

/// The site as a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ldap {
    /// The name of the base entry, as written.
    pub base: String,
    /// Whether a search that names no account may list people and groups.
    pub list: bool,
    /// How many entries one search returns.
    pub size_limit: usize,
    /// Where TLS is offered, its certificate.
    pub certificate: Option<Certificate>,
    /// Whether the configuration has the table at all.
    pub configured: bool,
}

/// A certificate and its private key, in files that the daemon alone reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The chain of certificates, in PEM.
    pub chain: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

impl LdapTable {
    /// `listeners` are those of the directory.
    pub(super) fn resolve(self, table: &Table<'_>, listeners: &[Listener]) -> Result<Ldap, Error> {
        let base =
            Dn::parse(&self.base).map_err(|wrong| table.wrong("base", &wrong.to_string()))?;
        let first = base.components().first().map(|it| it.attribute.as_str());
        if !first.is_some_and(|first| ["dc", "o", "ou"].contains(&first)) {
            let message = "must begin with dc=, o= or ou=, as in \"dc=example,dc=org\"";
            return Err(table.wrong("base", message));
        }
        let certificate = match (self.certificate, self.certificate_key) {
            (None, None) => None,
            (Some(chain), Some(key)) => Some(Certificate {
                chain: table.beside(chain),
                key: table.beside(key),
            }),
            (Some(_), None) => {
                return Err(table.wrong("certificate_key", "is missing: `certificate` needs it"));
            }
            (None, Some(_)) => {
                let message = "has no effect without `certificate`";
                return Err(table.wrong("certificate_key", message));
            }
        };
        let is_remote = |listener: &&Listener| match listener {
            Listener::Tcp(address) => !address.ip().to_canonical().is_loopback(),
            Listener::Unix { .. } => false,
        };
        if certificate.is_none()
            && let Some(listener) = listeners.iter().find(is_remote)
        {
            let message = format!(
                "is missing: at {listener} other machines cannot log in, because passwords need TLS"
            );
            table.warn("certificate", &message);
        }
        Ok(Ldap {
            base: self.base,
            list: self.list,
            size_limit: self.size_limit.count(),
            certificate,
            configured: table.is_there(),
        })
    }
}
