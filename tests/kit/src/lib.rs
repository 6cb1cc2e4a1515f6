//! Disposable clusters of real PostgreSQL and MariaDB servers on loopback addresses, for tests.
//!
//! No mock: every instance is a PostgreSQL server of this machine's Debian packages, on a loopback
//! address of its own and the same port as the others, with streaming replication between them.
//! Everything is gone when the [`PgCluster`] is dropped, and also when the test process dies.
//!
//! ```no_run
//! use test_kit::PgCluster;
//! let cluster = PgCluster::builder().instances(3).synchronous(true).start()?;
//! let mut writer = cluster.client(cluster.writer())?;
//! writer.batch_execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")?;
//! cluster.kill_and_promote(1)?;
//! let mut writer = cluster.client(1)?;
//! assert_eq!(writer.query("SELECT id FROM t", &[])?.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`MariaDbCluster`] is the same for MariaDB, which stands for the MySQL family.
//!
//! Files live below the directory for temporary files. Most of the time of a start goes into
//! creating them: with `TMPDIR=/dev/shm`, where it is large enough (50 MB per instance), three
//! instances start in less than half a second instead of one to two.
//!
//! Linux only: it relies on `/proc`, on parent-death signals, and on 127.0.0.0/8 being local.

mod account;
pub mod aws;
mod builder;
pub mod chaos;
mod cluster;
mod control;
mod error;
mod failover;
mod guard;
mod home;
mod install;
mod instance;
mod listen;
mod mariadb;
mod packets;
mod polls;
mod process;
mod proxies;
mod replication;
mod server;
mod settings;
mod spawner;
mod state;
mod template;
mod verbs;
mod volume;
mod wait;

pub use builder::Builder;
pub use cluster::PgCluster;
pub use error::KitError;
pub use install::{bin, missing_packages, packages};
pub use mariadb::{MariaDbBuilder, MariaDbClient, MariaDbCluster, Record};
pub use packets::PacketLoss;
pub use polls::polled;
pub use volume::TopologyLie;
pub use wait::wait_until;

/// The password of both roles, `app` and `kit`: a word that stands nowhere else, for which all that
/// a test run says is searched.
pub const PASSWORD: &str = include_str!("password.txt");

/// Locks a mutex even if a test panicked while holding it: cleaning up must always go on.
fn guarded<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
