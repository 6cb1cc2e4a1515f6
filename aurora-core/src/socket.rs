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
        let mut sockets = linux::sockets();
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
        linux::user_timeout(&self.0)
    }

    /// How long it is silent before keepalive probes, in whole seconds (Linux, tcp(7)).
    #[cfg_attr(not(feature = "mysql"), expect(dead_code, reason = "only mysql_async sets a mark"))]
    pub(crate) fn keepalive_idle(&self) -> Option<Duration> {
        linux::keepalive_idle(&self.0)
    }

    /// Whether the process may look at its own sockets.
    #[cfg_attr(not(feature = "mysql"), expect(dead_code, reason = "only mysql_async sets a mark"))]
    pub(crate) fn can_be_found() -> bool {
        linux::can_duplicate()
    }

    /// What may be the socket of a new connection to `peer`: those for which nobody has set a
    /// `TCP_USER_TIMEOUT`, and of these the one of `local_port`, if there is one.
    ///
    /// `local_port` is the port at which the server sees the connection. Where something on the way
    /// changes ports, it may be that of another connection at this end; but hardly that of one that
    /// is just as new.
    #[must_use]
    pub fn new_ones(peer: SocketAddr, local_port: Option<u16>) -> Vec<Self> {
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
    /// told. All that [may be](Self::new_ones) the connection are meant.
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
        linux::has_news(&self.0)
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

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;
    use std::net::TcpStream;
    use std::os::fd::AsRawFd as _;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use rustix::io::Errno;
    use rustix::net::{RecvFlags, recv};
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    /// Duplicates of all sockets of the process.
    pub(super) fn sockets() -> Vec<TcpStream> {
        let Ok(process) = pidfd_open(getpid(), PidfdFlags::empty()) else { return Vec::new() };
        let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") else { return Vec::new() };
        // Other threads that search duplicate sockets for a moment: each socket is looked at once,
        // whatever its descriptors, or the searches would multiply each other's work.
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for entry in descriptors.flatten() {
            if socket_behind(&entry.path()).is_none_or(|socket| seen.contains(&socket)) {
                continue;
            }
            let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let copy = number
                .and_then(|number| pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok());
            let Some(copy) = copy else { continue };
            // Meanwhile the descriptor may have been closed, and its number given to another socket:
            // what was copied counts, or the one that was looked at first would be missed.
            let own = format!("/proc/self/fd/{}", copy.as_raw_fd());
            if socket_behind(Path::new(&own)).is_some_and(|socket| seen.insert(socket)) {
                found.push(TcpStream::from(copy));
            }
        }
        found
    }

    /// Whether the process may duplicate its own descriptors, and may know which it has.
    pub(super) fn can_duplicate() -> bool {
        let Ok(process) = pidfd_open(getpid(), PidfdFlags::empty()) else { return false };
        let number = process.as_raw_fd();
        Path::new("/proc/self/fd").is_dir()
            && pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).is_ok()
    }

    /// Which socket a descriptor stands for.
    fn socket_behind(descriptor: &Path) -> Option<PathBuf> {
        let target = std::fs::read_link(descriptor).ok()?;
        target.to_string_lossy().starts_with("socket:").then_some(target)
    }

    /// Some client libraries let their sockets block.
    pub(super) fn has_news(socket: &TcpStream) -> bool {
        let peeked = recv(socket, &mut [0_u8], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        !matches!(peeked, Err(Errno::AGAIN | Errno::INTR))
    }

    pub(super) fn user_timeout(socket: &TcpStream) -> Option<Duration> {
        socket2::SockRef::from(socket).tcp_user_timeout().ok().map(Option::unwrap_or_default)
    }

    pub(super) fn keepalive_idle(socket: &TcpStream) -> Option<Duration> {
        socket2::SockRef::from(socket).tcp_keepalive_time().ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod linux {
    use std::net::TcpStream;
    use std::time::Duration;

    pub(super) fn sockets() -> Vec<TcpStream> {
        Vec::new()
    }

    pub(super) fn can_duplicate() -> bool {
        false
    }

    pub(super) fn has_news(_socket: &TcpStream) -> bool {
        false
    }

    pub(super) fn user_timeout(_socket: &TcpStream) -> Option<Duration> {
        None
    }

    pub(super) fn keepalive_idle(_socket: &TcpStream) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{ErrorKind, Read as _};
    use std::net::TcpListener;

    use super::*;

    fn the_one(peer: SocketAddr, local: &TcpStream) -> OwnSocket {
        let port = local.local_addr().unwrap().port();
        let mut found = OwnSocket::connected_to(peer);
        found.retain(|socket| socket.local_port() == Some(port));
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    #[test]
    fn threads_that_search_at_the_same_time_find_each_its_own() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let ours = TcpStream::connect(server).unwrap();
                    for _ in 0..200 {
                        the_one(server, &ours);
                    }
                });
            }
        });
    }

    #[test]
    fn a_call_that_waits_on_the_socket_is_ended_and_no_other() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let mut ours = TcpStream::connect(server).unwrap();
        let mut other = TcpStream::connect(server).unwrap();
        let copy = the_one(server, &ours);
        let blocked = std::thread::spawn(move || ours.read(&mut [0]));
        copy.shut_down();
        assert_eq!(blocked.join().unwrap().unwrap(), 0, "it reads the end");
        other.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(other.read(&mut [0]).is_err(), "it goes on waiting");
    }

    #[test]
    fn a_server_in_the_middle_of_a_long_answer_hears_of_the_end_at_once() {
        use std::io::Write as _;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut theirs, _) = listener.accept().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let mut stuck = 0;
        while stuck < 10 {
            // All buffers are full when nothing moves for a while.
            stuck = if theirs.write(&[7; 65_536]).is_ok() { 0 } else { stuck + 1 };
            std::thread::sleep(Duration::from_millis(20));
        }
        theirs.set_nonblocking(false).unwrap();
        theirs.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        let answering = std::thread::spawn(move || {
            loop {
                theirs.write_all(&[7; 65_536])?;
            }
        });
        let copy = the_one(listener.local_addr().unwrap(), &ours);
        copy.shut_down();
        drop(copy);
        // Drivers read what is there before they close.
        std::io::copy(&mut ours, &mut std::io::sink()).unwrap();
        drop(ours);
        let failed: std::io::Result<()> = answering.join().unwrap();
        assert_ne!(failed.unwrap_err().kind(), ErrorKind::WouldBlock, "it waits no longer");
    }

    #[test]
    fn an_idle_connection_has_news_when_the_server_speaks_or_ends_it() {
        use std::io::Write as _;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        for ends in [false, true] {
            let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut theirs, _) = listener.accept().unwrap();
            let copy = the_one(listener.local_addr().unwrap(), &ours);
            assert!(!copy.has_news());
            if ends {
                theirs.shutdown(Shutdown::Both).unwrap();
            } else {
                theirs.write_all(b"farewell").unwrap();
            }
            let deadline = std::time::Instant::now() + Duration::from_secs(10);
            while !copy.has_news() {
                assert!(std::time::Instant::now() < deadline, "it arrives");
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn the_port_of_an_older_connection_says_nothing_of_a_new_one() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let [one, _two] = [(); 2].map(|()| TcpStream::connect(server).unwrap());
        let port = Some(one.local_addr().unwrap().port());
        let at_port = |port| OwnSocket::at_port(server, port);
        let found = at_port(port).expect("the port tells them apart");
        assert_eq!(found.local_port(), port);
        assert!(at_port(Some(1)).is_none() && at_port(None).is_none());
        let config = Config::from_url("mysql://app@h/d?tcp_user_timeout=3s").unwrap();
        found.bound_by(&config);
        assert!(at_port(port).is_none(), "something changes ports: that is another one's");
    }

    #[test]
    fn the_option_is_read_from_the_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let ours = TcpStream::connect(server).unwrap();
        assert_eq!(the_one(server, &ours).user_timeout(), Some(Duration::ZERO));
        let timeout = Duration::from_millis(30_001);
        SockRef::from(&ours).set_tcp_user_timeout(Some(timeout)).unwrap();
        assert_eq!(the_one(server, &ours).user_timeout(), Some(timeout));
    }

    #[test]
    fn a_new_connection_is_bounded_also_where_ports_are_changed_on_the_way() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let [one, two] = [(); 2].map(|()| TcpStream::connect(server).unwrap());
        let config = |time: &str| {
            Config::from_url(&format!("postgres://app@db/app?tcp_user_timeout={time}")).unwrap()
        };
        let times = || [&one, &two].map(|ours| the_one(server, ours).user_timeout().unwrap());
        let port = one.local_addr().unwrap().port();
        OwnSocket::bound(server, Some(port), &config("2s"));
        assert_eq!(times(), [Duration::from_secs(2), Duration::ZERO]);
        for unknown in [None, Some(1)] {
            OwnSocket::bound(server, unknown, &config("3s"));
            assert_eq!(times(), [Duration::from_secs(2), Duration::from_secs(3)]);
        }
        let keepalive = SockRef::from(&two).keepalive().unwrap();
        assert!(keepalive && SockRef::from(&one).keepalive().unwrap());
    }
}
