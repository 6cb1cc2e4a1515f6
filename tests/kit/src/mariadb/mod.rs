//! Clusters of real MariaDB servers, with GTID replication between them.
//!
//! MariaDB stands for the whole MySQL family here, because Debian ships no other server of it. For
//! a client the differences that matter are these:
//!
//! * **Read-only.** A reader has `read_only = ON`. MySQL's `super_read_only`, which Aurora and RDS
//!   set as well, does not exist (`ERROR 1193`). What `super_read_only` adds over `read_only` is that
//!   privileged users are refused, too. In MariaDB the privilege `READ ONLY ADMIN` exempts a user
//!   from `read_only`, and since 10.11 `SUPER` does not contain it. So a user without it, such as
//!   `app`, meets on a MariaDB reader what everybody meets on a reader of Aurora: `ERROR 1290`
//!   (`HY000`) for what it wants to write. `kit` has it, as the replication itself has.
//!   Neither variable refuses what is only temporary: a reader creates and fills temporary tables.
//! * **Semi-synchronous.** A commit waits until *one* reader has received it (not applied: reading
//!   one's own writes from a reader is not promised), before other sessions of the writer see it
//!   (`AFTER_SYNC`). MariaDB knows no number of readers to wait for. So the kit lets the reader that
//!   it promotes catch up with the one that received most, as failover managers do.
//! * **Aurora's views** (`information_schema.replica_host_status`, `@@aurora_server_id`) and
//!   `@@innodb_read_only`, which a running server cannot change, are not there. With
//!   [`MariaDbBuilder::aurora`] a front before each server puts what they would say in the place of
//!   these words; see its limits at [`MariaDbCluster::tell_lag`].
//! * **Identity.** MariaDB 10.11 has no `@@server_uuid`; the instances of a cluster have in common
//!   the number of their GTID domain, which is random.
//! * **Log.** Every instance keeps the whole binary log of its cluster, so that a reader is made
//!   from the template and the log alone.

mod builder;
mod client;
mod cluster;
mod failover;
mod front;
mod install;
mod instance;
mod proxies;
mod replication;
mod settings;
mod template;
mod verbs;

pub use builder::MariaDbBuilder;
pub use client::{MariaDbClient, Record};
pub use cluster::MariaDbCluster;
pub(crate) use install::NEED;
