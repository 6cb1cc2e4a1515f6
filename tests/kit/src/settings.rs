//! The configuration of the servers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::PASSWORD;

/// Written by the kit for each instance, read after everything in `postgresql.conf`.
pub(crate) const FILE: &str = "kit.conf";

/// What all instances of all clusters have in common.
///
/// * `fsync = off`: only crashes of processes are simulated, never of the machine.
/// * `wal_retrieve_retry_interval = 100ms`: with the default of 5 s a reader that follows a new
///   writer is sometimes late by 5 s.
/// * `max_wal_senders`: 15 readers, as many as Aurora allows, and copies made at the same time.
/// * `wal_log_hints`: lets `pg_rewind` be used on the data.
/// * `dynamic_shared_memory_type = mmap`: a killed server leaves nothing in `/dev/shm`.
/// * `wal_sender_timeout = 5s`: a stopped (not dead) reader cannot hold up a shutdown for long.
/// * `wal_keep_size`: a reader that was away for a while finds the log it missed.
pub(crate) const FIXED: &str = "
# --- test kit ---
unix_socket_directories = ''
max_connections = 200
max_wal_senders = 40
max_replication_slots = 16
shared_buffers = 32MB
dynamic_shared_memory_type = mmap
wal_level = replica
wal_log_hints = on
hot_standby = on
fsync = off
wal_keep_size = 256MB
wal_retrieve_retry_interval = 100ms
wal_receiver_status_interval = 1s
wal_sender_timeout = 5s
password_encryption = scram-sha-256
log_line_prefix = '%m [%p] %q%u@%d '
timezone = 'UTC'
log_timezone = 'UTC'
include_if_exists = 'kit.conf'
";

/// Who may connect: every role from every loopback address, with its password.
pub(crate) const ACCESS: &str = "
host all all 127.0.0.0/8 scram-sha-256
host replication kit 127.0.0.0/8 scram-sha-256
";

/// The settings of one instance, as the text of its [`FILE`].
pub(crate) fn render(settings: &BTreeMap<String, String>) -> String {
    settings.iter().fold(String::new(), |mut text, (name, value)| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name} = '{}'", value.replace('\'', "''"));
        text
    })
}

/// How the reader at `reader` reaches the writer: short timeouts, so that it leaves a dead one.
///
/// The application name is the address where clients reach the reader, as managed services and operators do it: it is
/// what `synchronous_standby_names` and `pg_stat_replication` know the reader by.
pub(crate) fn primary_conninfo(writer: Ipv4Addr, port: u16, reader: Ipv4Addr) -> String {
    format!(
        "host={writer} port={port} user=kit password={PASSWORD} application_name={reader} \
         connect_timeout=2 keepalives=1 keepalives_idle=1 keepalives_interval=1 \
         keepalives_count=2 sslmode=disable gssencmode=disable"
    )
}

/// `synchronous_standby_names` that makes a commit wait for every one of these readers.
pub(crate) fn synchronous(readers: &[Ipv4Addr]) -> String {
    if readers.is_empty() {
        return String::new();
    }
    let names: Vec<String> = readers.iter().map(|reader| format!("\"{reader}\"")).collect();
    format!("FIRST {} ({})", names.len(), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted() {
        let settings = BTreeMap::from([("a".to_owned(), "it's".to_owned())]);
        assert_eq!(render(&settings), "a = 'it''s'\n");
    }

    #[test]
    fn commits_wait_for_all_readers_or_for_none() {
        let readers = [Ipv4Addr::new(127, 20, 3, 2), Ipv4Addr::new(127, 20, 3, 3)];
        assert_eq!(synchronous(&readers), "FIRST 2 (\"127.20.3.2\", \"127.20.3.3\")");
        assert_eq!(synchronous(&[]), "");
    }
}
