//! A fake database server: data, no behaviour but answering.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use super::ms;
use crate::config::Address;
use crate::engine::{FailureKind, Lineage, Listed, Members, Report};

/// How a server treats who asks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It answers at once with this failure.
    Fails(FailureKind),
    /// It, or the network before it, says nothing at all.
    Hung,
    /// The monitor itself never reports back.
    MonitorStuck,
    Up,
}

#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) cluster: Option<&'static str>,
    pub(crate) name: Option<String>,
    pub(crate) process: String,
    pub(crate) ip: u8,
    pub(crate) writes: bool,
    pub(crate) stands_still: bool,
    pub(crate) timeline: Option<u64>,
    pub(crate) lineage: Option<Lineage>,
    pub(crate) position: Option<u64>,
    pub(crate) lag: Option<Duration>,
    pub(crate) members: Members,
    pub(crate) state: State,
    pub(crate) latency: Duration,
    /// How many of a hundred tries never get an answer, whatever becomes of the others.
    pub(crate) stalled: u8,
    /// It drops every connection as soon as it has answered.
    pub(crate) hangs_up: bool,
}

impl Server {
    /// A reader of a plain PostgreSQL cluster.
    pub(crate) fn postgres(ip: u8) -> Self {
        Self {
            cluster: Some("7"),
            name: None,
            process: format!("run 1 of {ip}"),
            ip,
            writes: false,
            stands_still: false,
            timeline: None,
            lineage: None,
            position: Some(100),
            lag: Some(Duration::ZERO),
            members: Members::Suggested(Vec::new()),
            state: State::Up,
            latency: ms(1),
            stalled: 0,
            hangs_up: false,
        }
    }

    /// A reader of an Aurora cluster.
    pub(crate) fn aurora(name: &str, ip: u8) -> Self {
        Self {
            cluster: None,
            name: Some(name.to_owned()),
            members: Members::Unlisted,
            ..Self::postgres(ip)
        }
    }

    /// A reader of a MySQL cluster, or one of MariaDB where all number in one sequence.
    pub(crate) fn mysql(name: &str, ip: u8, is_one_sequence: bool) -> Self {
        let lineage = Lineage { own: Arc::from(name), is_one_sequence, ..Lineage::default() };
        Self { cluster: None, lineage: Some(lineage), ..Self::postgres(ip) }
    }

    pub(crate) fn report(&self) -> Report {
        Report {
            cluster: self.cluster.map(Arc::from),
            name: self.name.as_deref().map(Arc::from),
            server: Some(Arc::from(self.process.as_str())),
            ip: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, self.ip))),
            accepts_writes: self.writes,
            stands_still: self.stands_still,
            incarnation: self.timeline,
            lineage: self.lineage.clone().map(Arc::new),
            position: self.position,
            lag: self.lag,
            members: self.members.clone(),
        }
    }

    /// It becomes the writer of that timeline.
    pub(crate) fn promote(&mut self, timeline: u64) {
        self.writes = true;
        self.timeline = Some(timeline);
    }

    /// Another process of it comes up as a reader.
    pub(crate) fn rejoin(&mut self) {
        self.writes = false;
        self.timeline = None;
        self.restart();
    }

    /// Another process of it comes up.
    pub(crate) fn restart(&mut self) {
        self.process.push('+');
        self.state = State::Up;
    }
}

/// An Aurora topology; the first name is the writer's.
pub(crate) fn listed(names: &[&str]) -> Members {
    let row = |(n, name): (usize, &&str)| Listed { name: Arc::from(*name), is_writer: n == 0 };
    Members::Listed(names.iter().enumerate().map(row).collect())
}

pub(crate) fn suggested(hosts: &[&str]) -> Members {
    Members::Suggested(hosts.iter().map(|host| Address::new(*host, 5432)).collect())
}
