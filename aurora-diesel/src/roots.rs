//! The file of certificates that a client library gets: what it trusts.

use std::io;
use std::path::PathBuf;

use aurora_core::{Cluster, RootCertificates, TlsMode};
use diesel::result::ConnectionError;

/// Where distributions keep the certificates they trust. libpq knows `sslrootcert=system` only
/// from version 16 on.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The file that the configuration asks for; `None` where nothing is verified.
pub(crate) fn file(cluster: &Cluster) -> io::Result<Option<PathBuf>> {
    let config = cluster.config();
    if !config.sslmode().verifies() {
        return Ok(match config.sslrootcert() {
            RootCertificates::File(path) => Some(path.clone()),
            _ => None,
        });
    }
    let found = || SYSTEM_ROOTS.iter().map(PathBuf::from).find(|path| path.exists());
    Ok(match config.sslrootcert() {
        RootCertificates::File(path) => Some(path.clone()),
        RootCertificates::Rds => {
            // Anybody gets a certificate of the system's authorities; what tells then is the name.
            let more = if config.sslmode() == TlsMode::VerifyFull { found() } else { None };
            cluster.root_certificates_file(more.as_deref())?
        }
        _ => Some(found().unwrap_or_else(|| "system".into())),
    })
}

/// A file of all authorities that anybody might trust, for a library that encrypts only what it can
/// verify; `None` where the system has none.
#[cfg(feature = "mysql")]
pub(crate) fn any(cluster: &Cluster) -> io::Result<Option<PathBuf>> {
    let found = SYSTEM_ROOTS.iter().map(PathBuf::from).find(|path| path.exists());
    Ok(cluster.root_certificates_file(found.as_deref())?.or(found))
}

/// The error where that file cannot be written.
pub(crate) fn unwritten(error: &io::Error) -> ConnectionError {
    ConnectionError::BadConnection(format!("cannot write the root certificates: {error}"))
}
