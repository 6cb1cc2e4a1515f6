//! Finds the socket of a libpq connection, so that a call that waits on it can be ended.
//!
//! Neither Diesel nor libpq gives the socket away, and a blocked call cannot be ended otherwise:
//! a hung server's kernel still acknowledges, so that neither keepalives nor `tcp_user_timeout`
//! fire. But libpq sets options of the socket as it is told to: each connection gets a
//! `tcp_user_timeout` of its own, longer than the configured one by some milliseconds, and the
//! process's own socket with that peer and that option is the one. It is duplicated
//! (`pidfd_getfd` on the process itself: no unsafe code, and a descriptor that is closed and used
//! again meanwhile does no harm, for everything is compared on the duplicate). Shutting the
//! duplicate down wakes the blocked call at once, which reports a broken connection.
//!
//! Another pool of the process may have given the same mark to a connection to the same server:
//! then the port decides at which the server sees the client. (The port alone would not do: a
//! proxy or a translation of addresses changes it.) What still fits twice is not ended.
//!
//! Where that does not work (another operating system, a container that forbids `pidfd_getfd`)
//! there is no socket, and `tcp_user_timeout` and keepalives are all there is.

#[cfg(target_os = "linux")]
use std::collections::HashSet;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use aurora_core::Config;

/// How many marks there are, a millisecond each: more than anybody has connections to one server.
const MARKS: u32 = 1000;

/// Stands for a `tcp_user_timeout` that is switched off: longer than any statement.
const OFF: Duration = Duration::from_secs(24 * 60 * 60);

/// The `tcp_user_timeout` of the connection with that mark.
pub(super) fn marked(config: &Config, mark: u32) -> Duration {
    let configured = config.tcp_user_timeout();
    let base = if configured.is_zero() { OFF } else { configured };
    base + Duration::from_millis((mark % MARKS).into())
}

/// How a socket is recognised.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "none is looked for"))]
pub(super) struct Sought {
    /// The server.
    pub(super) peer: SocketAddr,
    /// The option that libpq was told to set.
    pub(super) user_timeout: Duration,
    /// Where the server sees the client.
    pub(super) local_port: Option<u16>,
}

/// The process's socket that is sought, if there is exactly one.
#[cfg(target_os = "linux")]
pub(super) fn find(sought: &Sought) -> Option<TcpStream> {
    let mut found = marked_sockets(sought)?;
    if found.len() > 1 {
        found.retain(|socket| {
            socket.local_addr().is_ok_and(|local| Some(local.port()) == sought.local_port)
        });
    }
    // Two different ones that look the same: better none than the wrong one.
    if found.len() == 1 { found.pop() } else { None }
}

#[cfg(target_os = "linux")]
fn marked_sockets(sought: &Sought) -> Option<Vec<TcpStream>> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    let process = pidfd_open(getpid(), PidfdFlags::empty()).ok()?;
    // Other threads that search duplicate sockets for a moment: each socket is looked at once,
    // whatever its descriptors, or the searches would multiply each other's work.
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd").ok()?.flatten() {
        let Ok(target) = std::fs::read_link(entry.path()) else { continue };
        if !target.to_string_lossy().starts_with("socket:") || seen.contains(&target) {
            continue;
        }
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let copy =
            number.and_then(|number| pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok());
        let Some(socket) = copy.map(TcpStream::from) else { continue };
        seen.insert(target);
        if fits(&socket, sought) {
            found.push(socket);
        }
    }
    Some(found)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn find(_sought: &Sought) -> Option<TcpStream> {
    None
}

#[cfg(target_os = "linux")]
fn fits(socket: &TcpStream, sought: &Sought) -> bool {
    let Ok(peer) = socket.peer_addr() else { return false };
    let timeout = rustix::net::sockopt::tcp_user_timeout(socket);
    let wanted = sought.user_timeout.as_millis();
    timeout.is_ok_and(|timeout| u128::from(timeout) == wanted)
        && peer.port() == sought.peer.port()
        && peer.ip().to_canonical() == sought.peer.ip()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::Read as _;
    use std::net::{Shutdown, TcpListener};

    use super::*;

    fn connect(server: SocketAddr, user_timeout: u32) -> (TcpStream, Sought) {
        let ours = TcpStream::connect(server).unwrap();
        rustix::net::sockopt::set_tcp_user_timeout(&ours, user_timeout).unwrap();
        let local_port = Some(ours.local_addr().unwrap().port());
        let user_timeout = Duration::from_millis(user_timeout.into());
        (ours, Sought { peer: server, user_timeout, local_port })
    }

    #[test]
    fn threads_that_search_at_the_same_time_find_each_its_own() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    let (ours, sought) = connect(server, 30_000 + thread);
                    for _ in 0..200 {
                        let copy = find(&sought).expect("the socket");
                        assert_eq!(copy.local_addr().unwrap(), ours.local_addr().unwrap());
                    }
                });
            }
        });
    }

    #[test]
    fn a_call_that_waits_on_the_socket_is_ended_and_no_other() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let (mut ours, sought) = connect(server, 30_001);
        let (mut other, _) = connect(server, 30_002);
        let copy = find(&sought).expect("the socket");
        let blocked = std::thread::spawn(move || ours.read(&mut [0]));
        copy.shutdown(Shutdown::Both).unwrap();
        assert_eq!(blocked.join().unwrap().unwrap(), 0, "it reads the end");
        other.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(other.read(&mut [0]).is_err(), "it goes on waiting");
    }

    #[test]
    fn the_port_of_the_client_decides_only_between_equal_marks() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let (ours, sought) = connect(server, 30_001);
        let behind_a_proxy = Sought { local_port: Some(1), ..sought };
        let found = find(&behind_a_proxy).expect("the mark is enough");
        assert_eq!(found.local_addr().unwrap(), ours.local_addr().unwrap());
        drop(found);
        let (_other, same_mark) = connect(server, 30_001);
        assert!(find(&behind_a_proxy).is_none(), "either could be it");
        let found = find(&same_mark).expect("the port tells them apart");
        assert_eq!(Some(found.local_addr().unwrap().port()), same_mark.local_port);
    }

    #[test]
    fn a_timeout_that_is_switched_off_leaves_room_for_the_mark() {
        let config =
            |options: &str| Config::from_url(&format!("postgres://app@a/db?{options}")).unwrap();
        let off = marked(&config("tcp_user_timeout=0s"), 1007);
        assert_eq!(off, OFF + Duration::from_millis(7));
        let set = marked(&config("tcp_user_timeout=3s"), 7);
        assert_eq!(set, Duration::from_millis(3007));
    }
}
