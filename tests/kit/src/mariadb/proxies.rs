//! What is between the clients and the servers: proxies, and the fronts that speak Aurora's words.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use super::MariaDbCluster;
use super::front::{Front, Row};
use crate::chaos::{ChaosProxy, Direction, Reactor};
use crate::state::{Presence, Role};
use crate::{KitError, PacketLoss};

/// The index whose address the first endpoint has: `.201`.
const FIRST_ENDPOINT: usize = 200;

/// How clients come to an instance.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) name: String,
    pub(super) public: Ipv4Addr,
    pub(super) port: u16,
    pub(super) proxy: Option<Arc<ChaosProxy>>,
    pub(super) front: Option<Front>,
}

impl MariaDbCluster {
    /// The proxy before one instance of a cluster that was started
    /// [`behind_proxies`](super::MariaDbBuilder::behind_proxies) or as
    /// [`aurora`](super::MariaDbBuilder::aurora).
    ///
    /// # Panics
    /// If the cluster was not, or if there was never an instance with this index.
    #[must_use]
    pub fn proxy(&self, index: usize) -> Arc<ChaosProxy> {
        let proxy = self.read_state()[index].instance.proxy.clone();
        proxy.expect("the cluster was started behind proxies")
    }

    /// A cluster endpoint: a proxy at an address of its own and the port of the servers, which
    /// leads to this instance, as clients see it, until [`ChaosProxy::set_target`] moves it for new
    /// connections, as a change in DNS does. The cluster does not move it.
    ///
    /// # Errors
    /// When there is no such instance, or no address is left after 54 endpoints.
    pub fn endpoint(&self, index: usize) -> Result<ChaosProxy, KitError> {
        let instance = self.instance(index)?;
        let number = FIRST_ENDPOINT + self.endpoints.fetch_add(1, Ordering::Relaxed);
        let full = || KitError::misuse(index, "a cluster has at most 54 endpoints");
        let listen: SocketAddr =
            (self.home.address(number).ok_or_else(full)?, self.options.port).into();
        let start = || -> io::Result<ChaosProxy> {
            let reactor = match &self.reactor {
                Some(reactor) => Arc::clone(reactor),
                None => Arc::new(Reactor::start()?),
            };
            ChaosProxy::start_mysql(reactor, listen, (instance.public, instance.port).into())
        };
        start().map_err(KitError::io(format!("start the endpoint at {listen}")))
    }

    /// Drops every packet between the clients and one instance, in this direction, as
    /// [`PgCluster::lose_packets`](crate::PgCluster::lose_packets) does.
    ///
    /// # Errors
    /// When this machine has no packet filter (see [`PacketLoss::why_not`]), and when there is no
    /// such instance.
    pub fn lose_packets(&self, index: usize, direction: Direction) -> Result<PacketLoss, KitError> {
        let server = self.look(index, |slot| (slot.instance.public, slot.instance.port))?;
        PacketLoss::towards(server, direction)
    }

    /// Drops the packets of single connections to one instance, both ways, by the port of the
    /// client.
    ///
    /// # Errors
    /// As [`Self::lose_packets`].
    pub fn lose_flows(&self, index: usize, clients: &[u16]) -> Result<PacketLoss, KitError> {
        let server = self.look(index, |slot| (slot.instance.public, slot.instance.port))?;
        PacketLoss::of_flows(server, clients)
    }

    /// Lets an instance say in Aurora's words that it lags so far behind the writer; `None`, which
    /// is what it says before it is told, is `NULL`.
    ///
    /// It is what the test says and nothing measured: MariaDB tells its lag in whole seconds, and
    /// no statement can ask for it. What a writer says is always `NULL`. Other instances are told of
    /// as they are when the last verb had ended; about itself an instance knows better: it is the
    /// writer if `read_only` is off.
    ///
    /// # Errors
    /// [`KitError::Misuse`] when there is no such instance.
    pub fn tell_lag(&self, index: usize, lag: Option<Duration>) -> Result<(), KitError> {
        let name = self.instance(index)?.name.clone();
        self.volume.tell_lag(&name, lag);
        Ok(())
    }

    /// Makes Aurora's topology what the cluster is.
    pub(super) fn publish(&self) {
        if !self.options.aurora {
            return;
        }
        let now = SystemTime::now();
        let state = self.read_state();
        let rows = state.iter().map(|slot| Row {
            name: slot.instance.name.clone(),
            is_writer: slot.role == Role::Writer,
            seen: (slot.presence != Presence::Running).then_some(now),
            lag: None,
        });
        self.volume.set(rows.collect());
    }

    /// The way to an instance that does not run yet.
    pub(super) fn new_way(&self, index: usize, server: Ipv4Addr) -> Result<Way, KitError> {
        let port = self.options.port;
        let Some(reactor) = &self.reactor else {
            let name = format!("{server}:{port}");
            return Ok(Way { name, public: server, port, proxy: None, front: None });
        };
        let full = || KitError::misuse(index, "a cluster behind proxies has at most 100 instances");
        let public = self.home.proxy_address(index).ok_or_else(full)?;
        let listen: SocketAddr = (public, port).into();
        let name = if self.options.aurora {
            format!("instance-{}", index + 1)
        } else {
            listen.to_string()
        };
        let start = || -> io::Result<(Option<Front>, ChaosProxy)> {
            let front = self.options.aurora.then(|| {
                Front::start(reactor, (server, port).into(), &name, Arc::clone(&self.volume))
            });
            let front = front.transpose()?;
            let target = front.as_ref().map_or((server, port).into(), Front::address);
            let proxy = ChaosProxy::start_mysql(Arc::clone(reactor), listen, target)?;
            proxy.server_ended(target)?;
            Ok((front, proxy))
        };
        let (front, proxy) =
            start().map_err(KitError::io(format!("start the proxy at {listen}")))?;
        Ok(Way { name, public, port, proxy: Some(Arc::new(proxy)), front })
    }
}
