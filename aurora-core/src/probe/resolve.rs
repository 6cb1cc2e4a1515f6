//! From a host name to addresses.

use std::net::SocketAddr;

use super::Failure;
use crate::config::Address;
use crate::engine::FailureKind;

/// Every address of `address`, in the resolver's order.
pub(crate) async fn resolve(address: &Address) -> Result<Vec<SocketAddr>, Failure> {
    let found = tokio::net::lookup_host((address.host(), address.port())).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            let message =
                format!("cannot resolve {}: {error}; check the host name", address.host());
            return Err(Failure::new(FailureKind::Other, message));
        }
    };
    if addresses.is_empty() {
        let message = format!("{} has no address; check the host name", address.host());
        return Err(Failure::new(FailureKind::Other, message));
    }
    Ok(addresses)
}
