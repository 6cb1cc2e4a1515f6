//! What a proxy counts.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Direction;
use crate::guarded;

const WINDOW: Duration = Duration::from_secs(1);

/// What has passed through a proxy since it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProxyStats {
    /// Connections accepted from clients, whatever became of them.
    pub accepted: usize,
    /// Connections that are open now, silent ones included.
    pub open: usize,
    /// The most connections that were open at once, since [`ChaosProxy::forget_peaks`](super::ChaosProxy::forget_peaks).
    pub most_open: usize,
    /// The most connections accepted within any one second, since [`ChaosProxy::forget_peaks`](super::ChaosProxy::forget_peaks).
    pub most_accepted_in_a_second: usize,
    /// Bytes forwarded to the server.
    pub bytes_to_server: u64,
    /// Bytes forwarded to clients.
    pub bytes_to_client: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    connections: Mutex<Connections>,
    open: AtomicUsize,
    to_server: AtomicU64,
    to_client: AtomicU64,
}

#[derive(Debug, Default)]
struct Connections {
    accepted: usize,
    most_open: usize,
    most_in_a_second: usize,
    /// When the connections of the last second came.
    recent: VecDeque<Instant>,
}

impl Connections {
    fn accept(&mut self, now: Instant, open: usize) {
        while self.recent.front().is_some_and(|first| now.duration_since(*first) >= WINDOW) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.accepted += 1;
        self.most_open = self.most_open.max(open);
        self.most_in_a_second = self.most_in_a_second.max(self.recent.len());
    }
}

impl Tally {
    /// Counts a connection, which is open until the guard is dropped.
    pub(crate) fn accept(self: &std::sync::Arc<Self>) -> Open {
        let mut connections = guarded(&self.connections);
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        connections.accept(Instant::now(), open);
        Open { tally: std::sync::Arc::clone(self) }
    }

    pub(crate) fn forwarded(&self, way: Direction, bytes: usize) {
        let total = if way == Direction::ToServer { &self.to_server } else { &self.to_client };
        total.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn forget_peaks(&self) {
        let mut connections = guarded(&self.connections);
        connections.recent.clear();
        connections.most_in_a_second = 0;
        connections.most_open = self.open.load(Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> ProxyStats {
        let connections = guarded(&self.connections);
        ProxyStats {
            accepted: connections.accepted,
            open: self.open.load(Ordering::Relaxed),
            most_open: connections.most_open,
            most_accepted_in_a_second: connections.most_in_a_second,
            bytes_to_server: self.to_server.load(Ordering::Relaxed),
            bytes_to_client: self.to_client.load(Ordering::Relaxed),
        }
    }
}

/// A connection that is open.
#[derive(Debug)]
pub(crate) struct Open {
    tally: std::sync::Arc<Tally>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.tally.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_that_of_any_one_second() {
        let (start, mut connections) = (Instant::now(), Connections::default());
        for millis in [0, 900, 950, 1_000, 1_899, 3_000] {
            connections.accept(start + Duration::from_millis(millis), 1);
        }
        // Within a second from 900 ms on: 900, 950, 1000, 1899.
        assert_eq!((connections.accepted, connections.most_in_a_second), (6, 4));
    }
}
