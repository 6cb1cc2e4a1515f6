//! Amazon Aurora PostgreSQL.
//!
//! Sources: aurora.md 2.2 (topology query and its filter), 2.16 (log positions); Aurora user
//! guide, `aurora_replica_status`.

use super::{Answer, Dialect, Garbage, Row};
use crate::engine::{Listed, Members, Report};

#[derive(Debug)]
pub(super) struct AuroraPostgres {
    sql: String,
}

/// The instance's word about itself beside every row of the topology.
///
/// Rows untouched for five minutes belong to deleted instances, except the writer's; from 13.9 on
/// the timestamp of the instance itself is NULL. The writer's position is `durable_lsn`, a
/// reader's the `current_read_lsn` of its own row; both are plain integers.
const PROBE_SQL: &str = "\
SELECT pg_catalog.aurora_db_instance_identifier()::pg_catalog.text AS name,
       pg_catalog.concat(pg_catalog.pg_postmaster_start_time(), '/', pg_catalog.inet_server_addr(), ':', pg_catalog.inet_server_port()) AS server,
       NOT pg_catalog.pg_is_in_recovery() AND pg_catalog.current_setting('transaction_read_only') = 'off' AS writable,
       s.server_id::pg_catalog.text AS server_id,
       s.session_id = 'MASTER_SESSION_ID' AS is_writer,
       s.replica_lag_in_msec::pg_catalog.text AS lag_millis,
       ({position})::pg_catalog.text AS position
FROM (SELECT) AS own LEFT JOIN pg_catalog.aurora_replica_status() AS s
  ON EXTRACT(EPOCH FROM pg_catalog.now() - s.last_update_timestamp) <= 300
     OR s.session_id = 'MASTER_SESSION_ID'
     OR s.last_update_timestamp IS NULL";

/// The instance's word about itself, without the topology that the user may not see.
const OWN_SQL: &str = "\
SELECT pg_catalog.aurora_db_instance_identifier()::pg_catalog.text AS name,
       pg_catalog.concat(pg_catalog.pg_postmaster_start_time(), '/', pg_catalog.inet_server_addr(), ':', pg_catalog.inet_server_port()) AS server,
       NOT pg_catalog.pg_is_in_recovery() AND pg_catalog.current_setting('transaction_read_only') = 'off' AS writable,
       NULL AS server_id, NULL AS is_writer, NULL AS lag_millis, NULL AS position";

const POSITION_SQL: &str =
    "CASE WHEN s.session_id = 'MASTER_SESSION_ID' THEN s.durable_lsn ELSE s.current_read_lsn END";

impl AuroraPostgres {
    /// `positions` says whether this version of the server reports log positions.
    pub(super) fn new(positions: bool) -> Self {
        let position = if positions { POSITION_SQL } else { "NULL" };
        Self { sql: PROBE_SQL.replace("{position}", position) }
    }
}

impl Dialect for AuroraPostgres {
    fn name(&self) -> &'static str {
        "aurora-postgres"
    }

    fn probe_sql(&self) -> &str {
        &self.sql
    }

    fn own_sql(&self) -> Option<&str> {
        Some(OWN_SQL)
    }

    fn report(&self, answer: &Answer) -> Result<Report, Garbage> {
        let first = answer.first_row()?;
        let name = first.shared("name")?;
        let name = name.ok_or_else(|| Garbage("the instance has no identifier".to_owned()))?;
        let mut own = None;
        for row in answer.rows() {
            if row.text("server_id")? == Some(&*name) {
                own = Some(row);
            }
        }
        // Both must say writer: after a failover the first connections may see the old topology.
        // A topology that leaves the instance out says nothing about it.
        let is_writer = own.map(|row| is_writer(&row)).transpose()?.unwrap_or(true);
        Ok(Report {
            // Not asked for: nobody has verified that Aurora's instances share an identifier.
            cluster: None,
            server: first.shared("server")?,
            ip: None,
            accepts_writes: is_writer && first.bool("writable")?,
            // All instances share the storage.
            stands_still: false,
            incarnation: None,
            lineage: None,
            position: own.map(|row| row.u64("position")).transpose()?.flatten(),
            lag: own.map(|row| row.millis("lag_millis")).transpose()?.flatten(),
            members: members(answer),
            name: Some(name),
        })
    }
}

fn is_writer(row: &Row<'_>) -> Result<bool, Garbage> {
    // NULL is no session: an instance that is only just coming or going.
    Ok(row.text("is_writer")?.is_some() && row.bool("is_writer")?)
}

/// A bad row spoils the list, not what the instance said of itself.
fn members(answer: &Answer) -> Members {
    let listed = answer.rows().filter(|row| row.text("server_id") != Ok(None)).map(|row| {
        Ok(Listed {
            name: row.shared("server_id")?.unwrap_or_default(),
            is_writer: is_writer(&row)?,
        })
    });
    match listed.collect::<Result<Vec<_>, Garbage>>() {
        Ok(rows) => Members::Listed(rows),
        Err(garbage) => Members::Refused(format!("the topology cannot be read: {garbage}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, AuroraPostgres, Dialect as _, Members};

    type Row<'a> = (&'a str, &'a str, Option<&'a str>, &'a str, Option<&'a str>, Option<&'a str>);

    fn answer(rows: &[Row<'_>]) -> Answer {
        let columns =
            ["name", "server", "writable", "server_id", "is_writer", "lag_millis", "position"];
        let mut answer = Answer::new(columns.map(String::from).into());
        for &(name, writable, id, writer, lag, position) in rows {
            let own = [Some(name), Some("s"), Some(writable)];
            let cells = own.into_iter().chain([id, Some(writer), lag, position]);
            cells.for_each(|cell| answer.push(cell));
        }
        answer
    }

    #[test]
    fn both_the_row_and_the_server_must_say_writer() {
        for (writable, row_says, accepts) in
            [("t", "t", true), ("f", "t", false), ("t", "f", false)]
        {
            let rows = [("a", writable, Some("a"), row_says, None, Some("7"))];
            let report = AuroraPostgres::new(true).report(&answer(&rows)).unwrap();
            assert_eq!(report.accepts_writes, accepts);
            assert_eq!(report.position, Some(7));
        }
    }

    #[test]
    fn a_bad_row_spoils_the_list_but_not_its_own_word() {
        let rows =
            [("a", "t", Some("a"), "t", None, None), ("a", "t", Some("b"), "maybe", None, None)];
        let report = AuroraPostgres::new(true).report(&answer(&rows)).unwrap();
        assert!(report.accepts_writes);
        assert!(matches!(report.members, Members::Refused(_)));
    }

    #[test]
    fn an_empty_view_is_an_empty_list_and_takes_nothing_from_its_own_word() {
        let rows = [("a", "t", None, "f", None, None)];
        let report = AuroraPostgres::new(true).report(&answer(&rows)).unwrap();
        assert!(report.accepts_writes);
        assert_eq!(report.members, Members::Listed(Vec::new()));
    }
}
