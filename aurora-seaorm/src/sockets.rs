//! The connections of a registered pool, so that those to a lost instance can be ended.
//!
//! sqlx lets nobody end a connection that waits for an answer, and its pool asks a connection whose
//! future was dropped how it is, without a deadline. So the socket of each connection is known by
//! the port at which the server sees it, and shut down when the instance is lost. Behind a proxy
//! that changes ports no socket is found: there a statement waits as long as the operating system
//! does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aurora_core::{Health, Instance, InstanceId, OwnSocket, Topology};

/// From this number on, what is no connection any more is forgotten now and then.
const MANY: usize = 64;

/// Which connection leads where, by the port at this end.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    known: Mutex<HashMap<u16, Place>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    instance: InstanceId,
    epoch: u64,
    peer: SocketAddr,
}

impl Sockets {
    /// Notes a new connection to `instance`. A port that is used again is another connection.
    pub(crate) fn opened(&self, instance: &Instance, local_port: u16) {
        let Some(ip) = instance.ip() else { return };
        let peer = SocketAddr::new(ip, instance.address().port());
        let place = Place { instance: instance.id().clone(), epoch: instance.epoch(), peer };
        let mut known = self.lock();
        known.insert(local_port, place);
        if known.len() > MANY && known.len().is_power_of_two() {
            forget_closed(&mut known);
        }
    }

    /// Ends the connections to instances that are lost, or not of the cluster any more.
    pub(crate) fn shut_down_lost(&self, topology: &Topology) {
        let is_lost = |place: &Place| match topology.instance(&place.instance) {
            Some(now) => {
                now.epoch() != place.epoch && matches!(now.health(), Health::Lost | Health::Foreign)
            }
            None => true,
        };
        let mut lost: Vec<(u16, Place)> = Vec::new();
        self.lock().retain(|port, place| {
            let gone = is_lost(place);
            if gone {
                lost.push((*port, place.clone()));
            }
            !gone
        });
        let mut peers: Vec<SocketAddr> = lost.iter().map(|(_, place)| place.peer).collect();
        peers.sort();
        peers.dedup();
        for socket in peers.into_iter().flat_map(OwnSocket::connected_to) {
            if lost.iter().any(|(port, _)| Some(*port) == socket.local_port()) {
                socket.shut_down();
            }
        }
    }

    // A panic while the lock is held (allocation) leaves a map that is still a map.
    fn lock(&self) -> MutexGuard<'_, HashMap<u16, Place>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget_closed(known: &mut HashMap<u16, Place>) {
    let mut peers: Vec<SocketAddr> = known.values().map(|place| place.peer).collect();
    peers.sort();
    peers.dedup();
    let open: Vec<u16> = peers
        .into_iter()
        .flat_map(OwnSocket::connected_to)
        .filter_map(|socket| socket.local_port())
        .collect();
    // Where no socket can be looked at, none can be ended either.
    known.retain(|port, _| open.contains(port));
}
