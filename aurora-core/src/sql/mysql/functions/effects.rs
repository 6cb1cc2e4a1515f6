//! Functions with effects, and functions that depend on their session: the data.
//!
//! Sources: the native functions of MariaDB 10.11 (`information_schema.sql_functions`, and those that
//! its grammar knows), each looked up in its documentation; those of MySQL 8.4 from its Reference
//! Manual ("Built-In Function and Operator Reference" and the chapters of its plugins); Amazon
//! Aurora MySQL's from its user guide. Those of MySQL and Aurora were not tried on a server.

use super::Class::{self, Following, LastInsertId, Lock, Locked, Outside, Session, Write};
use crate::sql::index::Index;

const OF_ITS_SESSION: &str = "it depends on the statement before";
const PLUGIN: &str = "it configures a plugin";
const KEYS: &str = "it changes the server's key ring";
const REPLICATION: &str = "it controls replication";
const WAITS: &str = "it waits for one instance's replication";

/// Name, class and reason; sorted by name, for readers.
static FUNCTIONS: [(&str, Class, &str); 59] = [
    ("asynchronous_connection_failover_add_managed", Outside, REPLICATION),
    ("asynchronous_connection_failover_add_source", Outside, REPLICATION),
    ("asynchronous_connection_failover_delete_managed", Outside, REPLICATION),
    ("asynchronous_connection_failover_delete_source", Outside, REPLICATION),
    ("asynchronous_connection_failover_reset", Outside, REPLICATION),
    ("audit_api_message_emit_udf", Outside, PLUGIN),
    ("audit_log_encryption_password_set", Outside, PLUGIN),
    ("audit_log_filter_flush", Outside, PLUGIN),
    ("audit_log_filter_remove_filter", Outside, PLUGIN),
    ("audit_log_filter_remove_user", Outside, PLUGIN),
    ("audit_log_filter_set_filter", Outside, PLUGIN),
    ("audit_log_filter_set_user", Outside, PLUGIN),
    ("audit_log_rotate", Outside, PLUGIN),
    ("connection_id", Session, "it names its connection"),
    ("found_rows", Following, OF_ITS_SESSION),
    ("gen_dictionary_drop", Outside, PLUGIN),
    ("gen_dictionary_load", Outside, PLUGIN),
    ("get_lock", Lock, "it takes a lock that other sessions look for on the writer"),
    ("group_replication_disable_member_action", Outside, REPLICATION),
    ("group_replication_enable_member_action", Outside, REPLICATION),
    ("group_replication_reset_member_actions", Outside, REPLICATION),
    ("group_replication_set_as_primary", Outside, REPLICATION),
    ("group_replication_set_communication_protocol", Outside, REPLICATION),
    ("group_replication_set_write_concurrency", Outside, REPLICATION),
    ("group_replication_switch_to_multi_primary_mode", Outside, REPLICATION),
    ("group_replication_switch_to_single_primary_mode", Outside, REPLICATION),
    ("is_free_lock", Locked, "such locks are on the writer"),
    ("is_used_lock", Locked, "such locks are on the writer"),
    ("keyring_key_generate", Outside, KEYS),
    ("keyring_key_remove", Outside, KEYS),
    ("keyring_key_store", Outside, KEYS),
    ("lambda_async", Outside, "it calls AWS Lambda"),
    ("lambda_sync", Outside, "it calls AWS Lambda"),
    ("last_insert_id", LastInsertId, OF_ITS_SESSION),
    ("lastval", Following, "it depends on what its session took from a sequence"),
    ("load_file", Outside, "it reads a file of one instance"),
    ("master_gtid_wait", Session, WAITS),
    ("master_pos_wait", Session, WAITS),
    ("mysql_firewall_flush_status", Outside, PLUGIN),
    ("mysql_query_rewrite", Outside, PLUGIN),
    ("nextval", Write, "it advances a sequence"),
    ("option_tracker_usage_set", Outside, PLUGIN),
    ("release_all_locks", Locked, "such locks are on the writer"),
    ("release_lock", Locked, "such locks are on the writer"),
    ("row_count", Following, OF_ITS_SESSION),
    ("set_firewall_mode", Outside, PLUGIN),
    ("setval", Write, "it changes a sequence"),
    ("source_pos_wait", Session, WAITS),
    ("spider_bg_direct_sql", Outside, "it runs SQL elsewhere"),
    ("spider_copy_tables", Outside, "it runs SQL elsewhere"),
    ("spider_direct_sql", Outside, "it runs SQL elsewhere"),
    ("spider_flush_table_mon_cache", Outside, "it runs SQL elsewhere"),
    ("version_tokens_delete", Outside, PLUGIN),
    ("version_tokens_edit", Outside, PLUGIN),
    ("version_tokens_set", Outside, PLUGIN),
    ("wait_for_executed_gtid_set", Session, WAITS),
    ("wsrep_last_seen_gtid", Following, OF_ITS_SESSION),
    ("wsrep_last_written_gtid", Following, OF_ITS_SESSION),
    ("wsrep_sync_wait_upto_gtid", Session, WAITS),
];

static INDEX: Index<128> = {
    let (mut index, mut at) = (Index::new(), 0);
    while at < FUNCTIONS.len() {
        index.insert(FUNCTIONS[at].0.as_bytes(), at);
        at += 1;
    }
    index
};

/// Class and reason of a function; its name must be in lower case.
pub(super) fn of_function(name: &[u8], hash: u32) -> Option<(Class, &'static str)> {
    let at = INDEX.find(hash, |at| FUNCTIONS[at].0.as_bytes() == name)?;
    let (_, class, reason) = FUNCTIONS[at];
    Some((class, reason))
}

#[cfg(test)]
mod tests {
    use super::{FUNCTIONS, of_function};
    use crate::sql::index::hash;

    #[test]
    fn every_function_is_found_by_its_name() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a.0 < b.0), "sorted, no name twice");
        for (name, class, reason) in &FUNCTIONS {
            let found = of_function(name.as_bytes(), hash(name.as_bytes()));
            assert_eq!(found, Some((*class, *reason)));
            assert!(!reason.is_empty() && name.bytes().all(|byte| !byte.is_ascii_uppercase()));
        }
        assert_eq!(of_function(b"", hash(b"")), None);
    }
}
