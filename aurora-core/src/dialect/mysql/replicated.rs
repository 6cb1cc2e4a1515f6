//! Plain MySQL and MariaDB with GTID replication, and a single server.
//!
//! Sources: MySQL manual, "SHOW REPLICA STATUS", "SHOW REPLICAS", "Replication with GTIDs";
//! MariaDB, "SHOW REPLICA STATUS", "Global Transaction ID".
//!
//! **Role.** The writer is who takes writes by all of its switches (`read_only`, …) and replicates
//! from nobody. One that replicates is a reader, whatever its switches say: many run readers that
//! nothing forbids to write. So whoever promotes an instance has to stop its replication
//! (`STOP REPLICA`), as failover managers do. Without the privilege to see the replication
//! (`REPLICATION CLIENT`, in MariaDB `SLAVE MONITOR`) the switches decide alone, and lag is unknown.
//!
//! **Cluster.** In MySQL the name of the replication group, where there is one. In MariaDB the
//! number of the GTID domain unless it is the default 0, which says nothing: positions can only be
//! compared within one domain, so the instances of a cluster must agree on it. Elsewhere nothing
//! tells two clusters apart.

use std::sync::Arc;
use std::time::Duration;

use super::gtid::{self, Executed};
use super::{Process, Variables, accepts_writes, switches};
use crate::config::Address;
use crate::dialect::{Answer, Dialect, Garbage, Row};
use crate::engine::{Lineage, Members, Report};

#[derive(Debug)]
pub(super) struct Replicated {
    server: Process,
    words: &'static Words,
    alone: bool,
    sql: String,
}

/// What the two call the same things.
#[derive(Debug)]
struct Words {
    dialect: &'static str,
    receiving: &'static str,
    applying: &'static str,
    behind: &'static str,
}

const MARIADB: Words = Words {
    dialect: "mariadb",
    receiving: "Slave_IO_Running",
    applying: "Slave_SQL_Running",
    behind: "Seconds_Behind_Master",
};
const MYSQL: Words = Words {
    dialect: "mysql",
    receiving: "Replica_IO_Running",
    applying: "Replica_SQL_Running",
    behind: "Seconds_Behind_Source",
};
/// MySQL before 8.0.22.
const OLD_MYSQL: Words = Words { dialect: "mysql", ..MARIADB };

/// A server of MariaDB. A reader shows what is in `gtid_slave_pos`; what it writes to its own binary
/// log comes a moment before. Without a binary log nothing counts what it writes itself.
pub(super) fn mariadb(server: Process, variables: &Variables, alone: bool) -> Replicated {
    let own = format!(
        "SELECT {} AS switches, @@GLOBAL.log_bin AS logs, @@GLOBAL.gtid_domain_id AS domain, \
         NULLIF(@@GLOBAL.gtid_domain_id, 0) AS cluster, @@GLOBAL.server_id AS source, \
         CONCAT_WS(',', @@GLOBAL.gtid_binlog_state, @@GLOBAL.gtid_slave_pos) AS executed, \
         @@GLOBAL.gtid_slave_pos AS replayed",
        switches(variables)
    );
    let others = "SHOW ALL SLAVES STATUS; SHOW SLAVE HOSTS";
    Replicated { server, words: &MARIADB, alone, sql: with(own, others, alone) }
}

/// A server of MySQL, of that version.
pub(super) fn mysql(
    server: Process,
    variables: &Variables,
    version: &str,
    alone: bool,
) -> Replicated {
    // Transactions of a replication group begin at the group, whoever of it writes.
    let (group, source) = match variables.get("group_replication_group_name") {
        Some(_) => (
            "NULLIF(@@GLOBAL.group_replication_group_name, '')",
            "IFNULL(NULLIF(@@GLOBAL.group_replication_group_name, ''), @@GLOBAL.server_uuid)",
        ),
        None => ("NULL", "@@GLOBAL.server_uuid"),
    };
    let own = format!(
        "SELECT {} AS switches, @@GLOBAL.log_bin AND @@GLOBAL.gtid_mode = 'ON' AS logs, \
         NULL AS domain, {group} AS cluster, LOWER({source}) AS source, \
         IF(@@GLOBAL.gtid_mode = 'ON', @@GLOBAL.gtid_executed, NULL) AS executed, \
         NULL AS replayed",
        switches(variables)
    );
    let (words, others) = if knows_replicas(version) {
        (&MYSQL, "SHOW REPLICA STATUS; SHOW REPLICAS")
    } else {
        (&OLD_MYSQL, "SHOW SLAVE STATUS; SHOW SLAVE HOSTS")
    };
    Replicated { server, words, alone, sql: with(own, others, alone) }
}

/// Since 8.0.22 a replica is called that; 8.4 no longer knows the older words.
fn knows_replicas(version: &str) -> bool {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0_u32);
    (next(), next(), next()) >= (8, 0, 22)
}

/// One that is alone has no others.
fn with(own: String, others: &str, alone: bool) -> String {
    if alone { own } else { format!("{own}; {others}") }
}

impl Dialect for Replicated {
    fn name(&self) -> &'static str {
        if self.alone { "single" } else { self.words.dialect }
    }

    fn probe_sql(&self) -> &str {
        &self.sql
    }

    fn report(&self, answer: &Answer) -> Result<Report, Garbage> {
        let own = answer.only_row()?;
        let replication =
            answer.others.first().map(|status| self.replication(status)).transpose()?;
        let follows = replication.as_ref().is_some_and(|replication| replication.follows);
        let writable = accepts_writes(own.text("switches")?)?;
        let accepts_writes = writable && !follows;
        let position = position(&own, accepts_writes)?;
        let lag =
            if accepts_writes { Some(Duration::ZERO) } else { replication.and_then(|r| r.lag) };
        Ok(Report {
            cluster: own.shared("cluster")?,
            server: Some(Arc::clone(&self.server)),
            accepts_writes,
            stands_still: !writable && !answer.others.is_empty() && !follows,
            lineage: lineage(&own)?.map(Arc::new),
            position,
            // Whole seconds, and only of what has been received: that is all there is to measure a
            // reader by where there are no positions.
            lag: if position.is_some() { lag } else { lag.map(|lag| lag + Duration::from_secs(1)) },
            members: self.members(answer),
            ..Report::default()
        })
    }
}

/// What an instance says of its own replication.
struct Replication {
    follows: bool,
    lag: Option<Duration>,
}

impl Replicated {
    /// An instance may replicate from several: it lags behind as far as behind the farthest.
    fn replication(&self, status: &Answer) -> Result<Replication, Garbage> {
        let mut found = Replication { follows: false, lag: None };
        for (index, row) in status.rows().enumerate() {
            let (receiving, applying) =
                (row.text(self.words.receiving)?, row.text(self.words.applying)?);
            found.follows |= [receiving, applying].iter().any(|thread| *thread != Some("No"));
            let runs = (receiving, applying) == (Some("Yes"), Some("Yes"));
            let behind = row.u64(self.words.behind)?.filter(|_| runs).map(Duration::from_secs);
            // Unknown is more than any other.
            found.lag = match (index, found.lag, behind) {
                (0, _, behind) => behind,
                (_, Some(before), Some(behind)) => Some(before.max(behind)),
                _ => None,
            };
        }
        Ok(found)
    }

    /// Where the instances that replicate from this one say that they are (`report_host`). Not all
    /// do, and not everybody may ask: the URL lists them.
    fn members(&self, answer: &Answer) -> Members {
        let Some(replicas) = answer.others.get(1) else { return Members::Unlisted };
        let mut addresses = Vec::new();
        for row in replicas.rows() {
            let (Ok(Some(host)), Ok(Some(port))) = (row.text("Host"), row.u64("Port")) else {
                continue;
            };
            let Some(port) = u16::try_from(port).ok().filter(|port| *port != 0) else { continue };
            if !host.is_empty() && crate::config::host_problem(host).is_none() {
                addresses.push(Address::new(host, port));
            }
        }
        Members::Suggested(addresses)
    }
}

/// How far it has come: in MariaDB the sequence number, in MySQL the count of transactions. What a
/// writer does without a binary log has no number.
fn position(own: &Row<'_>, writes: bool) -> Result<Option<u64>, Garbage> {
    let Some(executed) = own.text("executed")? else { return Ok(None) };
    if writes && !own.switch("logs")? {
        return Ok(None);
    }
    let Some(domain) = own.text("domain")? else {
        return Ok(Some(gtid::mysql(executed)?.1));
    };
    let shown = if writes { executed } else { own.text("replayed")?.unwrap_or_default() };
    Ok(Some(highest(&gtid::mariadb(shown, domain)?)))
}

/// Which transactions it has. Nothing is known where not all are logged with their GTIDs.
fn lineage(own: &Row<'_>) -> Result<Option<Lineage>, Garbage> {
    let (Some(executed), Some(source)) = (own.text("executed")?, own.text("source")?) else {
        return Ok(None);
    };
    if !own.switch("logs")? {
        return Ok(None);
    }
    let domain = own.text("domain")?;
    let last = match domain {
        Some(domain) => gtid::mariadb(executed, domain)?,
        None => gtid::mysql(executed)?.0,
    };
    Ok(Some(Lineage { own: Arc::from(source), last, is_one_sequence: domain.is_some() }))
}

fn highest(executed: &Executed) -> u64 {
    executed.values().copied().max().unwrap_or(0)
}
