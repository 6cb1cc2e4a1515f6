//! What Linux tells a process of its own sockets.

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
        let copy =
            number.and_then(|number| pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok());
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
