//! What a life begins with: a configuration, and sessions.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::client::{Client, Doing};
use super::server::Server;
use super::swarm::{Kind, Swarm};
use crate::config::{Config, Freshness};
use crate::engine::Engine;
use crate::session::Session;

/// A session that has done nothing yet.
pub(super) fn client(now: Instant) -> Client {
    let freshness = Freshness::Session;
    Client {
        session: Session::new(freshness),
        lease: None,
        used_at: now,
        doing: Doing::Idle,
        since: now,
        serial: 0,
        statement: None,
        job: VecDeque::new(),
        careless: false,
        own_fault: false,
        freshness,
        pending: Vec::new(),
        began_on: None,
    }
}

/// The configuration of a program that uses the cluster.
pub(super) fn config(swarm: &Swarm) -> Config {
    let hosts = match swarm.kind {
        Kind::Aurora => "cluster.x".to_owned(),
        Kind::Asynchronous | Kind::Synchronous => {
            let names = (0..swarm.servers).map(|n| Server::new(n).name.to_string());
            names.collect::<Vec<_>>().join(",")
        }
    };
    let ms = |time: Duration| time.as_millis();
    let mut url = format!(
        "postgres://app@{hosts}/db?detection_time={}ms&failover_interval={}ms\
         &failover_timeout={}ms&reader_fallback={}",
        ms(swarm.detection),
        ms(swarm.hurry),
        ms(swarm.failover_timeout),
        swarm.reader_fallback,
    );
    if swarm.kind == Kind::Aurora {
        url.push_str("&instance_host_pattern=%3F.x");
    }
    let config = Config::from_url(&url);
    config.unwrap_or_else(|error| panic!("a configuration of the simulation is wrong: {error}"))
}

/// The first engine.
pub(super) fn engine(config: &Config, seed: u64, now: Instant) -> Engine {
    Engine::new(crate::driver::settings(config), config.addresses(), seed, now)
}
