//! What is PostgreSQL's own.

use sea_orm::DbBackend;
use test_kit::{KitError, PgCluster};

use crate::stand::LIMIT;

pub(crate) type Kit = PgCluster;
pub(crate) type Servers = test_kit::Builder;

pub(crate) const BACKEND: DbBackend = DbBackend::Postgres;

/// The definitions of items and notes.
pub(crate) const TABLES: &str = "
    CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL);
    CREATE TABLE notes (id serial PRIMARY KEY, item_id int NOT NULL, text text NOT NULL)";

/// Writes into the ledger.
pub(crate) const INSERT_ID: &str = "INSERT INTO ledger (id) VALUES ($1)";

/// All that is in the ledger, in one text.
pub(crate) const ALL_IDS: &str = "SELECT coalesce(string_agg(id::text, ','), '') FROM ledger";

/// The name of the instance that a statement met.
pub(crate) const SERVER: &str = "SELECT host(inet_server_addr()) || ':' || inet_server_port()";

/// Servers with asynchronous replication.
pub(crate) fn servers(instances: usize) -> Servers {
    PgCluster::builder().instances(instances).synchronous(false)
}

/// Runs SQL on the writer, and waits until every reader shows it.
pub(crate) fn seed(kit: &Kit, sql: &str) -> Result<(), KitError> {
    let mut writer = kit.superuser(kit.writer())?;
    writer.batch_execute(sql).unwrap();
    let tables = "GRANT ALL ON ALL TABLES IN SCHEMA public TO app; \
                  GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app";
    writer.batch_execute(tables).unwrap();
    await_readers(kit)
}

/// Waits until every reader that runs has replayed all that the writer has written.
pub(crate) fn await_readers(kit: &Kit) -> Result<(), KitError> {
    let mut writer = kit.superuser(kit.writer())?;
    let row = writer.query_one("SELECT pg_current_wal_lsn()::text", &[]).unwrap();
    let written: String = row.get(0);
    let question = format!("SELECT coalesce(pg_last_wal_replay_lsn() >= '{written}', false)");
    for reader in kit.readers() {
        let mut client = kit.superuser(reader)?;
        let caught_up = test_kit::wait_until(LIMIT, || {
            client.query_one(question.as_str(), &[]).unwrap().get::<_, bool>(0)
        });
        assert!(caught_up, "the readers do not catch up");
    }
    Ok(())
}

/// What the server says: one text.
pub(crate) fn ask(kit: &Kit, index: usize, sql: &str) -> Result<String, KitError> {
    Ok(kit.superuser(index)?.query_one(sql, &[]).unwrap().get(0))
}
