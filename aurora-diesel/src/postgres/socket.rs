//! Finds the socket of a libpq connection, so that a call that waits on it can be ended.
//!
//! Neither Diesel nor libpq gives the socket away, and a blocked call cannot be ended otherwise:
//! a hung server's kernel still acknowledges, so that neither keepalives nor `tcp_user_timeout`
//! fire. The server says at which port it sees the client; the process's own socket with that
//! local port and that peer is the one. It is duplicated (`pidfd_getfd` on the process itself: no
//! unsafe code, and a descriptor that is closed and used again meanwhile does no harm, for the
//! addresses are compared on the duplicate). Shutting the duplicate down wakes the blocked call at
//! once, which reports a broken connection.
//!
//! Where that does not work (another operating system, a container that forbids `pidfd_getfd`, a
//! proxy that changes ports) there is no socket, and `tcp_user_timeout` and keepalives are all
//! there is.

#[cfg(target_os = "linux")]
use std::collections::HashSet;
use std::net::{IpAddr, TcpStream};

/// The process's socket to `(ip, port)` whose local port is `local_port`.
#[cfg(target_os = "linux")]
pub(super) fn find(ip: IpAddr, port: u16, local_port: u16) -> Option<TcpStream> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    let process = pidfd_open(getpid(), PidfdFlags::empty()).ok()?;
    // Other threads that search duplicate sockets for a moment: each socket is looked at once,
    // whatever its descriptors, or the searches would multiply each other's work.
    let mut seen = HashSet::new();
    let mut found = None;
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
        // Two different ones that look the same: better none than the wrong one.
        if leads(&socket, ip, port, local_port) && found.replace(socket).is_some() {
            return None;
        }
    }
    found
}

#[cfg(not(target_os = "linux"))]
pub(super) fn find(_ip: IpAddr, _port: u16, _local_port: u16) -> Option<TcpStream> {
    None
}

#[cfg(target_os = "linux")]
fn leads(socket: &TcpStream, ip: IpAddr, port: u16, local_port: u16) -> bool {
    let ends = socket.local_addr().and_then(|local| Ok((local, socket.peer_addr()?)));
    ends.is_ok_and(|(local, peer)| {
        local.port() == local_port && peer.port() == port && peer.ip().to_canonical() == ip
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Read as _;
    use std::net::{Shutdown, TcpListener};
    use std::time::Duration;

    use super::*;

    #[test]
    fn threads_that_search_at_the_same_time_find_each_its_own() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let ours = TcpStream::connect(server).unwrap();
                    let port = ours.local_addr().unwrap().port();
                    for _ in 0..200 {
                        let copy = find(server.ip(), server.port(), port).expect("the socket");
                        assert_eq!(copy.local_addr().unwrap().port(), port);
                    }
                });
            }
        });
    }

    #[test]
    fn a_call_that_waits_on_the_socket_is_ended_and_no_other() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let connect = || TcpStream::connect(server).unwrap();
        let (mut ours, mut other) = (connect(), connect());
        let port = ours.local_addr().unwrap().port();
        let copy = find(server.ip(), server.port(), port).expect("the socket");
        let blocked = std::thread::spawn(move || ours.read(&mut [0]));
        copy.shutdown(Shutdown::Both).unwrap();
        assert_eq!(blocked.join().unwrap().unwrap(), 0, "it reads the end");
        other.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(other.read(&mut [0]).is_err(), "it goes on waiting");
        assert!(find(server.ip(), server.port(), 1).is_none());
    }
}
