//! MariaDB, which stands for the MySQL family.

use std::any::Any;

use test_kit::{KitError, MariaDbCluster};

use super::{Servers, Texts};
use crate::eventually;

impl Servers for MariaDbCluster {
    const TEXTS: Texts = TEXTS;

    fn started(instances: usize, synchronous: bool) -> Self {
        let servers = Self::builder().instances(instances).synchronous(synchronous);
        // A function that writes is logged by rows.
        let servers = servers.setting("log_bin_trust_function_creators", "ON").start().unwrap();
        // SHOW SLAVE HOSTS, by which the library learns of readers that are not in its URL.
        let grant = "GRANT REPLICATION MASTER ADMIN ON *.* TO app@'%'";
        servers.superuser(0).unwrap().run(grant).unwrap();
        servers
    }

    fn url(&self) -> String {
        self.url()
    }

    fn name(&self, index: usize) -> String {
        self.name(index)
    }

    fn ip(&self, index: usize) -> String {
        self.address(index).0.to_string()
    }

    fn count(&self) -> usize {
        self.len()
    }

    fn writer(&self) -> usize {
        self.writer()
    }

    fn readers(&self) -> Vec<usize> {
        self.readers()
    }

    fn kill(&self, index: usize) -> Result<(), KitError> {
        self.kill(index)
    }

    fn start(&self, index: usize) -> Result<(), KitError> {
        self.start(index)
    }

    fn promote(&self, index: usize) -> Result<(), KitError> {
        self.promote(index)
    }

    fn kill_and_promote(&self, index: usize) -> Result<(), KitError> {
        self.kill_and_promote(index)
    }

    fn switchover(&self, to: usize) -> Result<(), KitError> {
        self.switchover(to)
    }

    fn rejoin(&self, index: usize) -> Result<(), KitError> {
        self.rejoin(index)
    }

    fn add_reader(&self) -> Result<usize, KitError> {
        self.add_reader()
    }

    fn remove_reader(&self, index: usize) -> Result<(), KitError> {
        self.remove_reader(index)
    }

    fn pause_replay(&self, index: usize) -> Result<(), KitError> {
        self.pause_replay(index)
    }

    fn resume_replay(&self, index: usize) -> Result<(), KitError> {
        self.resume_replay(index)
    }

    /// A promotion replays what was received, and the library knows exactly how much that was.
    fn fall_behind(&self, index: usize) -> Result<(), KitError> {
        self.pause_replay(index)?;
        self.superuser(index)?.run("STOP SLAVE IO_THREAD")
    }

    fn catch_up(&self) {
        self.await_readers().unwrap();
    }

    fn run(&self, index: usize, sql: &str) {
        self.client(index).unwrap().run(sql).unwrap();
    }

    fn run_as_superuser(&self, index: usize, sql: &str) {
        self.superuser(index).unwrap().run(sql).unwrap();
    }

    fn numbers(&self, index: usize, sql: &str) -> Vec<i64> {
        let rows = self.superuser(index).unwrap().column(sql).unwrap();
        rows.iter().map(|number| number.parse().unwrap()).collect()
    }

    /// Those of monitors among them: nothing tells them apart.
    fn sessions(&self, index: usize) -> Vec<i64> {
        self.numbers(index, SESSIONS)
    }

    fn end(&self, index: usize, session: i64) {
        // It may have ended by itself.
        let _ = self.superuser(index).unwrap().run(&format!("KILL {session}"));
        eventually("the session has ended", || !self.sessions(index).contains(&session));
    }

    /// Blocks everybody's.
    fn block_commits(&self) -> Box<dyn Any + Send> {
        let mut gate = self.superuser(self.writer()).unwrap();
        gate.run("FLUSH TABLES WITH READ LOCK").unwrap();
        Box::new(gate)
    }
}

const SESSIONS: &str = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'app'";

const TEXTS: Texts = Texts {
    items: "CREATE TABLE items (id INT AUTO_INCREMENT PRIMARY KEY, name TEXT NOT NULL)",
    fill: "INSERT INTO items (name) SELECT REPEAT('x', 3000) FROM seq_1_to_12000",
    address: "SELECT @@bind_address",
    session: "SELECT CAST(CONNECTION_ID() AS SIGNED)",
    alive: "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = ",
    // InnoDB shows what it has shown before to those who ask again within a tenth of a second.
    in_transaction: "DO SLEEP(0.11); SELECT COUNT(*) FROM information_schema.INNODB_TRX AS t \
                     JOIN information_schema.PROCESSLIST AS p ON p.ID = t.trx_mysql_thread_id \
                     WHERE p.USER = 'app'",
    committing: "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                 WHERE USER = 'app' AND INFO LIKE 'COMMIT%'",
    lock_items: "SET lock_wait_timeout = 5; LOCK TABLES items WRITE; UNLOCK TABLES",
    failing: "SELECT no_such_column FROM items",
    failure_dooms: false,
    sleep: "SELECT SLEEP(9)",
    reads: &[
        "SELECT count(*) FROM items",
        "WITH few AS (SELECT * FROM items LIMIT 2) SELECT * FROM few",
        "EXPLAIN SELECT * FROM items",
        "SHOW VARIABLES LIKE 'version'",
        "VALUES (1), (2)",
        "/* a */ -- b\n SELECT 1",
    ],
    writes: &[
        "INSERT INTO items (name) VALUES ('x')",
        "DELETE FROM items WHERE name = 'x' RETURNING *",
        "SELECT * FROM items FOR UPDATE",
        "SELECT * FROM items LOCK IN SHARE MODE",
        "SELECT RELEASE_LOCK('nobody has it')",
        "CREATE TABLE copied AS SELECT * FROM items",
        "CREATE INDEX by_id ON copied (id)",
        "ANALYZE DELETE FROM copied",
        "SELECT 1; INSERT INTO copied VALUES (1, 'x')",
        "REPLACE INTO copied VALUES (1, 'it''s')",
        "TRUNCATE copied",
        "DROP TABLE copied",
    ],
    function: "CREATE FUNCTION add_item() RETURNS BIGINT BEGIN \
               INSERT INTO items (name) VALUES ('by function'); RETURN LAST_INSERT_ID(); END",
    one_d: "ALTER TABLE items \
            ADD only_d CHAR(1) AS (IF(name = 'd', 'd', NULL)) PERSISTENT INVISIBLE UNIQUE",
    // The engine checks each row at once.
    pairs: "CREATE TABLE pairs (id INT UNIQUE); INSERT INTO pairs VALUES (1)",
    slow_table: "CREATE TABLE slow (id INT)",
    leaks: &[
        "SET sort_buffer_size = 777216",
        "LOCK TABLES items READ",
        "CREATE TEMPORARY TABLE scratch (id INT)",
        "SELECT GET_LOCK('42', 5)",
        "PREPARE plan FROM 'SELECT 1'",
        "SET autocommit = 0",
        "BEGIN; UPDATE items SET name = 'leaked'",
        "BEGIN",
    ],
    setting: ("SELECT CAST(@@sort_buffer_size AS CHAR)", "777216"),
    lock: "SELECT GET_LOCK('42', 0)",
    slow: "SELECT CAST(SUM(SLEEP(IF(@@bind_address = '{}', 60, 0))) AS SIGNED) FROM (SELECT 1) AS one",
    sleeping: "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
               WHERE USER = 'app' AND INFO LIKE '%SLEEP(IF(%'",
    slept: 0,
};
