//! The fault catalogue: one function for each fault, run against every adapter it applies to.
//!
//! The name of a fault's module begins with its number in the catalogue, whose table is
//! `xtask/src/faults/catalogue.rs`; `cargo xtask faults` runs them all and prints what became of
//! each. A fault runs under the load of [`aurora_tests::load`], and the promises that hold for
//! every fault are judged by [`aurora_tests::trial`]: here is what happens, and what is peculiar
//! to it.

mod dropped;
mod hangs;
mod limits;
mod network;
mod processes;
mod servers;
mod sessions;
mod topology;
mod writers;

use aurora_tests::trial::Case;
use test_kit::{MariaDbCluster, PgCluster};

/// Makes a module of each fault, and in it a test of each adapter.
macro_rules! faults {
    ($($name:ident = $module:ident :: $run:ident;)+) => {
        $(
            mod $name {
                use super::*;

                faults! { @ $name, $module::$run::<PgCluster> => diesel_r2d2 bb8 deadpool seaorm }
                faults! { @ $name, $module::$run::<MariaDbCluster> =>
                    mysql_r2d2 mysql_bb8 mysql_deadpool mysql_seaorm }
            }
        )+
    };
    (asks for TLS: $name:ident = $module:ident :: $run:ident;) => {
        mod $name {
            use super::*;

            faults! { @ $name, $module::$run::<PgCluster> => diesel_r2d2 bb8 deadpool seaorm }
            faults! { @ $name, $module::$run::<MariaDbCluster> =>
                mysql_bb8 mysql_deadpool mysql_seaorm }
        }
    };
    (postgres: $($name:ident = $module:ident :: $run:ident;)+) => {
        $(
            mod $name {
                use super::*;

                faults! { @ $name, $module::$run => diesel_r2d2 bb8 deadpool seaorm }
            }
        )+
    };
    (@ $name:ident, $run:expr => $($adapter:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $adapter() {
                let open = aurora_tests::doors::$adapter::open;
                let (fault, adapter) = (stringify!($name), stringify!($adapter));
                $run(Case { fault, adapter, open }).await;
            }
        )+
    };
}

faults! {
    a1_writer_crash = writers::crash;
    a4_switchover = writers::switchover;
    a5_same_writer = writers::same_writer;
    a6_double_failover = writers::double_failover;
    a7_waiters = writers::waiters;
    a8_no_candidate = writers::no_candidate;
    b1_hung_instance = hangs::paused;
    b4_blackhole = hangs::blackhole;
    b4_lost_packets = hangs::lost_packets;
    b5_replies_lost = network::replies_lost;
    b5_lost_packets = network::reply_packets_lost;
    b6_reset = hangs::reset;
    b7_garbage = network::garbage;
    b8_idle_forgotten = network::idle_forgotten;
    b8_lost_packets = network::idle_packets_lost;
    b9_slow_network = network::slow;
    b10_long_query = servers::long_queries;
    b11_crash_loop = servers::crash_loop;
    d1_read_only_writer = topology::read_only_writer;
    d8_lag = topology::lag;
    d10_all_restart = topology::all_restart;
    e1_full_server = limits::full_server;
    e3_exhausted_pool = sessions::exhausted_pool;
    g2_panic = sessions::panic;
    g4_dropped = dropped::everything;
    h3_session_state = sessions::session_state;
}

// MariaDB Connector/C, which mysql_r2d2 uses, asks for no TLS unless it must.
faults! { asks for TLS:
    f6_stalled_tls = limits::stalled_tls;
}

// MariaDB serves all sessions with one process, and its readers cancel no read.
faults! { postgres:
    a2_postmaster_crash = writers::postmaster_crash;
    a3_backend_crash = writers::backend_crash;
    b2_hung_postmaster = servers::hung_postmaster;
    b3_hung_backend = servers::hung_backend;
    d9_recovery_conflict = topology::recovery_conflict;
}
