//! The engine in virtual time, against servers that are data.

mod described;
mod endless;
mod epochs;
pub(crate) mod events;
mod failover;
mod freshness;
mod large;
mod lineage;
mod members;
mod monitor;
mod outage;
mod pace;
mod random;
mod reseed;
mod rules;
pub(crate) mod server;
mod split_brain;
pub(crate) mod world;

use std::time::Duration;

use super::Settings;

/// The settings a user gets who sets nothing.
pub(crate) fn defaults() -> Settings {
    Settings {
        probe_interval: Duration::from_millis(750),
        failover_interval: Duration::from_millis(10),
        connect_timeout: Duration::from_secs(2),
        silence: Duration::from_millis(1750),
        slow_start: Duration::ZERO,
        instance_host_pattern: None,
        default_port: 5432,
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
