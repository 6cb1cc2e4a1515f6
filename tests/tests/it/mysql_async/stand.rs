//! A MariaDB cluster with diesel-async's sessions connected to it.

use std::time::Instant;

use aurora_core::{Cluster, Config};
use aurora_diesel::asynchronous::{AuroraConnection, AuroraConnectionManager};
use aurora_tests::LIMIT;
pub(crate) use aurora_tests::items;
pub(crate) use aurora_tests::ledger::{LEDGER, Ledger, ledger};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncMysqlConnection, RunQueryDsl};
use test_kit::{MariaDbBuilder, MariaDbCluster};

pub(crate) type Manager = AuroraConnectionManager<AsyncMysqlConnection>;
pub(crate) type Session = AuroraConnection<AsyncMysqlConnection>;

/// The definition of [`items`].
pub(crate) const ITEMS: &str =
    "CREATE TABLE items (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(64) NOT NULL)";

/// Servers and the library; dropped in the reverse order.
pub(crate) struct Stand {
    pub(crate) manager: Manager,
    pub(crate) kit: MariaDbCluster,
}

impl Stand {
    /// So many servers, of which every one is online, where `sql` was run.
    pub(crate) async fn new(instances: usize, sql: &'static str) -> Self {
        Self::with(MariaDbCluster::builder().instances(instances), sql).await
    }

    /// Servers as described, of which every one is online, where `sql` was run.
    pub(crate) async fn with(servers: MariaDbBuilder, sql: &'static str) -> Self {
        let start = move || {
            let kit = servers.start().unwrap();
            kit.superuser(kit.writer()).unwrap().run(sql).unwrap();
            kit.await_readers().unwrap();
            kit
        };
        let kit = tokio::task::spawn_blocking(start).await.unwrap();
        let cluster = Cluster::connect(Config::from_url(&kit.url()).unwrap()).await.unwrap();
        eventually("all instances are online", async || {
            cluster.topology().readers().len() + 1 == kit.len()
        })
        .await;
        Self { manager: AuroraConnectionManager::mysql(cluster), kit }
    }

    pub(crate) fn session(&self) -> Session {
        self.manager.session()
    }

    /// Runs blocking work of the kit beside the runtime.
    pub(crate) fn kit<R>(&self, work: impl FnOnce(&MariaDbCluster) -> R) -> R {
        tokio::task::block_in_place(|| work(&self.kit))
    }

    /// One text that a superuser asks of an instance past the library.
    pub(crate) fn ask(&self, instance: usize, sql: &str) -> String {
        self.kit(|kit| kit.superuser(instance).unwrap().column(sql).unwrap().concat())
    }

    /// How many connections of the application to an instance are in a transaction, in that state
    /// if one is given.
    ///
    /// The server looks anew only when nobody has asked for 0.1 s.
    pub(crate) fn busy(&self, instance: usize, state: &str) -> String {
        let sql = format!(
            "DO SLEEP(0.15); \
             SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state LIKE '{state}%' \
             AND trx_mysql_thread_id IN \
             (SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'app')"
        );
        self.ask(instance, &sql)
    }

    /// How many connections to an instance the library has open.
    pub(crate) fn open(&self, instance: usize) -> u64 {
        let topology = self.manager.cluster().topology();
        let id = self.kit.name(instance).into();
        topology.instance(&id).unwrap().stats().connections()
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition().await {
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// Whether the session's next read is served by a reader.
pub(crate) async fn is_on_reader(session: &mut Session) -> bool {
    let read_only = sql::<BigInt>("CAST(@@GLOBAL.read_only AS SIGNED)");
    diesel::select(read_only).get_result::<i64>(session).await.unwrap() == 1
}

/// Adds an item of that name.
pub(crate) async fn add(session: &mut Session, name: &str) -> QueryResult<usize> {
    diesel::insert_into(items::table).values(items::name.eq(name)).execute(session).await
}

/// The names of all items, in the order they were added.
pub(crate) async fn names(session: &mut Session) -> Vec<String> {
    items::table.select(items::name).order(items::id).load(session).await.unwrap()
}

/// Writes one row, and notes what became of it.
pub(crate) async fn write(book: &Ledger, thread: usize, session: &mut Session) {
    let id = book.take_id();
    let written = diesel::insert_into(ledger::table).values(ledger::id.eq(id));
    book.note(id, thread, written.execute(session).await.map(drop));
}
