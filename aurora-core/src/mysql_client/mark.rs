//! Recognises the socket of a connection that mysql_async opens and gives nobody.
//!
//! The driver sets one option of its sockets as it is told to: how long a connection is silent
//! before keepalive probes. Each new connection gets hours of its own, by which its socket is found
//! among all of the process, and which the configured time replaces at once.
//!
//! The port at which the server sees the client would not do: something on the way may change
//! ports, and then it may well be the port of another connection of this process.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::config::Config;
use crate::socket::OwnSocket;

/// The least mark, in seconds: nobody sets such a time for its own sake.
const LEAST: u64 = 20_000;

/// How many marks there are: up to the longest time that Linux takes, 32,767 s (tcp.h). More than
/// anybody opens connections at the same moment.
const MARKS: u32 = 12_767;

/// The marks of one cluster handle.
#[derive(Debug)]
pub(super) struct Marks(AtomicU32);

impl Marks {
    /// Another handle of the process begins elsewhere.
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(fastrand::u32(..)))
    }

    /// The mark of a new connection; none where it would not be found, and had to keep it.
    pub(super) fn next(&self) -> Option<Mark> {
        let number = self.0.fetch_add(1, Ordering::Relaxed) % MARKS;
        OwnSocket::can_be_found().then(|| Mark(Duration::from_secs(LEAST + u64::from(number))))
    }
}

/// What tells a new connection from all others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(Duration);

impl Mark {
    /// The time that the driver is to set.
    pub(super) fn keepalive_idle(self) -> Duration {
        self.0
    }

    /// The socket with the mark that leads to `peer`, now with all the configuration says of it.
    pub(super) fn found(self, peer: SocketAddr, config: &Config) -> Option<OwnSocket> {
        let mut marked = OwnSocket::connected_to(peer);
        marked.retain(|socket| socket.keepalive_idle() == Some(self.0));
        marked.iter().for_each(|socket| socket.bound_by(config));
        // Two that look the same: better none than the wrong one.
        if marked.len() == 1 { marked.pop() } else { None }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use socket2::{SockRef, TcpKeepalive};

    use super::*;

    fn connect(server: SocketAddr, mark: Mark) -> TcpStream {
        let ours = TcpStream::connect(server).unwrap();
        let keepalive = TcpKeepalive::new().with_time(mark.keepalive_idle());
        SockRef::from(&ours).set_tcp_keepalive(&keepalive).unwrap();
        ours
    }

    #[test]
    fn each_of_many_at_once_is_found_by_its_mark_and_bounded() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let config =
            |options: &str| Config::from_url(&format!("mysql://app@h/d?{options}")).unwrap();
        let (marks, set) = (Marks(AtomicU32::new(u32::MAX)), config("keepalive_idle=7s"));
        let marked: Vec<_> = (0..8).map(|_| marks.next().unwrap()).collect();
        let ours: Vec<_> = marked.iter().map(|mark| connect(server, *mark)).collect();
        for (mark, ours) in marked.iter().zip(&ours) {
            let found = mark.found(server, &set).expect("one has it");
            assert_eq!(found.local_port(), Some(ours.local_addr().unwrap().port()));
            assert_eq!(SockRef::from(ours).tcp_keepalive_time().unwrap(), Duration::from_secs(7));
            assert_eq!(found.user_timeout(), Some(set.tcp_user_timeout()));
            assert!(mark.found(server, &set).is_none(), "nobody has it any more");
        }
    }

    #[test]
    fn of_two_with_one_mark_none_is_taken_and_none_keeps_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let off = Config::from_url("mysql://app@h/d?keepalive_idle=0s").unwrap();
        let mark = Mark(Duration::from_secs(LEAST + u64::from(MARKS)));
        let both = [connect(server, mark), connect(server, mark)];
        assert!(mark.found(server, &off).is_none());
        assert!(both.iter().all(|ours| !SockRef::from(ours).keepalive().unwrap()));
    }
}
