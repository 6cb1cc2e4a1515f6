//! The built-in root certificates as a file, for libpq, which takes no other form.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Cluster;
use crate::config::RootCertificates;

/// The file, as long as the cluster lives.
#[derive(Debug, Default)]
pub(super) struct RootsFile(Mutex<Option<PathBuf>>);

impl Cluster {
    /// The path of a PEM file with the authorities that `sslrootcert=rds` trusts, followed by what
    /// stands in `more`; `None` where `sslrootcert` says something else.
    ///
    /// The file is made when it is first asked for, or when it is gone, and is removed with the
    /// cluster.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being written to the directory for temporary files.
    pub fn root_certificates_file(&self, more: Option<&Path>) -> io::Result<Option<PathBuf>> {
        let Some(pem) = self.config().sslrootcert().built_in() else { return Ok(None) };
        let RootsFile(file) = &self.0.roots_file;
        let mut path = file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = path.as_ref().filter(|path| path.exists()) {
            return Ok(Some(path.clone()));
        }
        let made = write(pem, more)?;
        Ok(Some(path.insert(made).clone()))
    }
}

/// Nobody else can have put something there before, or change it.
fn write(pem: &str, more: Option<&Path>) -> io::Result<PathBuf> {
    let (process, random) = (std::process::id(), fastrand::u64(..));
    let path = std::env::temp_dir().join(format!("aurora-roots-{process}-{random:016x}.pem"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(&path)?;
    file.write_all(pem.as_bytes())?;
    if let Some(more) = more {
        file.write_all(&fs::read(more)?)?;
    }
    Ok(path)
}

impl Drop for RootsFile {
    fn drop(&mut self) {
        let path = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = path.take() {
            // Nothing can be done about a file that cannot be removed, and it holds no secret.
            let _ = fs::remove_file(path);
        }
    }
}

impl RootCertificates {
    /// The authorities that are built in, in PEM, where these are the ones to trust.
    #[must_use]
    pub fn built_in(&self) -> Option<&'static str> {
        match self {
            Self::Rds => Some(crate::probe::RDS_ROOTS),
            Self::File(_) | Self::System => None,
        }
    }
}
