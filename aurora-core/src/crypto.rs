//! Whose cryptography encrypts connections.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;

/// The provider that the application installed for its process, else `ring`'s.
///
/// Where a program links several and has installed none, rustls's own constructors panic; this
/// does not.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()))
}
