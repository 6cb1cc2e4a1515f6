//! Recognises the socket of a connection of a client library's, so that a call that waits on it can be
//! ended; how that works is told by [`OwnSocket`].
//!
//! libpq sets options of the socket as it is told to: each connection gets a `tcp_user_timeout` of
//! its own, longer than the configured one by some milliseconds, and the process's own socket with
//! that peer and that option is the one.
//!
//! Another pool of the process may have given the same mark to a connection to the same server:
//! then the port decides at which the server sees the client. (The port alone would not do: a
//! proxy or a translation of addresses changes it.) What still fits twice is not ended.
//!
//! MySQL's libraries set nothing: there the port decides, among the sockets for which nobody has set
//! a time yet. Where none of them has it, because something changes ports, none is known: then all
//! to that server are ended for which we have set the time. That is right for an instance that is
//! lost, and for nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "postgres")]
use aurora_core::Config;
use aurora_core::OwnSocket;

use crate::manager::sealed::Abort;

/// How many marks there are, a millisecond each: more than anybody has connections to one server.
#[cfg(feature = "postgres")]
const MARKS: u32 = 1000;

/// Stands for a `tcp_user_timeout` that is switched off: longer than any statement.
#[cfg(feature = "postgres")]
const OFF: Duration = Duration::from_secs(24 * 60 * 60);

/// The `tcp_user_timeout` of the connection with that mark.
#[cfg(feature = "postgres")]
pub(crate) fn marked(config: &Config, mark: u32) -> Duration {
    let configured = config.tcp_user_timeout();
    let base = if configured.is_zero() { OFF } else { configured };
    base + Duration::from_millis((mark % MARKS).into())
}

/// How a socket of libpq's is recognised.
#[cfg(feature = "postgres")]
pub(crate) struct Sought {
    /// The server.
    pub(crate) peer: SocketAddr,
    /// The option that the library was told to set.
    pub(crate) user_timeout: Duration,
    /// Where the server sees the client.
    pub(crate) local_port: Option<u16>,
}

/// The process's socket that is sought, if there is exactly one.
#[cfg(feature = "postgres")]
pub(crate) fn find(sought: &Sought) -> Option<OwnSocket> {
    let mut found = OwnSocket::connected_to(sought.peer);
    found.retain(|socket| socket.user_timeout() == Some(sought.user_timeout));
    if found.len() > 1 {
        found.retain(|socket| socket.local_port() == sought.local_port);
    }
    // Two different ones that look the same: better none than the wrong one.
    if found.len() == 1 { found.pop() } else { None }
}

/// Ends the one connection.
pub(crate) fn shut_down(socket: Arc<OwnSocket>) -> Abort {
    Box::new(move || socket.shut_down())
}

/// Ends what leads to `peer` and has had this time set, whosever it is. Without a time ours are not
/// told from those of others, and none is ended.
#[cfg(feature = "mysql")]
pub(crate) fn end_all(peer: SocketAddr, user_timeout: Duration) {
    if user_timeout.is_zero() {
        return;
    }
    let mut found = OwnSocket::connected_to(peer);
    found.retain(|socket| socket.user_timeout() == Some(user_timeout));
    found.iter().for_each(OwnSocket::shut_down);
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::{TcpListener, TcpStream};

    #[cfg(not(feature = "postgres"))]
    use aurora_core::Config;

    use super::*;

    #[cfg(feature = "postgres")]
    fn connect(server: SocketAddr, user_timeout: Duration) -> (TcpStream, Sought) {
        let ours = socket2::Socket::from(TcpStream::connect(server).unwrap());
        ours.set_tcp_user_timeout(Some(user_timeout)).unwrap();
        let ours = TcpStream::from(ours);
        let local_port = Some(ours.local_addr().unwrap().port());
        (ours, Sought { peer: server, user_timeout, local_port })
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn the_port_of_the_client_decides_only_between_equal_marks() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let mark = Duration::from_millis(30_001);
        let (_unmarked, _) = connect(server, Duration::from_millis(30_002));
        let (ours, sought) = connect(server, mark);
        let behind_a_proxy = Sought { local_port: Some(1), ..sought };
        let found = find(&behind_a_proxy).expect("the mark is enough");
        assert_eq!(found.local_port(), Some(ours.local_addr().unwrap().port()));
        drop(found);
        let (_other, same_mark) = connect(server, mark);
        assert!(find(&behind_a_proxy).is_none(), "either could be it");
        let found = find(&same_mark).expect("the port tells them apart");
        assert_eq!(found.local_port(), same_mark.local_port);
    }

    #[cfg(feature = "mysql")]
    #[test]
    fn of_a_lost_instance_all_are_ended_that_were_bounded_and_no_others() {
        use std::io::{ErrorKind, Read as _};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let config = Config::from_url("mysql://app@h/d?tcp_user_timeout=3s").unwrap();
        let mut both = [TcpStream::connect(server).unwrap(), TcpStream::connect(server).unwrap()];
        OwnSocket::bound(server, Some(1), &config);
        let mut another = TcpStream::connect(server).unwrap();
        end_all(server, Duration::ZERO);
        let is_open = |stream: &mut TcpStream| {
            stream.set_nonblocking(true).unwrap();
            stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        };
        assert!(both.iter_mut().all(is_open), "no time is everybody's");
        end_all(server, Duration::from_secs(3));
        assert!(!both.iter_mut().any(is_open));
        assert!(is_open(&mut another));
    }

    #[cfg(feature = "postgres")]
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
