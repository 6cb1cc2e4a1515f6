//! The configuration of the servers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Written by the kit for each instance; the only file its server reads.
pub(super) const FILE: &str = "kit.cnf";

/// What all instances of all clusters have in common.
///
/// * `innodb_flush_log_at_trx_commit = 2`, `sync_binlog = 0`: everything is written at the commit
///   and nothing is forced to the disk: only crashes of processes are simulated.
/// * `rpl_semi_sync_master_timeout` (milliseconds): a commit waits for a reader for as long as a
///   test can last, and never goes on without. The kit turns semi-synchronous replication off when
///   no reader runs.
/// * `rpl_semi_sync_slave_kill_conn_timeout` (seconds): how long a reader that is told to leave a
///   writer that hangs tries to tell it so.
/// * `relay_log_recovery`: a killed reader fetches again what it had not applied.
/// * `slave_net_timeout` (seconds): how long a reader waits for a writer that says nothing.
/// * `binlog_format = ROW`: what a session does with temporary tables on a reader is not logged
///   there, where it would take a number that the writer's next change needs.
/// * `gtid_strict_mode`: two writers of one number make replication stop instead of guess.
pub(super) const FIXED: &str = "[mariadbd]
socket = kit.sock
pid_file = kit.pid
skip_name_resolve = ON
max_connections = 200
character_set_server = utf8mb4
performance_schema = OFF
innodb_buffer_pool_size = 16M
innodb_log_file_size = 8M
innodb_flush_log_at_trx_commit = 2
log_bin = binlog
binlog_format = ROW
relay_log = relay
log_slave_updates = ON
sync_binlog = 0
sync_relay_log = 0
sync_master_info = 0
sync_relay_log_info = 0
gtid_strict_mode = ON
relay_log_recovery = ON
slave_net_timeout = 5
rpl_semi_sync_slave_enabled = ON
rpl_semi_sync_slave_kill_conn_timeout = 1
rpl_semi_sync_master_timeout = 3600000
rpl_semi_sync_master_wait_point = AFTER_SYNC
rpl_semi_sync_master_wait_no_slave = ON
";

/// What a server without clients, which only makes the template, has to be told.
pub(super) const BOOTSTRAP: [&str; 5] = [
    "--no-defaults",
    "--bootstrap",
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=16M",
    "--character-set-server=utf8mb4",
];

/// The settings of one instance, as the text of its [`FILE`].
///
/// Its temporary files are beside its data: a server that starts removes those it finds, also of
/// others.
pub(super) fn render(data: &Path, settings: &BTreeMap<String, String>) -> String {
    let fixed = format!("{FIXED}tmpdir = {}\n", data.display());
    settings.iter().fold(fixed, |mut text, (name, value)| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name} = {value}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_comes_after_what_is_fixed() {
        let settings = BTreeMap::from([("max_connections".to_owned(), "5".to_owned())]);
        let text = render(Path::new("/somewhere"), &settings);
        assert!(text.ends_with("\ntmpdir = /somewhere\nmax_connections = 5\n"), "{text}");
    }
}
