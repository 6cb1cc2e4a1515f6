//! MariaDB servers with the library and a pool of Diesel's sessions connected to them.

use std::ops::Deref;

use aurora_diesel::{AuroraConnection, AuroraConnectionManager};
use aurora_tests::{LIMIT, eventually};
use diesel::MysqlConnection;
use diesel::r2d2::{Pool, PooledConnection};
use test_kit::{MariaDbBuilder, MariaDbCluster};

use crate::mysql_core::stand::Stand as Servers;

pub(super) type Manager = AuroraConnectionManager<MysqlConnection>;
pub(super) type Session = AuroraConnection<MysqlConnection>;
pub(super) type Pooled = PooledConnection<Manager>;

const ITEMS: &str =
    "CREATE TABLE items (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(255) NOT NULL)";

/// Dropped in the reverse order.
#[derive(Debug)]
pub(super) struct Stand {
    pub(super) pool: Pool<Manager>,
    pub(super) servers: Servers,
}

impl Deref for Stand {
    type Target = Servers;

    fn deref(&self) -> &Servers {
        &self.servers
    }
}

impl Stand {
    /// So many servers with the items `a`, `b` and `c` on all of them.
    pub(super) fn new(instances: usize) -> Self {
        Self::with(MariaDbCluster::builder().instances(instances), "")
    }

    pub(super) fn with(servers: MariaDbBuilder, options: &str) -> Self {
        let servers = Servers::with(servers, options);
        servers.write(ITEMS);
        servers.write("INSERT INTO items (name) VALUES ('a'), ('b'), ('c')");
        servers.write("CREATE TABLE ledger (id BIGINT NOT NULL)");
        servers.kit.await_readers().unwrap();
        let manager = Manager::new(servers.cluster.clone());
        let pool = Pool::builder().max_size(8).min_idle(Some(0)).connection_timeout(LIMIT);
        Self { pool: pool.build(manager).unwrap(), servers }
    }

    pub(super) fn session(&self) -> Pooled {
        self.pool.get().unwrap()
    }

    /// How many statements `work` runs on each of the first `N` instances.
    pub(super) fn counting<const N: usize>(&self, work: impl FnOnce()) -> [u64; N] {
        let queries =
            || -> [u64; N] { std::array::from_fn(|index| self.instance(index).stats().queries()) };
        let before = queries();
        work();
        let after = queries();
        std::array::from_fn(|index| after[index] - before[index])
    }

    /// How many items of that name the kit's writer has.
    pub(super) fn stored(&self, name: &str) -> u32 {
        self.ask(&format!("SELECT COUNT(*) FROM items WHERE name = '{name}'"))
    }

    /// One number that a superuser asks of the kit's writer.
    pub(super) fn ask(&self, sql: &str) -> u32 {
        let mut writer = self.kit.superuser(self.kit.writer()).unwrap();
        writer.column(sql).unwrap()[0].parse().unwrap()
    }

    /// Ends the server's side of a connection.
    #[track_caller]
    pub(super) fn terminate(&self, index: usize, id: i64) {
        let mut server = self.kit.superuser(index).unwrap();
        server.run(&format!("KILL {id}")).unwrap();
        eventually("it has ended", || !server.column(OURS).unwrap().contains(&id.to_string()));
    }

    /// How many connections the library counts.
    pub(super) fn connections(&self) -> u64 {
        self.cluster.status().instances.iter().map(|instance| instance.connections).sum()
    }

    /// Nothing is in flight, no transaction is open, and the servers have the connections that the
    /// library counts.
    #[track_caller]
    pub(super) fn assert_clean(&self) {
        eventually("nothing is in flight", || {
            self.cluster.status().instances.iter().all(|instance| instance.in_flight == 0)
        });
        let instances = [vec![self.kit.writer()], self.kit.readers()].concat();
        for index in &instances {
            let mut server = self.kit.superuser(*index).unwrap();
            // InnoDB shows what it has shown before to those who ask again within a tenth of a second.
            eventually("nobody is in a transaction", || {
                let open = "DO SLEEP(0.11); SELECT COUNT(*) FROM information_schema.INNODB_TRX t \
                            JOIN information_schema.PROCESSLIST p \
                            ON p.ID = t.trx_mysql_thread_id WHERE p.USER = 'app'";
                server.column(open).unwrap()[0] == "0"
            });
        }
        eventually("no connection is leaked", || {
            let open: usize = instances
                .iter()
                .map(|index| self.kit.superuser(*index).unwrap().column(OURS).unwrap().len())
                .sum();
            let open = u64::try_from(open).unwrap();
            let counted = self.connections();
            // One of the monitor each.
            (counted..=counted + u64::try_from(instances.len()).unwrap()).contains(&open)
        });
    }

    /// The pool hands out sessions that work, at least as many as it has.
    #[track_caller]
    pub(super) fn assert_usable(&self) {
        use diesel::prelude::*;
        let before = self.stored("usable");
        for _ in 0..10 {
            let session = &mut self.session();
            diesel::sql_query("INSERT INTO items (name) VALUES ('usable')")
                .execute(session)
                .unwrap();
        }
        assert_eq!(self.stored("usable"), before + 10);
    }
}

/// The connections of the library.
const OURS: &str = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'app'";
