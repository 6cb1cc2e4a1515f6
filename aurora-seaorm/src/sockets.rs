//! The connections of a registered pool, so that those to a lost instance can be ended.
//!
//! sqlx lets nobody end a connection that waits for an answer, and its pool asks a connection whose
//! future was dropped how it is, without a deadline. So the socket of each connection is known by
//! the port at which the server sees it, and shut down when the instance is lost. Behind a proxy
//! that changes ports no socket is found: there a statement waits as long as the operating system
//! does.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aurora_core::{Health, Instance, InstanceId, OwnSocket, Topology};

/// From this number on, what is no connection any more is forgotten now and then.
const MANY: usize = 64;

/// Which connection leads where, by the port at this end.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    known: Mutex<HashMap<End, Place>>,
}

/// A connection: the same port may lead to several servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct End {
    peer: SocketAddr,
    local_port: u16,
}

#[derive(Debug)]
struct Place {
    instance: InstanceId,
    epoch: u64,
}

impl Sockets {
    /// Notes a new connection to `instance`. A port that is used again is another connection.
    pub(crate) fn opened(&self, instance: &Instance, local_port: u16) {
        let Some(ip) = instance.ip() else { return };
        let peer = SocketAddr::new(ip, instance.address().port());
        let place = Place { instance: instance.id().clone(), epoch: instance.epoch() };
        let mut known = self.lock();
        known.insert(End { peer, local_port }, place);
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
        let mut lost = Vec::new();
        self.lock().retain(|end, place| {
            let gone = is_lost(place);
            if gone {
                lost.push(*end);
            }
            !gone
        });
        for (end, socket) in open(lost.iter()) {
            if lost.contains(&end) {
                socket.shut_down();
            }
        }
    }

    // A panic while the lock is held (allocation) leaves a map that is still a map.
    fn lock(&self) -> MutexGuard<'_, HashMap<End, Place>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget_closed(known: &mut HashMap<End, Place>) {
    let open: HashSet<End> = open(known.keys()).map(|(end, _)| end).collect();
    // Where no socket can be looked at, none can be ended either.
    known.retain(|end, _| open.contains(end));
}

/// All sockets of the process to where these lead.
fn open<'a>(ends: impl Iterator<Item = &'a End>) -> impl Iterator<Item = (End, OwnSocket)> {
    let peers: HashSet<SocketAddr> = ends.map(|end| end.peer).collect();
    peers.into_iter().flat_map(|peer| {
        let sockets = OwnSocket::connected_to(peer).into_iter();
        sockets.filter_map(move |socket| {
            socket.local_port().map(|local_port| (End { peer, local_port }, socket))
        })
    })
}
