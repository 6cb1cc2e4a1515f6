//! What to ask each kind of server, and what its answers and error codes mean.
//!
//! Pure: SQL out, text in. Adding a kind of server is adding one file here.

mod answer;
mod aurora_postgres;
#[cfg(feature = "mysql")]
pub(crate) mod mysql;
mod postgres;
mod sqlstate;

use std::fmt;

pub(crate) use self::answer::{Answer, Row};
pub(crate) use self::sqlstate::{classify_sqlstate, refuses_login};
use crate::config::DialectChoice;
use crate::engine::Report;

/// One kind of server.
pub(crate) trait Dialect: fmt::Debug + Send + Sync {
    /// Its name in configuration, logs and status.
    fn name(&self) -> &'static str;

    /// The statement of a probe. One round trip answers topology, identity, role, position and
    /// lag: asked apart, they could contradict each other. On PostgreSQL its columns are texts and
    /// truth values.
    fn probe_sql(&self) -> &str;

    /// What to ask when the server cannot execute [`Dialect::probe_sql`], for want of a privilege
    /// or because of what the topology holds: the instance's word about itself alone. `None`
    /// where nothing less can be asked.
    fn own_sql(&self) -> Option<&str> {
        None
    }

    /// Reads the answer to [`Dialect::probe_sql`], or to [`Dialect::own_sql`].
    fn report(&self, answer: &Answer) -> Result<Report, Garbage>;
}

/// An answer that cannot be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Garbage(pub(crate) String);

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Asked once per monitoring connection: what kind of server is this, and what may we ask it?
///
/// `search_path` is emptied of everything but the catalogue, so that no function or operator of
/// a user's schema can stand in for the server's own. `to_regproc` answers NULL where a function
/// does not exist. Sources: aurora.md 2.2 (detection by `rds.extensions` and
/// `aurora_replica_status`), PostgreSQL documentation 9.27 (`pg_control_system`).
pub(crate) const DETECT_SQL: &str = "\
SET search_path = pg_catalog;
SELECT pg_catalog.to_regproc('pg_catalog.aurora_replica_status') IS NOT NULL
       AND EXISTS (SELECT FROM pg_catalog.pg_settings
                   WHERE name = 'rds.extensions' AND setting LIKE '%aurora_stat_utils%') AS aurora,
       pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS control,
       coalesce((SELECT proargnames @> '{durable_lsn,current_read_lsn}'::pg_catalog.text[]
                            FROM pg_catalog.pg_proc
                            WHERE oid = pg_catalog.to_regproc('pg_catalog.aurora_replica_status')), false) AS lsn";

/// Picks the dialect from the answer to [`DETECT_SQL`], or the one the user chose.
pub(crate) fn detect(choice: DialectChoice, answer: &Answer) -> Result<Box<dyn Dialect>, Garbage> {
    let row = answer.only_row()?;
    let aurora = match choice {
        DialectChoice::Auto => row.bool("aurora")?,
        DialectChoice::AuroraPostgres => true,
        DialectChoice::Postgres | DialectChoice::Single => false,
        // The configuration has refused them.
        DialectChoice::AuroraMySql | DialectChoice::MariaDb | DialectChoice::MySql => {
            return Err(Garbage("the dialect is not one of PostgreSQL".to_owned()));
        }
    };
    let identity = row.bool("control")?;
    if aurora {
        return Ok(Box::new(aurora_postgres::AuroraPostgres::new(row.bool("lsn")?)));
    }
    let alone = choice == DialectChoice::Single;
    Ok(Box::new(postgres::Postgres::new(identity, alone)))
}
