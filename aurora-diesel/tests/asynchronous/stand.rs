//! A cluster of servers with the library connected to it.

use std::time::{Duration, Instant};

use aurora_diesel::asynchronous::{AuroraConnection, AuroraConnectionManager};
use aurora_diesel::{Cluster, Config};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use test_kit::PgCluster;

/// The longest wait for anything that a test waits for.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

diesel::table! {
    items (id) {
        id -> Integer,
        name -> Text,
    }
}

/// Servers and the library; dropped in the reverse order.
pub(crate) struct Stand {
    pub(crate) manager: AuroraConnectionManager,
    pub(crate) kit: PgCluster,
}

impl Stand {
    /// `instances` servers, each acknowledged write being on two of them, where `sql` was run.
    pub(crate) async fn new(instances: usize, sql: &'static str) -> Self {
        Self::with(instances, "", sql).await
    }

    /// The same, connected to with these options of the URL.
    pub(crate) async fn with(instances: usize, options: &str, sql: &'static str) -> Self {
        let servers = PgCluster::builder().instances(instances).synchronous(true);
        Self::of(servers, options, sql).await
    }

    /// The same on servers as described.
    pub(crate) async fn of(servers: test_kit::Builder, options: &str, sql: &'static str) -> Self {
        let start = move || {
            let kit = servers.start().unwrap();
            kit.client(kit.writer()).unwrap().batch_execute(sql).unwrap();
            kit
        };
        let kit = tokio::task::spawn_blocking(start).await.unwrap();
        let config = Config::from_url(&format!("{}?{options}", kit.url())).unwrap();
        let cluster = Cluster::connect(config).await.unwrap();
        eventually("all instances are online", async || {
            cluster.topology().readers().len() + 1 == kit.len()
        })
        .await;
        Self { manager: AuroraConnectionManager::new(cluster), kit }
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        self.manager.cluster()
    }

    pub(crate) fn session(&self) -> AuroraConnection {
        self.manager.session()
    }

    /// How many connections to all instances are open.
    pub(crate) fn connections(&self) -> u64 {
        self.cluster().status().instances.iter().map(|instance| instance.connections).sum()
    }

    /// Runs blocking work of the kit beside the runtime.
    pub(crate) fn kit<R>(&self, work: impl FnOnce(&PgCluster) -> R) -> R {
        tokio::task::block_in_place(|| work(&self.kit))
    }

    /// One number that a superuser asks of an instance past the library.
    pub(crate) fn ask(&self, instance: usize, sql: &str) -> i64 {
        self.kit(|kit| kit.superuser(instance).unwrap().query_one(sql, &[]).unwrap().get(0))
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition().await {
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether the session's next read is served by a reader.
pub(crate) async fn is_on_reader(session: &mut AuroraConnection) -> bool {
    let recovering = diesel::dsl::sql::<Bool>("pg_catalog.pg_is_in_recovery()");
    diesel::select(recovering).get_result(session).await.unwrap()
}

/// Adds an item of that name.
pub(crate) async fn add(session: &mut AuroraConnection, name: &str) -> QueryResult<i32> {
    let insert = diesel::insert_into(items::table).values(items::name.eq(name));
    insert.returning(items::id).get_result(session).await
}

/// The names of all items, in the order they were added.
pub(crate) async fn names(session: &mut AuroraConnection) -> Vec<String> {
    items::table.select(items::name).order(items::id).load(session).await.unwrap()
}

pub(crate) const ITEMS: &str = "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL)";
