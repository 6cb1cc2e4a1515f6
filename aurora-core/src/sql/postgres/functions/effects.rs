//! Functions with effects, functions that depend on their session, and functions refused during
//! recovery: the data.
//!
//! Sources: every volatile function of `pg_proc` in PostgreSQL 15 (`volatile.txt` tells of each why it
//! is where it is), and the others that a hot standby of that version was seen to refuse. The names
//! of PostgreSQL 9.6 (`xlog`), of 16 to 18 and of
//! extensions (Amazon Aurora, PostGIS, TimescaleDB, …) were not checked against a server. Functions of the server that are volatile but only read (`random`, `clock_timestamp`,
//! `pg_sleep`, …) are in `reads.txt`.

use super::Class::{
    self, AdvisoryLock, Lock, Outside, ReadLock, RecoveryRefuses, Session, SessionOwned,
    SessionState, SetConfig, Write,
};
use crate::sql::index::Index;
use crate::sql::postgres::literal::Runs;

/// Name, class and reason; sorted by name, for readers.
static FUNCTIONS: [(&str, Class, &str); 207] = [
    ("add_compression_policy", Write, "data definition of TimescaleDB"),
    ("add_continuous_aggregate_policy", Write, "data definition of TimescaleDB"),
    ("add_job", Write, "data definition of TimescaleDB"),
    ("add_retention_policy", Write, "data definition of TimescaleDB"),
    ("addauth", Write, "data definition of PostGIS"),
    ("addgeometrycolumn", Write, "data definition of PostGIS"),
    ("addoverviewconstraints", Write, "data definition of PostGIS"),
    ("addrasterconstraints", Write, "data definition of PostGIS"),
    ("alter_job", Write, "data definition of TimescaleDB"),
    ("aurora_inject_crash", Outside, "it injects a fault into one instance"),
    ("aurora_inject_disk_congestion", Outside, "it injects a fault into one instance"),
    ("aurora_inject_disk_failure", Outside, "it injects a fault into one instance"),
    ("aurora_inject_replica_failure", Outside, "it injects a fault into one instance"),
    ("aurora_stat_reset_wal_cache", Outside, "it resets statistics of one instance"),
    ("autoprewarm_dump_now", Outside, "it controls one instance"),
    ("autoprewarm_start_worker", Outside, "it controls one instance"),
    ("brin_desummarize_range", Write, "maintenance of an index"),
    ("brin_summarize_new_values", Write, "maintenance of an index"),
    ("brin_summarize_range", Write, "maintenance of an index"),
    ("bt_index_parent_check", RecoveryRefuses, "it takes a lock that readers refuse"),
    ("compress_chunk", Write, "data definition of TimescaleDB"),
    ("create_distributed_table", Write, "data definition of TimescaleDB"),
    ("create_hypertable", Write, "data definition of TimescaleDB"),
    ("create_reference_table", Write, "data definition of TimescaleDB"),
    ("crosstab", Class::Runs(Runs::All), "it runs SQL text which is not examined"),
    ("crosstab2", Class::Runs(Runs::All), "it runs SQL text which is not examined"),
    ("crosstab3", Class::Runs(Runs::All), "it runs SQL text which is not examined"),
    ("crosstab4", Class::Runs(Runs::All), "it runs SQL text which is not examined"),
    ("crosstabn", Class::Runs(Runs::All), "it runs SQL text which is not examined"),
    ("currval", Session, "the last value of a sequence belongs to the session"),
    ("cursor_to_xml", Session, "a cursor belongs to its session"),
    ("cursor_to_xmlschema", Session, "a cursor belongs to its session"),
    ("dblink", Outside, "it runs SQL on another server"),
    ("dblink_cancel_query", Session, "the connection to another server belongs to the session"),
    ("dblink_close", SessionState, "the connection to another server belongs to the session"),
    ("dblink_connect", SessionState, "the connection to another server belongs to the session"),
    ("dblink_connect_u", SessionState, "the connection to another server belongs to the session"),
    ("dblink_disconnect", SessionState, "the connection to another server belongs to the session"),
    ("dblink_error_message", Session, "the connection to another server belongs to the session"),
    ("dblink_exec", Outside, "it runs SQL on another server"),
    ("dblink_fetch", Outside, "it runs SQL on another server"),
    ("dblink_get_connections", Session, "the connection to another server belongs to the session"),
    ("dblink_get_notify", Session, "the connection to another server belongs to the session"),
    ("dblink_get_result", Session, "the connection to another server belongs to the session"),
    ("dblink_is_busy", Session, "the connection to another server belongs to the session"),
    ("dblink_open", SessionState, "the connection to another server belongs to the session"),
    ("dblink_send_query", SessionState, "the connection to another server belongs to the session"),
    ("decompress_chunk", Write, "data definition of TimescaleDB"),
    ("delete_job", Write, "data definition of TimescaleDB"),
    ("disablelongtransactions", Write, "data definition of PostGIS"),
    ("drop_chunks", Write, "data definition of TimescaleDB"),
    ("dropgeometrycolumn", Write, "data definition of PostGIS"),
    ("dropgeometrytable", Write, "data definition of PostGIS"),
    ("dropoverviewconstraints", Write, "data definition of PostGIS"),
    ("droprasterconstraints", Write, "data definition of PostGIS"),
    ("enablelongtransactions", Write, "data definition of PostGIS"),
    ("gin_clean_pending_list", Write, "maintenance of an index"),
    ("heap_force_freeze", Write, "it repairs or changes pages"),
    ("heap_force_kill", Write, "it repairs or changes pages"),
    ("lastval", Session, "the last value of a sequence belongs to the session"),
    ("lo_close", Session, "a large object descriptor belongs to its transaction"),
    ("lo_creat", Write, "it changes large objects"),
    ("lo_create", Write, "it changes large objects"),
    ("lo_export", Outside, "it writes a file of the server"),
    ("lo_from_bytea", Write, "it changes large objects"),
    ("lo_get", ReadLock, "it locks the table of large objects"),
    ("lo_import", Write, "it changes large objects"),
    ("lo_lseek", Session, "a large object descriptor belongs to its transaction"),
    ("lo_lseek64", Session, "a large object descriptor belongs to its transaction"),
    ("lo_manage", Write, "it changes large objects"),
    ("lo_open", Session, "a large object descriptor belongs to its transaction"),
    ("lo_put", Write, "it changes large objects"),
    ("lo_tell", Session, "a large object descriptor belongs to its transaction"),
    ("lo_tell64", Session, "a large object descriptor belongs to its transaction"),
    ("lo_truncate", Write, "it changes large objects"),
    ("lo_truncate64", Write, "it changes large objects"),
    ("lo_unlink", Write, "it changes large objects"),
    ("lockrow", Write, "data definition of PostGIS"),
    ("loread", Session, "a large object descriptor belongs to its transaction"),
    ("lowrite", Write, "it changes large objects"),
    ("nextval", Write, "it changes a sequence"),
    ("pg_advisory_lock", AdvisoryLock, "an advisory lock belongs to its session"),
    ("pg_advisory_lock_shared", AdvisoryLock, "an advisory lock belongs to its session"),
    ("pg_advisory_unlock", Session, "an advisory lock belongs to its session"),
    ("pg_advisory_unlock_all", Session, "an advisory lock belongs to its session"),
    ("pg_advisory_unlock_shared", Session, "an advisory lock belongs to its session"),
    ("pg_advisory_xact_lock", Lock, "an advisory lock"),
    ("pg_advisory_xact_lock_shared", Lock, "an advisory lock"),
    ("pg_backup_start", SessionOwned, "a backup in progress belongs to its session"),
    ("pg_backup_stop", SessionOwned, "a backup in progress belongs to its session"),
    ("pg_buffercache_evict", Outside, "it controls one instance"),
    ("pg_buffercache_evict_all", Outside, "it controls one instance"),
    ("pg_buffercache_evict_relation", Outside, "it controls one instance"),
    ("pg_cancel_backend", Outside, "it acts on another session of one instance"),
    ("pg_clear_attribute_stats", Write, "it changes the catalogue"),
    ("pg_clear_extended_stats", Write, "it changes the catalogue"),
    ("pg_clear_relation_stats", Write, "it changes the catalogue"),
    ("pg_copy_logical_replication_slot", SessionOwned, "a temporary slot belongs to its session"),
    ("pg_copy_physical_replication_slot", SessionOwned, "a temporary slot belongs to its session"),
    ("pg_create_logical_replication_slot", SessionOwned, "a temporary slot belongs to its session"),
    (
        "pg_create_physical_replication_slot",
        SessionOwned,
        "a temporary slot belongs to its session",
    ),
    ("pg_create_restore_point", Write, "it writes the log"),
    (
        "pg_current_wal_flush_lsn",
        RecoveryRefuses,
        "the position of the log being written is refused during recovery",
    ),
    (
        "pg_current_wal_insert_lsn",
        RecoveryRefuses,
        "the position of the log being written is refused during recovery",
    ),
    (
        "pg_current_wal_lsn",
        RecoveryRefuses,
        "the position of the log being written is refused during recovery",
    ),
    ("pg_current_xact_id", Write, "it assigns a transaction id"),
    ("pg_current_xact_id_if_assigned", Session, "it depends on the open transaction"),
    (
        "pg_current_xlog_flush_location",
        RecoveryRefuses,
        "the position of the log being written is refused during recovery",
    ),
    (
        "pg_current_xlog_insert_location",
        RecoveryRefuses,
        "the position of the log being written is refused during recovery",
    ),
    (
        "pg_current_xlog_location",
        RecoveryRefuses,
        "the position of the log being written is refused during recovery",
    ),
    ("pg_cursor", Session, "it shows the state of the session"),
    ("pg_drop_replication_slot", Outside, "it changes a replication slot"),
    ("pg_export_snapshot", Session, "an exported snapshot belongs to its transaction"),
    ("pg_extension_config_dump", Write, "it changes the catalogue"),
    ("pg_file_rename", Outside, "it writes a file of the server"),
    ("pg_file_sync", Outside, "it writes a file of the server"),
    ("pg_file_unlink", Outside, "it writes a file of the server"),
    ("pg_file_write", Outside, "it writes a file of the server"),
    ("pg_get_process_memory_contexts", Outside, "it acts on another session of one instance"),
    ("pg_import_system_collations", Write, "it changes the catalogue"),
    ("pg_is_other_temp_schema", Session, "temporary objects belong to their session"),
    ("pg_listening_channels", Session, "it shows the state of the session"),
    ("pg_log_backend_memory_contexts", Outside, "it acts on another session of one instance"),
    ("pg_log_standby_snapshot", Write, "it writes the log"),
    ("pg_logfile_rotate", Outside, "it writes a file of the server"),
    ("pg_logical_emit_message", Write, "it writes the log"),
    ("pg_logical_slot_get_binary_changes", Outside, "it changes a replication slot"),
    ("pg_logical_slot_get_changes", Outside, "it changes a replication slot"),
    ("pg_logical_slot_peek_binary_changes", Outside, "logical decoding is refused by many readers"),
    ("pg_logical_slot_peek_changes", Outside, "logical decoding is refused by many readers"),
    ("pg_my_temp_schema", Session, "temporary objects belong to their session"),
    ("pg_nextoid", Write, "it changes the catalogue"),
    ("pg_notify", Write, "NOTIFY is refused by a reader"),
    ("pg_prepared_statement", Session, "it shows the state of the session"),
    ("pg_prewarm", Outside, "it controls one instance"),
    ("pg_promote", Outside, "it controls the recovery of one instance"),
    ("pg_qualstats_reset", Outside, "it resets statistics of one instance"),
    ("pg_reload_conf", Outside, "it controls one instance"),
    ("pg_replication_origin_advance", Write, "it changes a replication origin"),
    ("pg_replication_origin_create", Write, "it changes a replication origin"),
    ("pg_replication_origin_drop", Write, "it changes a replication origin"),
    (
        "pg_replication_origin_oid",
        RecoveryRefuses,
        "replication origins are refused during recovery",
    ),
    (
        "pg_replication_origin_progress",
        RecoveryRefuses,
        "replication origins are refused during recovery",
    ),
    ("pg_replication_origin_session_is_setup", Session, "it shows the state of the session"),
    (
        "pg_replication_origin_session_progress",
        Session,
        "the replication origin belongs to the session",
    ),
    (
        "pg_replication_origin_session_reset",
        SessionState,
        "the replication origin belongs to the session",
    ),
    (
        "pg_replication_origin_session_setup",
        SessionState,
        "the replication origin belongs to the session",
    ),
    ("pg_replication_origin_xact_reset", Write, "it changes a replication origin"),
    ("pg_replication_origin_xact_setup", Write, "it changes a replication origin"),
    ("pg_replication_slot_advance", Outside, "it changes a replication slot"),
    ("pg_restore_attribute_stats", Write, "it changes the catalogue"),
    ("pg_restore_extended_stats", Write, "it changes the catalogue"),
    ("pg_restore_relation_stats", Write, "it changes the catalogue"),
    ("pg_rotate_logfile", Outside, "it controls one instance"),
    ("pg_rotate_logfile_old", Outside, "it controls one instance"),
    ("pg_sequence_last_value", ReadLock, "it locks the sequence"),
    ("pg_start_backup", SessionOwned, "a backup in progress belongs to its session"),
    ("pg_stat_kcache_reset", Outside, "it resets statistics of one instance"),
    ("pg_stat_reset", Outside, "it resets statistics of one instance"),
    ("pg_stat_reset_backend_stats", Outside, "it resets statistics of one instance"),
    ("pg_stat_reset_replication_slot", Outside, "it resets statistics of one instance"),
    ("pg_stat_reset_shared", Outside, "it resets statistics of one instance"),
    ("pg_stat_reset_single_function_counters", Outside, "it resets statistics of one instance"),
    ("pg_stat_reset_single_table_counters", Outside, "it resets statistics of one instance"),
    ("pg_stat_reset_slru", Outside, "it resets statistics of one instance"),
    ("pg_stat_reset_subscription_stats", Outside, "it resets statistics of one instance"),
    ("pg_stat_statements_reset", Outside, "it resets statistics of one instance"),
    ("pg_stop_backup", SessionOwned, "a backup in progress belongs to its session"),
    ("pg_stop_making_pinned_objects", Write, "it changes the catalogue"),
    ("pg_switch_wal", Write, "it writes the log"),
    ("pg_switch_xlog", Write, "it writes the log"),
    ("pg_sync_replication_slots", Outside, "it controls the recovery of one instance"),
    ("pg_terminate_backend", Outside, "it acts on another session of one instance"),
    ("pg_truncate_visibility_map", Write, "it repairs or changes pages"),
    ("pg_try_advisory_lock", AdvisoryLock, "an advisory lock belongs to its session"),
    ("pg_try_advisory_lock_shared", AdvisoryLock, "an advisory lock belongs to its session"),
    ("pg_try_advisory_xact_lock", Lock, "an advisory lock"),
    ("pg_try_advisory_xact_lock_shared", Lock, "an advisory lock"),
    ("pg_wait_sampling_reset_profile", Outside, "it resets statistics of one instance"),
    ("pg_wal_replay_pause", Outside, "it controls the recovery of one instance"),
    ("pg_wal_replay_resume", Outside, "it controls the recovery of one instance"),
    (
        "pg_walfile_name",
        RecoveryRefuses,
        "the position of the log being written is refused during recovery",
    ),
    (
        "pg_walfile_name_offset",
        RecoveryRefuses,
        "the position of the log being written is refused during recovery",
    ),
    ("pg_xlog_replay_pause", Outside, "it controls the recovery of one instance"),
    ("pg_xlog_replay_resume", Outside, "it controls the recovery of one instance"),
    (
        "pg_xlogfile_name",
        RecoveryRefuses,
        "the position of the log being written is refused during recovery",
    ),
    (
        "pg_xlogfile_name_offset",
        RecoveryRefuses,
        "the position of the log being written is refused during recovery",
    ),
    ("populate_geometry_columns", Write, "data definition of PostGIS"),
    ("postgres_fdw_disconnect", Outside, "it disconnects from other servers"),
    ("postgres_fdw_disconnect_all", Outside, "it disconnects from other servers"),
    ("query_to_xml", Class::Runs(Runs::First), "it runs SQL text which is not examined"),
    (
        "query_to_xml_and_xmlschema",
        Class::Runs(Runs::First),
        "it runs SQL text which is not examined",
    ),
    ("query_to_xmlschema", Class::Runs(Runs::First), "it runs SQL text which is not examined"),
    ("remove_compression_policy", Write, "data definition of TimescaleDB"),
    ("remove_continuous_aggregate_policy", Write, "data definition of TimescaleDB"),
    ("remove_retention_policy", Write, "data definition of TimescaleDB"),
    ("set_config", SetConfig, "set_config changes a setting"),
    ("setseed", SessionState, "it seeds the random numbers of the session"),
    ("setval", Write, "it changes a sequence"),
    ("ts_rewrite", Class::Runs(Runs::SecondOfTwo), "it runs SQL text which is not examined"),
    ("ts_stat", Class::Runs(Runs::First), "it runs SQL text which is not examined"),
    ("txid_current", Write, "it assigns a transaction id"),
    ("txid_current_if_assigned", Session, "it depends on the open transaction"),
    ("undistribute_table", Write, "data definition of TimescaleDB"),
    ("unlockrows", Write, "data definition of PostGIS"),
    ("updategeometrysrid", Write, "data definition of PostGIS"),
    ("xpath_table", Outside, "it runs SQL text which is not examined"),
];

/// Schemas of extensions whose functions act, unless the application lists them as reads. Sorted.
static SCHEMAS: [(&str, Class, &str); 8] = [
    ("apg_plan_mgmt", Outside, "query plan management may write"),
    ("aws_lambda", Outside, "it calls a function outside the database"),
    ("aws_s3", Outside, "it moves data between the database and S3"),
    ("cron", Outside, "it changes scheduled jobs"),
    ("partman", Outside, "partition management may write"),
    ("pglogical", Outside, "it controls logical replication"),
    ("pgmq", Outside, "a message queue changes as it is read"),
    ("spock", Outside, "it controls logical replication"),
];

static INDEX: Index<512> = {
    let (mut index, mut at) = (Index::new(), 0);
    while at < FUNCTIONS.len() {
        index.insert(FUNCTIONS[at].0.as_bytes(), at);
        at += 1;
    }
    index
};

/// What is known of a function with effects: the name in lower case and its [`crate::sql::index::hash`].
pub(super) fn of_function(name: &[u8], hash: u32) -> Option<(Class, &'static str)> {
    // There is one per kind of object and per version of the server.
    if name.starts_with(b"binary_upgrade_") {
        return Some((Write, "it is for pg_upgrade only"));
    }
    let at = INDEX.find(hash, |at| FUNCTIONS[at].0.as_bytes() == name)?;
    Some((FUNCTIONS[at].1, FUNCTIONS[at].2))
}

/// What is known of all functions of a schema.
pub(super) fn of_schema(name: &[u8]) -> Option<(Class, &'static str)> {
    let (_, class, reason) = SCHEMAS.iter().find(|(schema, ..)| schema.as_bytes() == name)?;
    Some((*class, *reason))
}

#[cfg(test)]
mod tests {
    use super::{FUNCTIONS, SCHEMAS, of_function, of_schema};
    use crate::sql::index::hash;

    #[test]
    fn the_lists_are_sorted_and_every_name_is_found() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a.0 < b.0), "sorted, no name twice");
        assert!(SCHEMAS.is_sorted_by(|a, b| a.0 < b.0), "sorted, no name twice");
        for (name, class, reason) in &FUNCTIONS {
            assert_eq!(
                of_function(name.as_bytes(), hash(name.as_bytes())),
                Some((*class, *reason))
            );
            assert!(!reason.is_empty() && name.bytes().all(|byte| !byte.is_ascii_uppercase()));
        }
        for (name, class, reason) in &SCHEMAS {
            assert_eq!(of_schema(name.as_bytes()), Some((*class, *reason)));
        }
        assert_eq!(of_schema(b""), None);
    }
}
