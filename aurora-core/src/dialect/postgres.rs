//! Plain PostgreSQL with streaming replication, and a single server.
//!
//! Sources: PostgreSQL documentation 9.27 (recovery and backup control functions), 28.2
//! (`pg_stat_replication`, `pg_stat_wal_receiver`).

use super::{Answer, Dialect, Garbage, Row};
use crate::config::{Address, parse_port};
use crate::engine::{Members, Report};

#[derive(Debug)]
pub(super) struct Postgres {
    alone: bool,
    sql: String,
}

/// What an instance says of itself, in one row. `{cluster}` is the system identifier, where we
/// may ask for it.
///
/// * `server`: start time and listening address tell one run of one server from all others.
/// * `accepts_writes`: `transaction_read_only` is on in recovery, and where an administrator has
///   set `default_transaction_read_only`; in the second case it `stands_still`.
/// * `timeline`: the first eight digits of a log file's name on a writer; on a reader what it
///   receives, which is NULL without the privileges of `pg_read_all_stats`.
/// * `position`: what is acknowledged is in the log that was written, except where commits do not
///   wait for that (`synchronous_commit` off for the database or the user): then what was inserted.
/// * `lag_millis`: zero when everything received is replayed, so that it does not grow on an
///   idle cluster; unknown without a running receiver.
const SELF_SQL: &str = "\
SELECT {cluster} AS cluster,
       pg_catalog.concat(pg_catalog.pg_postmaster_start_time(), '/', pg_catalog.inet_server_addr(), ':', pg_catalog.inet_server_port()) AS server,
       NOT r.recovering AND pg_catalog.current_setting('transaction_read_only') = 'off' AS accepts_writes,
       NOT r.recovering AND pg_catalog.current_setting('transaction_read_only') = 'on' AS stands_still,
       CASE WHEN NOT r.recovering THEN pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8)
            ELSE (SELECT pg_catalog.to_hex(received_tli) FROM pg_catalog.pg_stat_wal_receiver)
       END AS timeline,
       (CASE WHEN r.recovering THEN pg_catalog.pg_last_wal_replay_lsn()
             WHEN pg_catalog.current_setting('synchronous_commit') = 'off' THEN pg_catalog.pg_current_wal_insert_lsn()
             ELSE pg_catalog.pg_current_wal_lsn()
        END - '0/0'::pg_catalog.pg_lsn)::pg_catalog.text AS position,
       (CASE WHEN NOT r.recovering THEN 0
             WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver) THEN NULL
             WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() THEN 0
             ELSE EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()) * 1000
        END)::pg_catalog.text AS lag_millis
FROM (SELECT pg_catalog.pg_is_in_recovery() AS recovering) AS r";

impl Postgres {
    pub(super) fn new(identity: bool, alone: bool) -> Self {
        let cluster = if identity {
            "(SELECT system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system())"
        } else {
            "NULL::pg_catalog.text"
        };
        let own = SELF_SQL.replace("{cluster}", cluster);
        let members = if alone {
            "(SELECT NULL::pg_catalog.text AS application_name, NULL::pg_catalog.inet AS client_addr)"
        } else {
            "pg_catalog.pg_stat_replication"
        };
        let sql = format!(
            "SELECT own.*, m.application_name, pg_catalog.host(m.client_addr) AS client_addr, \
             pg_catalog.inet_server_port()::pg_catalog.text AS port FROM ({own}) AS own LEFT JOIN {members} AS m ON true"
        );
        Self { alone, sql }
    }
}

impl Dialect for Postgres {
    fn name(&self) -> &'static str {
        if self.alone { "single" } else { "postgres" }
    }

    fn probe_sql(&self) -> &str {
        &self.sql
    }

    fn report(&self, answer: &Answer) -> Result<Report, Garbage> {
        let own = answer.first_row()?;
        let timeline = |text: &str| {
            u64::from_str_radix(text, 16).map_err(|_| Garbage(format!("not a timeline: {text}")))
        };
        let members =
            if self.alone { Members::Unlisted } else { Members::Suggested(suggested(answer)?) };
        Ok(Report {
            cluster: own.shared("cluster")?,
            name: None,
            server: own.shared("server")?,
            ip: None,
            accepts_writes: own.bool("accepts_writes")?,
            stands_still: own.bool("stands_still")?,
            incarnation: own.text("timeline")?.map(timeline).transpose()?,
            lineage: None,
            position: own.u64("position")?,
            lag: own.millis("lag_millis")?,
            members,
        })
    }
}

/// Where the standbys that follow this instance probably are.
///
/// A standby whose `application_name` (its `cluster_name`, unless set in `primary_conninfo`) is
/// an address says so itself. Otherwise it is taken to listen at the address it connects from,
/// on the same port as this one. Both columns are NULL without the privileges of
/// `pg_read_all_stats`. A wrong guess costs a probe: only who answers with this cluster's
/// identity becomes a member.
fn suggested(answer: &Answer) -> Result<Vec<Address>, Garbage> {
    let mut addresses = Vec::new();
    for row in answer.rows() {
        let address = match named(&row)? {
            Some(address) => Some(address),
            None => from_peer(&row)?,
        };
        if let Some(address) = address
            && !addresses.contains(&address)
        {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

fn named(row: &Row<'_>) -> Result<Option<Address>, Garbage> {
    let Some(name) = row.text("application_name")? else { return Ok(None) };
    let looks_like_one = name.contains(['.', ':']) && !name.contains([' ', '/']);
    let port = parse_port(row.text("port")?.unwrap_or("5432")).ok();
    Ok(looks_like_one.then(|| Address::read(name, port).ok()).flatten())
}

fn from_peer(row: &Row<'_>) -> Result<Option<Address>, Garbage> {
    let Some(peer) = row.text("client_addr")? else { return Ok(None) };
    let port = row.u64("port")?.and_then(|port| u16::try_from(port).ok());
    // A standby that comes over the loopback interface could be at any port of this machine.
    let loopback = peer.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    Ok(port.filter(|_| !loopback).map(|port| Address::new(peer, port)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answer(rows: &[[Option<&str>; 9]]) -> Answer {
        answer_of(rows, "f")
    }

    fn answer_of(rows: &[[Option<&str>; 9]], stands_still: &str) -> Answer {
        let columns = [
            "cluster",
            "server",
            "accepts_writes",
            "timeline",
            "position",
            "lag_millis",
            "application_name",
            "client_addr",
            "port",
            "stands_still",
        ];
        let mut answer = Answer::new(columns.map(String::from).into());
        for row in rows {
            row.iter().for_each(|cell| answer.push(*cell));
            answer.push(Some(stands_still));
        }
        answer
    }

    #[test]
    fn a_writer_names_its_timeline_and_its_standbys() {
        let own = [Some("77"), Some("s1"), Some("t"), Some("0000000A"), Some("4096"), Some("0")];
        let row = |name, peer| {
            let [a, b, c, d, e, f] = own;
            [a, b, c, d, e, f, name, peer, Some("5433")]
        };
        let report = Postgres::new(true, false)
            .report(&answer(&[
                row(Some("10.0.0.2"), Some("10.0.0.2")),
                row(Some("db3.example.com:6000"), None),
                row(Some("walreceiver"), Some("10.0.0.4")),
                row(Some("pg_receivewal"), Some("127.0.0.1")),
                row(None, None),
            ]))
            .unwrap();
        assert_eq!(report.incarnation, Some(10));
        assert_eq!(report.position, Some(4096));
        assert_eq!(
            report.members,
            Members::Suggested(vec![
                Address::new("10.0.0.2", 5433),
                Address::new("db3.example.com", 6000),
                Address::new("10.0.0.4", 5433),
            ])
        );
    }

    #[test]
    fn a_reader_with_unknown_lag_says_so() {
        let row = [Some("77"), Some("s2"), Some("f"), None, None, None, None, None, Some("5432")];
        let report = Postgres::new(true, false).report(&answer(&[row])).unwrap();
        assert!(!report.accepts_writes);
        assert_eq!((report.lag, report.position), (None, None));
        let row = [None, None, Some("f"), None, Some("9"), Some("1500"), None, None, Some("1")];
        let report = Postgres::new(false, true).report(&answer(&[row])).unwrap();
        assert_eq!(report.lag, Some(Duration::from_millis(1500)));
        assert_eq!(report.members, Members::Unlisted);
    }

    #[test]
    fn a_writer_made_read_only_stands_still() {
        let row =
            [Some("77"), Some("s1"), Some("f"), Some("01"), Some("9"), None, None, None, None];
        let report = Postgres::new(true, false).report(&answer_of(&[row], "t")).unwrap();
        assert!(report.stands_still && !report.accepts_writes);
    }

    #[test]
    fn nonsense_is_refused() {
        let row = [None, None, Some("maybe"), None, None, None, None, None, None];
        assert!(Postgres::new(true, false).report(&answer(&[row])).is_err());
        assert!(Postgres::new(true, false).report(&answer(&[])).is_err());
    }
}
