//! PostgreSQL.

use std::any::Any;

use test_kit::{KitError, PgCluster};

use super::{Servers, Texts};
use crate::{ITEMS, eventually};

impl Servers for PgCluster {
    const TEXTS: Texts = TEXTS;

    fn started(instances: usize, synchronous: bool) -> Self {
        Self::builder().instances(instances).synchronous(synchronous).start().unwrap()
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

    /// What it has received and not replayed, it has told nobody of.
    fn fall_behind(&self, index: usize) -> Result<(), KitError> {
        self.pause_replay(index)
    }

    fn catch_up(&self) {
        let mut writer = self.superuser(self.writer()).unwrap();
        let row = writer.query_one("SELECT pg_current_wal_lsn()::text", &[]).unwrap();
        let written: String = row.get(0);
        for reader in self.readers() {
            let mut client = self.superuser(reader).unwrap();
            let question =
                format!("SELECT coalesce(pg_last_wal_replay_lsn() >= '{written}', false)");
            eventually("the reader catches up", || {
                client.query_one(question.as_str(), &[]).unwrap().get::<_, bool>(0)
            });
        }
    }

    fn run(&self, index: usize, sql: &str) {
        self.client(index).unwrap().batch_execute(sql).unwrap();
    }

    fn run_as_superuser(&self, index: usize, sql: &str) {
        self.superuser(index).unwrap().batch_execute(sql).unwrap();
    }

    fn numbers(&self, index: usize, sql: &str) -> Vec<i64> {
        let rows = self.superuser(index).unwrap().query(sql, &[]).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    fn sessions(&self, index: usize) -> Vec<i64> {
        let sql = "SELECT pid::bigint FROM pg_stat_activity WHERE application_name = 'aurora'";
        self.numbers(index, sql)
    }

    fn end(&self, index: usize, session: i64) {
        let sql = format!("SELECT pg_terminate_backend({session}, 5000)::int::bigint");
        self.numbers(index, &sql);
    }

    fn block_commits(&self) -> Box<dyn Any + Send> {
        let mut gate = self.superuser(self.writer()).unwrap();
        gate.batch_execute("SELECT pg_advisory_lock(7)").unwrap();
        Box::new(gate)
    }
}

const TEXTS: Texts = Texts {
    items: ITEMS,
    // Compressed on the disk of the server, but not on the way.
    fill: "INSERT INTO items (name) SELECT repeat('x', 3000) FROM generate_series(1, 12000)",
    address: "SELECT host(inet_server_addr())",
    session: "SELECT pg_backend_pid()::bigint",
    alive: "SELECT count(*) FROM pg_stat_activity WHERE pid = ",
    in_transaction: "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'aurora' \
                     AND (xact_start IS NOT NULL OR state LIKE '%transaction%')",
    committing: "SELECT count(*) FROM pg_stat_activity \
                 WHERE wait_event_type = 'Lock' AND query ILIKE 'commit%'",
    lock_items: "SET lock_timeout = '5s'; BEGIN; LOCK TABLE items; COMMIT",
    failing: "SELECT 1 / 0",
    failure_dooms: true,
    sleep: "SELECT pg_sleep(9)",
    reads: &[
        "SELECT count(*) FROM items",
        "WITH few AS (SELECT * FROM items LIMIT 2) SELECT * FROM few",
        "EXPLAIN SELECT * FROM items",
        "SHOW server_version",
        "VALUES (1), (2)",
        "/* a */ -- b\n SELECT 1",
    ],
    writes: &[
        "INSERT INTO items (name) VALUES ('x')",
        "WITH gone AS (DELETE FROM items WHERE name = 'x' RETURNING *) SELECT * FROM gone",
        "SELECT * FROM items FOR UPDATE",
        "SELECT * FROM items FOR KEY SHARE SKIP LOCKED",
        "SELECT nextval('items_id_seq')",
        "SELECT pg_advisory_xact_lock(1)",
        "SELECT * INTO copied FROM items",
        "CREATE INDEX ON copied (id)",
        "EXPLAIN ANALYZE DELETE FROM copied",
        "DO $$ BEGIN DELETE FROM copied; END $$",
        "SELECT 1; INSERT INTO copied VALUES (1)",
        "TRUNCATE copied",
        "VACUUM items",
        "COMMENT ON TABLE copied IS 'it''s'",
        "DROP TABLE copied",
    ],
    function: "CREATE FUNCTION add_item() RETURNS bigint LANGUAGE sql AS \
               $$ INSERT INTO items (name) VALUES ('by function') RETURNING id $$",
    one_d: "CREATE UNIQUE INDEX one_d ON items (name) WHERE name = 'd'",
    pairs: "CREATE TABLE pairs (id int UNIQUE DEFERRABLE INITIALLY DEFERRED); \
            INSERT INTO pairs VALUES (1)",
    slow_table: "CREATE TABLE slow (id int); \
                 CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS \
                     $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$; \
                 CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON slow \
                     DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle()",
    leaks: &[
        "SET work_mem = '77MB'",
        "LISTEN news",
        "CREATE TEMPORARY TABLE scratch (id int)",
        "SELECT pg_advisory_lock(42)",
        "PREPARE plan AS SELECT 1",
        "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM items",
        "BEGIN; UPDATE items SET name = 'leaked'",
        "BEGIN",
    ],
    setting: ("SHOW work_mem", "77MB"),
    lock: "SELECT pg_try_advisory_lock(42)::int::bigint",
    slow: "SELECT count(pg_sleep(CASE host(inet_server_addr()) WHEN '{}' THEN 60 ELSE 0 END))",
    sleeping: "SELECT count(*) FROM pg_stat_activity \
               WHERE application_name = 'aurora' AND wait_event = 'PgSleep'",
    slept: 1,
};
