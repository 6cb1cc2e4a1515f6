//! MariaDB, which stands for the MySQL family.

use std::any::Any;
use std::sync::Arc;

use test_kit::chaos::{Aim, ChaosProxy, Direction};
use test_kit::{KitError, MariaDbCluster, PacketLoss};

use super::{Servers, Setup, Texts, verbs};
use crate::eventually;

/// As many connections as a server has to allow at least.
const FEWEST: usize = 10;
/// As many as the kit's servers allow.
const USUAL: usize = 200;

impl Servers for MariaDbCluster {
    const TEXTS: Texts = TEXTS;
    const DEMOTED_SESSIONS_STAY: bool = true;

    fn started(setup: &Setup) -> Self {
        let servers = Self::builder().instances(setup.instances).synchronous(setup.synchronous);
        let servers = if setup.proxies { servers.behind_proxies() } else { servers };
        let settings = setup.settings.iter();
        let servers = settings.fold(servers, |servers, (name, value)| servers.setting(name, value));
        // A function that writes is logged by rows.
        let servers = servers.setting("log_bin_trust_function_creators", "ON").start().unwrap();
        // SHOW SLAVE HOSTS, by which the library learns of readers that are not in its URL.
        let grant = "GRANT REPLICATION MASTER ADMIN ON *.* TO app@'%'";
        servers.superuser(0).unwrap().run(grant).unwrap();
        servers
    }

    verbs! {}

    fn crash_and_restart(&self, index: usize) -> Result<(), KitError> {
        self.kill(index)?;
        self.start(index)
    }

    /// A promotion replays what was received, and the library knows exactly how much that was.
    fn fall_behind(&self, index: usize) -> Result<(), KitError> {
        self.pause_replay(index)?;
        self.superuser(index)?.run("STOP SLAVE IO_THREAD")
    }

    /// An instance that was killed comes back as a reader, which refuses writes.
    fn set_read_only(&self, index: usize, refuse: bool) -> Result<(), KitError> {
        match self.pid(index) {
            Some(_) => self.set_setting(index, "read_only", if refuse { "ON" } else { "OFF" }),
            None => Ok(()),
        }
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
        self.texts(index, sql).iter().map(|number| number.parse().unwrap()).collect()
    }

    fn texts(&self, index: usize, sql: &str) -> Vec<String> {
        self.superuser(index).unwrap().column(sql).unwrap()
    }

    /// Those of monitors among them: nothing tells them apart.
    fn sessions(&self, index: usize) -> Vec<i64> {
        self.numbers(index, SESSIONS)
    }

    fn monitors(&self, _: usize) -> Option<usize> {
        None
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

    /// With as few connections as a server can be told to allow, all of which are taken.
    fn fill(&self) -> Box<dyn Any + Send> {
        let mut held = Vec::new();
        for index in 0..self.len() {
            allow(self, index, FEWEST);
            held.extend(std::iter::from_fn(|| self.client(index).ok()).take(FEWEST));
            assert!(self.client(index).is_err(), "instance {index} is full");
        }
        Box::new(held)
    }

    fn make_room(&self, filled: Box<dyn Any + Send>) {
        drop(filled);
        (0..self.len()).for_each(|index| allow(self, index, USUAL));
    }

    /// A client asks for TLS only if the server has offered it.
    fn knowing_tls(setup: Setup, certificate: &str, key: &str) -> Setup {
        setup.setting("ssl_cert", certificate).setting("ssl_key", key)
    }

    fn aim_at_load(index: usize) -> Aim {
        Aim::Statement(if index == 0 { "deeds" } else { "items" }.to_owned())
    }
}

/// A superuser has a connection beside those.
fn allow(kit: &MariaDbCluster, index: usize, connections: usize) {
    kit.run_as_superuser(index, &format!("SET GLOBAL max_connections = {connections}"));
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
               WHERE USER = 'app' AND INFO LIKE '%SLEEP(%'",
    slept: 0,
    wait: "SELECT CAST(SLEEP({}) AS SIGNED)",
    long_read: "SELECT CAST(SUM(1 + SLEEP(0.34)) AS SIGNED) FROM items",
    late_write: "INSERT INTO items (name) SELECT 'half' FROM (SELECT SLEEP(600)) AS slept",
    left: "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
           WHERE USER = 'app' AND COALESCE(INFO, '') NOT LIKE '%SLEEP(%'",
    deeds: "CREATE TABLE deeds (id BIGINT NOT NULL, \
            session VARCHAR(99) NOT NULL DEFAULT (CONCAT(@@server_id, ' ', CONNECTION_ID())))",
    who: "SELECT CONCAT_WS(' ', ID, HOST, COMMAND, TIME_MS, STATE, INFO) \
          FROM information_schema.PROCESSLIST WHERE USER = 'app'",
    idle: "SELECT SUBSTRING_INDEX(HOST, ':', -1) FROM information_schema.PROCESSLIST \
           WHERE USER = 'app' AND COMMAND = 'Sleep' AND TIME_MS > 1000",
    keepalives: &["tcp_keepalive_time", "tcp_keepalive_interval", "tcp_keepalive_probes"],
    disk_full: "BEGIN NOT ATOMIC START TRANSACTION; INSERT INTO items (name) VALUES ('full'); \
                ROLLBACK; SIGNAL SQLSTATE 'HY000' \
                SET MYSQL_ERRNO = 1021, MESSAGE_TEXT = 'No space left on device'; END",
    states: &[
        ("a setting", "SET sort_buffer_size = 777216"),
        ("a variable", "SET @mine = 7"),
        ("a temporary table", "CREATE TEMPORARY TABLE scratch (id INT)"),
        ("a lock", "SELECT GET_LOCK('42', 5)"),
        ("locked tables", "LOCK TABLES items READ"),
        ("a prepared statement", "PREPARE question FROM 'SELECT 1'"),
        ("a transaction", "BEGIN; INSERT INTO items (name) VALUES ('half')"),
        ("a savepoint", "BEGIN; INSERT INTO items (name) VALUES ('half'); SAVEPOINT here"),
    ],
    locked: "SELECT 1 - IS_FREE_LOCK('42')",
    two_phase: [
        "XA START 'two'; INSERT INTO twice VALUES (1); XA END 'two'; XA PREPARE 'two'",
        "XA COMMIT 'two'",
    ],
};
