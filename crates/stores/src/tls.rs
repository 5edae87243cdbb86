//! Sets up TLS for every store that speaks it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::Unavailable;

/// How a connection is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The required protection.
    pub mode: TlsMode,
    /// A file of the certificates that are trusted, in PEM; the system's where there is none.
    pub ca: Option<PathBuf>,
}

/// The required protection of a connection, named as in libpq's `sslmode` (PostgreSQL 15, 34.19.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// No TLS.
    Disable,
    /// TLS where the server offers it. Protects against passive attackers only. With `ca` the
    /// server must offer it.
    #[default]
    Prefer,
    /// TLS. Any certificate is accepted, unless `ca` is given: then it must lead there.
    Require,
    /// TLS with a certificate that leads to `ca`, or to the system's certificates, and that names
    /// the host.
    VerifyFull,
}

impl Tls {
    /// The TLS settings of a client. Reads the trusted certificates, so it is called for each
    /// connection and not before.
    ///
    /// # Errors
    /// [`Unavailable`] when the trusted certificates cannot be read.
    pub(crate) fn client(&self) -> Result<Arc<ClientConfig>, Unavailable> {
        // Named here, so that it does not depend on a program's other crates.
        let provider = Arc::new(ring::default_provider());
        let verifier = self.verifier(&provider)?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Unavailable::new(format!("cannot set up TLS: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Arc::new(client))
    }

    /// The certificates that are trusted: those in `ca`, or the system's.
    ///
    /// # Errors
    /// [`Unavailable`] when they cannot be read, or there are none.
    pub(crate) fn trusted(&self) -> Result<Vec<CertificateDer<'static>>, Unavailable> {
        let mut trusted = match &self.ca {
            Some(ca) => certificates(ca)?,
            None => system_certificates()?,
        };
        // Some systems trust certificates that cannot be read.
        trusted.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
        if trusted.is_empty() {
            let of = self.ca.as_ref().map(|ca| ca.display().to_string());
            return Err(Unavailable::new(format!(
                "TLS cannot be set up: there is no certificate in {}",
                of.as_deref().unwrap_or("the system's store")
            )));
        }
        Ok(trusted)
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Verifier, Unavailable> {
        let full = self.mode == TlsMode::VerifyFull;
        if self.ca.is_none() && !full {
            return Ok(Verifier::Any(Arc::clone(provider)));
        }
        let trusted = self.trusted()?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let chain = builder
            .build()
            .map_err(|error| Unavailable::new(format!("cannot set up TLS: {error}")))?;
        Ok(Verifier::Trusted {
            chain,
            // The system's certificates include none of servers.
            themselves: self.ca.as_ref().map(|_| trusted).unwrap_or_default(),
            named: full,
        })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Unavailable> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    certificates.map_err(|error| {
        Unavailable::new(format!(
            "cannot read the certificates in {}, which `ca` names: {error}",
            path.display()
        ))
    })
}

fn system_certificates() -> Result<Vec<CertificateDer<'static>>, Unavailable> {
    let mut found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let cause = found.errors.pop();
        let cause = cause.map_or("there are none".to_owned(), |error| error.to_string());
        return Err(Unavailable::new(format!(
            "cannot read the system's certificates: {cause}; install ca-certificates, or name a \
             file as `ca`"
        )));
    }
    Ok(found.certs)
}

/// Which servers a client trusts.
#[derive(Debug)]
enum Verifier {
    /// Any server: the connection is protected against passive attackers only.
    Any(Arc<CryptoProvider>),
    /// Servers with a trusted certificate.
    Trusted {
        chain: Arc<WebPkiServerVerifier>,
        /// Trusted as a server's certificate too: a server that signed its own is common.
        themselves: Vec<CertificateDer<'static>>,
        /// Whether the certificate must name the host.
        named: bool,
    },
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Self::Trusted {
            chain,
            themselves,
            named,
        } = self
        else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(certificate, intermediates, host, ocsp, now) {
            // The name is checked last.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !named => Ok(ServerCertVerified::assertion()),
            // The dates are looked at first. What is wrong then is that it is its own authority.
            Err(Error::InvalidCertificate(
                CertificateError::Other(_) | CertificateError::UnknownIssuer,
            )) if themselves.contains(certificate) => {
                if *named {
                    let parsed = ParsedCertificate::try_from(certificate)?;
                    rustls::client::verify_server_name(&parsed, host)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            // It would prove nothing, and fail on certificates of version 1.
            Self::Any(_) => Ok(HandshakeSignatureValid::assertion()),
            Self::Trusted { chain, .. } => {
                chain.verify_tls12_signature(message, certificate, signed)
            }
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            Self::Any(_) => Ok(HandshakeSignatureValid::assertion()),
            Self::Trusted { chain, .. } => {
                chain.verify_tls13_signature(message, certificate, signed)
            }
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match self {
            Self::Any(provider) => provider
                .signature_verification_algorithms
                .supported_schemes(),
            Self::Trusted { chain, .. } => chain.supported_verify_schemes(),
        }
    }
}
