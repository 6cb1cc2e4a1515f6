//! TLS with libpq's words and libpq's meanings.
//!
//! Source: PostgreSQL documentation, 34.19 SSL support, table 34.1.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::{RootCertificates, TlsMode};
use crate::error::{Error, ErrorKind};

/// How connections are encrypted.
pub(crate) struct Tls {
    connector: Option<MakeRustlsConnect>,
    #[cfg(feature = "mysql")]
    client: Option<Arc<ClientConfig>>,
}

impl Tls {
    pub(crate) fn new(mode: TlsMode, roots: &RootCertificates) -> Result<Self, Error> {
        let provider = crate::crypto::provider();
        let checks = match mode {
            TlsMode::Disable => return Ok(Self::none()),
            // libpq: with a root file, `require` checks the authority as well.
            TlsMode::Require if matches!(roots, RootCertificates::File(_)) => Checks::Authority,
            TlsMode::Prefer | TlsMode::Require => Checks::Nothing,
            TlsMode::VerifyCa => Checks::Authority,
            TlsMode::VerifyFull => Checks::AuthorityAndName,
        };
        let authorities = match checks {
            Checks::Nothing => None,
            Checks::Authority | Checks::AuthorityAndName => {
                Some(verifier(&provider, load(roots, checks)?)?)
            }
        };
        let verifier = Verifier { checks, authorities, provider: Arc::clone(&provider) };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new(ErrorKind::Tls, "no usable TLS version").caused_by(error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self {
            #[cfg(feature = "mysql")]
            client: Some(Arc::new(config.clone())),
            connector: Some(MakeRustlsConnect::new(config)),
        })
    }

    fn none() -> Self {
        Self {
            connector: None,
            #[cfg(feature = "mysql")]
            client: None,
        }
    }

    /// What a TLS connection is made with; none where none is to be made.
    #[cfg(feature = "mysql")]
    pub(super) fn client(&self) -> Option<Arc<ClientConfig>> {
        self.client.clone()
    }

    pub(super) fn connector(&self) -> Option<MakeRustlsConnect> {
        self.connector.clone()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checks {
    Authority,
    AuthorityAndName,
    Nothing,
}

fn verifier(
    provider: &Arc<CryptoProvider>,
    store: RootCertStore,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let store = Arc::new(store);
    WebPkiServerVerifier::builder_with_provider(store, Arc::clone(provider)).build().map_err(
        |error| {
            Error::new(ErrorKind::Tls, "no usable root certificate; set sslrootcert to a PEM file")
                .caused_by(error)
        },
    )
}

/// The roots of Amazon RDS that are built in, in PEM; the file says where they come from.
pub(crate) const RDS_ROOTS: &str = include_str!("tls/rds-roots.pem");

fn load(roots: &RootCertificates, checks: Checks) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    match roots {
        RootCertificates::Rds => {
            for certificate in CertificateDer::pem_slice_iter(RDS_ROOTS.as_bytes()) {
                let added = certificate.ok().map(|certificate| store.add(certificate));
                debug_assert!(matches!(added, Some(Ok(()))), "a test reads them all");
            }
            // Anybody gets a certificate of those; what tells then is the name.
            if checks == Checks::AuthorityAndName {
                store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        RootCertificates::System => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
        }
        RootCertificates::File(path) => {
            let unreadable = |error| {
                let message = format!("cannot read sslrootcert {}", path.display());
                Error::new(ErrorKind::Tls, message).caused_by(error)
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                let added = store.add(certificate.map_err(unreadable)?);
                added.map_err(|error| {
                    let message =
                        format!("sslrootcert {} holds no good certificate", path.display());
                    Error::new(ErrorKind::Tls, message).caused_by(error)
                })?;
            }
        }
    }
    Ok(store)
}

/// Checks what the mode asks for: rustls alone knows only the strictest.
#[derive(Debug)]
struct Verifier {
    checks: Checks,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(authorities) = &self.authorities else {
            return Ok(ServerCertVerified::assertion());
        };
        let verdict = authorities.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verdict {
            // The name is checked last: only the name was wrong, and `verify-ca` ignores names.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.checks == Checks::Authority => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
