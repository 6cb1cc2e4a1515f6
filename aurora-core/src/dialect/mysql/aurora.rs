//! Amazon Aurora MySQL.
//!
//! Sources: aurora.md 2.3 (topology query, its filter, `@@innodb_read_only` for the role: a
//! parameter group may set `read_only` on a writer); Aurora user guide,
//! `information_schema.replica_host_status`.

use super::Process;
use crate::dialect::{Answer, Dialect, Garbage, Row};
use crate::engine::{Listed, Members, Report};

#[derive(Debug)]
pub(super) struct AuroraMySql {
    server: Process,
}

/// The instance's word about itself beside every row of the topology. Rows untouched for five
/// minutes belong to deleted instances, except the writer's.
///
/// No log position is asked for: none is documented as comparable between writer and readers.
const PROBE_SQL: &str = "\
SELECT @@aurora_server_id AS name, @@innodb_read_only AS read_only,
       s.SERVER_ID AS server_id, s.SESSION_ID = 'MASTER_SESSION_ID' AS is_writer,
       s.REPLICA_LAG_IN_MILLISECONDS AS lag_millis
FROM (SELECT 1) AS own LEFT JOIN information_schema.replica_host_status AS s
  ON TIME_TO_SEC(TIMEDIFF(NOW(), s.LAST_UPDATE_TIMESTAMP)) <= 300
     OR s.SESSION_ID = 'MASTER_SESSION_ID'";

/// The instance's word about itself, without the topology that cannot be read.
const OWN_SQL: &str = "\
SELECT @@aurora_server_id AS name, @@innodb_read_only AS read_only, NULL AS server_id,
       NULL AS is_writer, NULL AS lag_millis";

impl AuroraMySql {
    pub(super) fn new(server: Process) -> Self {
        Self { server }
    }
}

impl Dialect for AuroraMySql {
    fn name(&self) -> &'static str {
        "aurora-mysql"
    }

    fn probe_sql(&self) -> &str {
        PROBE_SQL
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
        let accepts_writes = is_writer && !first.switch("read_only")?;
        Ok(Report {
            server: Some(self.server.clone()),
            accepts_writes,
            // The writer's own row has no lag that means anything.
            lag: own
                .filter(|_| !accepts_writes)
                .map(|row| row.millis("lag_millis"))
                .transpose()?
                .flatten(),
            members: members(answer),
            name: Some(name),
            // All instances share the storage: it lets only one write, and none stands still.
            ..Report::default()
        })
    }
}

fn is_writer(row: &Row<'_>) -> Result<bool, Garbage> {
    // NULL is no session: an instance that is only just coming or going.
    Ok(row.text("is_writer")?.is_some() && row.switch("is_writer")?)
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
