//! The proxies of a cluster.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::chaos::{ChaosProxy, Reactor};
use crate::{KitError, PgCluster};

/// The index whose address the first endpoint has: `.201`.
const FIRST_ENDPOINT: usize = 200;

impl PgCluster {
    /// The proxy before one instance of a cluster that was started
    /// [`behind_proxies`](crate::Builder::behind_proxies).
    ///
    /// # Panics
    /// If the cluster was not, or if there was never an instance with this index.
    #[must_use]
    pub fn proxy(&self, index: usize) -> Arc<ChaosProxy> {
        let proxy = self.read_state().slots[index].instance.proxy.clone();
        proxy.expect("the cluster was started behind proxies")
    }

    /// A cluster endpoint: a proxy at an address of its own and the port of the servers, which
    /// leads to this instance, through its proxy if it has one, until
    /// [`ChaosProxy::set_target`] moves it for new connections, as a change in DNS does. The
    /// cluster does not move it.
    ///
    /// ```no_run
    /// # let cluster = test_kit::PgCluster::builder().instances(2).start()?;
    /// let endpoint = cluster.endpoint(cluster.writer())?;
    /// cluster.switchover(1)?;
    /// // Clients of the endpoint meet a reader, until the change has come round:
    /// endpoint.set_target(cluster.address(1))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When there is no such instance, or no address is left after 54 endpoints.
    pub fn endpoint(&self, index: usize) -> Result<ChaosProxy, KitError> {
        let target = self.look(index, |slot| (slot.instance.public, slot.instance.port))?;
        let number = FIRST_ENDPOINT + self.endpoints.fetch_add(1, Ordering::Relaxed);
        let full = || KitError::misuse(index, "a cluster has at most 54 endpoints");
        let listen = (self.home.address(number).ok_or_else(full)?, self.options.port).into();
        let start = || -> io::Result<ChaosProxy> {
            let reactor = match &self.reactor {
                Some(reactor) => Arc::clone(reactor),
                None => Arc::new(Reactor::start()?),
            };
            let proxy = ChaosProxy::start_on(reactor, listen, target.into())?;
            proxy.seed(self.options.seed.wrapping_add(number as u64));
            Ok(proxy)
        };
        start().map_err(KitError::io(format!("start the endpoint at {listen}")))
    }

    /// The proxy before an instance that does not run yet, and its address.
    pub(crate) fn new_proxy(
        &self,
        index: usize,
        server: Ipv4Addr,
    ) -> Result<Option<(Ipv4Addr, Arc<ChaosProxy>)>, KitError> {
        let Some(reactor) = &self.reactor else { return Ok(None) };
        let full = || KitError::misuse(index, "a cluster behind proxies has at most 100 instances");
        let public = self.home.proxy_address(index).ok_or_else(full)?;
        let [listen, server] = [public, server].map(|ip| (ip, self.options.port).into());
        let start = || -> io::Result<ChaosProxy> {
            let proxy = ChaosProxy::start_on(Arc::clone(reactor), listen, server)?;
            proxy.server_ended(server)?;
            // Not the same for all instances.
            proxy.seed(self.options.seed.wrapping_add(index as u64));
            Ok(proxy)
        };
        let proxy = start().map_err(KitError::io(format!("start the proxy at {listen}")))?;
        Ok(Some((public, Arc::new(proxy))))
    }
}
