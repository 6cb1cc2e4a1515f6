//! The process's own sockets, so that a driver's call that waits on one can be ended.
//!
//! Drivers do not give their sockets away, and a call that waits for a hung server cannot be ended
//! otherwise: the server's kernel still acknowledges, so that neither keepalives nor
//! `tcp_user_timeout` fire. So the process looks through its own descriptors and duplicates the
//! sockets (`pidfd_getfd` on the process itself: no unsafe code, and a descriptor that is closed
//! and used again meanwhile does no harm, for everything is compared on the duplicate). Shutting a
//! duplicate down wakes the waiting call at once, which reports a broken connection.
//!
//! Where that does not work (another operating system, a container that forbids `pidfd_getfd`)
//! there are none, and `tcp_user_timeout` and keepalives are all there is.

#[cfg_attr(target_os = "linux", path = "socket/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "socket/elsewhere.rs")]
mod system;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use crate::config::Config;

/// A duplicate of one of the process's own TCP sockets.
///
/// While it exists the connection is not closed, whatever its owner does; drop it soon, or with
/// the connection.
#[derive(Debug)]
pub struct OwnSocket(TcpStream);

impl OwnSocket {
    /// The process's sockets that are connected to `peer`. Empty where they cannot be looked at.
    ///
    /// Looks through all descriptors of the process: some microseconds for each.
    #[must_use]
    pub fn connected_to(peer: SocketAddr) -> Vec<Self> {
        let leads_there = |socket: &TcpStream| {
            socket.peer_addr().is_ok_and(|found| {
                found.port() == peer.port() && found.ip().to_canonical() == peer.ip().to_canonical()
            })
        };
        let mut sockets = system::sockets();
        sockets.retain(leads_there);
        sockets.into_iter().map(Self).collect()
    }

    /// Its port at this end.
    #[must_use]
    pub fn local_port(&self) -> Option<u16> {
        self.0.local_addr().ok().map(|local| local.port())
    }

    /// Its option `TCP_USER_TIMEOUT` (Linux, tcp(7)); zero where it was not set.
    #[must_use]
    pub fn user_timeout(&self) -> Option<Duration> {
        system::user_timeout(&self.0)
    }

    /// How long it is silent before keepalive probes, in whole seconds (Linux, tcp(7)).
    #[cfg_attr(not(feature = "mysql"), expect(dead_code, reason = "only mysql_async sets a mark"))]
    pub(crate) fn keepalive_idle(&self) -> Option<Duration> {
        system::keepalive_idle(&self.0)
    }

    /// Whether the process may look at its own sockets.
    #[cfg_attr(not(feature = "mysql"), expect(dead_code, reason = "only mysql_async sets a mark"))]
    pub(crate) fn can_be_found() -> bool {
        system::can_duplicate()
    }

    /// What may be the socket of a new connection to `peer`: those for which nobody has set a
    /// `TCP_USER_TIMEOUT`, and of these the one of `local_port`, if there is one.
    ///
    /// `local_port` is the port at which the server sees the connection. Where something on the way
    /// changes ports, it may be that of another connection at this end; but hardly that of one that
    /// is just as new.
    fn new_ones(peer: SocketAddr, local_port: Option<u16>) -> Vec<Self> {
        let mut sockets = Self::connected_to(peer);
        sockets.retain(|socket| socket.user_timeout().is_none_or(|time| time.is_zero()));
        if sockets.iter().any(|socket| socket.local_port() == local_port) {
            sockets.retain(|socket| socket.local_port() == local_port);
        }
        sockets
    }

    /// The socket of a new connection to `peer`, if one has the port at which the server sees it.
    #[must_use]
    pub fn at_port(peer: SocketAddr, local_port: Option<u16>) -> Option<Self> {
        let mut sockets = Self::new_ones(peer, local_port);
        sockets.retain(|socket| socket.local_port() == local_port);
        sockets.pop()
    }

    /// Has the operating system end a new connection to `peer` when nobody acknowledges what is
    /// sent, as the options `keepalive_idle` and `tcp_user_timeout` say: for drivers that cannot be
    /// told.
    ///
    /// Where something on the way changes ports, all of the process's connections to `peer` are
    /// meant for which nobody has set a `TCP_USER_TIMEOUT`.
    pub fn bound(peer: SocketAddr, local_port: Option<u16>, config: &Config) {
        for socket in Self::new_ones(peer, local_port) {
            socket.bound_by(config);
        }
    }

    /// The same for this one.
    pub fn bound_by(&self, config: &Config) {
        bound(&SockRef::from(&self.0), config);
    }

    /// Whether the other end has closed the connection, or said something, while nobody waits for an
    /// answer: then nothing can be asked on it any more.
    ///
    /// Never waits. With TLS, what the protocol itself has to say counts as well.
    #[must_use]
    pub fn has_news(&self) -> bool {
        system::has_news(&self.0)
    }

    /// Ends the connection under whoever waits on it, and at the server as soon as its owner has
    /// closed it.
    pub fn shut_down(&self) {
        let socket = SockRef::from(&self.0);
        // A server whose answer has filled all buffers learns nothing from the end alone: it goes on
        // to wait until it may send more, and holds its transaction all the time (Linux: until its
        // probe of the window meets no socket any more, a minute later). So closing is a reset.
        let _ = socket.set_linger(Some(Duration::ZERO));
        // It may be closed already, which comes to the same.
        let _ = socket.shutdown(Shutdown::Both);
    }
}

/// What bounds a statement on a host that has vanished: keepalives while it waits for an answer,
/// the user timeout while it sends. An operating system that refuses one of these options still
/// gives a connection that works.
pub(crate) fn bound(socket: &SockRef<'_>, config: &Config) {
    let idle = config.keepalive_idle();
    if idle.is_zero() {
        let _ = socket.set_keepalive(false);
    } else {
        let keepalive = TcpKeepalive::new()
            .with_time(idle.max(Duration::from_secs(1)))
            .with_interval(Duration::from_secs(1));
        #[cfg(not(windows))]
        let keepalive = keepalive.with_retries(3);
        let _ = socket.set_tcp_keepalive(&keepalive);
    }
    #[cfg(any(target_os = "android", target_os = "linux"))]
    if !config.tcp_user_timeout().is_zero() {
        let _ = socket.set_tcp_user_timeout(Some(config.tcp_user_timeout()));
    }
}
