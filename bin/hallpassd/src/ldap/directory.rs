//! Holds what a configuration says of the directory of a site.

use std::sync::Arc;

use hallpass_core::Configuration;
use hallpass_core::configuration::Certificate;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::name::Tree;

/// The directory of a site.
pub struct Directory {
    pub tree: Tree,
    /// Whether a search without a name may list people and groups.
    pub list: bool,
    /// How many entries one search returns.
    pub size_limit: usize,
    /// Where TLS is offered, its certificate.
    pub tls: Option<TlsAcceptor>,
}

/// Never shows the private key.
impl std::fmt::Debug for Directory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Directory")
            .field("tree", &self.tree)
            .finish_non_exhaustive()
    }
}

impl Directory {
    /// The directory that `configuration` describes.
    ///
    /// # Errors
    /// A sentence when the certificate or its key cannot be read or used.
    pub fn new(configuration: &Configuration) -> Result<Self, String> {
        let settings = &configuration.ldap;
        let wrong = |key: &str, error: &str| {
            let path = configuration.path.display();
            format!("{path}: ldap.{key}: {error}")
        };
        let tree = Tree::new(&settings.base).ok_or_else(|| wrong("base", "is not a name"))?;
        let acceptor = |certificate| acceptor(certificate).map_err(|(key, it)| wrong(key, &it));
        Ok(Self {
            tree,
            list: settings.list,
            size_limit: settings.size_limit,
            tls: settings.certificate.as_ref().map(acceptor).transpose()?,
        })
    }
}

/// Accepts TLS with `certificate`; else the key of the configuration that is wrong, and why.
fn acceptor(certificate: &Certificate) -> Result<TlsAcceptor, (&'static str, String)> {
    let Certificate { chain, key } = certificate;
    let unread = |path: &std::path::Path, error: &dyn std::fmt::Display| {
        format!("cannot read {}: {error}", path.display())
    };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| ("certificate", unread(chain, &error)))?;
    if certificates.is_empty() {
        let message = format!("{} holds no certificate in PEM", chain.display());
        return Err(("certificate", message));
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| ("certificate_key", unread(key, &error)))?;
    // Named, because a build may hold several.
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ("certificate", error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(certificates, private)
        .map_err(|error| {
            let message = format!("{} and {}: {error}", chain.display(), key.display());
            ("certificate", message)
        })?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
