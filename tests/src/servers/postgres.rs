//! PostgreSQL.

use std::any::Any;
use std::process::Command;
use std::sync::Arc;

use test_kit::chaos::{Aim, ChaosProxy, Direction};
use test_kit::{KitError, PacketLoss, PgCluster};

use super::{Servers, Setup, Texts, verbs};
use crate::{ITEMS, eventually};

impl Servers for PgCluster {
    const TEXTS: Texts = TEXTS;
    const DEMOTED_SESSIONS_STAY: bool = false;

    fn started(setup: &Setup) -> Self {
        let servers = Self::builder().instances(setup.instances).synchronous(setup.synchronous);
        let servers = if setup.proxies { servers.behind_proxies() } else { servers };
        // Transactions that belong to no session.
        let servers = servers.setting("max_prepared_transactions", "10");
        let settings = setup.settings.iter();
        let servers = settings.fold(servers, |servers, (name, value)| servers.setting(name, value));
        servers.start().unwrap()
    }

    verbs! {}

    /// By one process that serves a session, whereupon the server ends all others and starts again.
    fn crash_and_restart(&self, index: usize) -> Result<(), KitError> {
        let Some(process) = self.sessions(index).into_iter().max() else { return Ok(()) };
        let status = Command::new("kill").args(["-s", "KILL", &process.to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {process}");
        Ok(())
    }

    /// What it has received and not replayed, it has told nobody of.
    fn fall_behind(&self, index: usize) -> Result<(), KitError> {
        self.pause_replay(index)
    }

    fn set_read_only(&self, index: usize, refuse: bool) -> Result<(), KitError> {
        let value = if refuse { "on" } else { "off" };
        self.set_setting(index, "default_transaction_read_only", value)
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

    fn texts(&self, index: usize, sql: &str) -> Vec<String> {
        let rows = self.superuser(index).unwrap().query(sql, &[]).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    fn sessions(&self, index: usize) -> Vec<i64> {
        let sql = "SELECT pid::bigint FROM pg_stat_activity WHERE application_name = 'aurora'";
        self.numbers(index, sql)
    }

    fn monitors(&self, index: usize) -> Option<usize> {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'aurora monitor'";
        usize::try_from(self.numbers(index, sql)[0]).ok()
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

    /// By the limit of the role, which the readers learn from the writer.
    fn fill(&self) -> Box<dyn Any + Send> {
        self.run_as_superuser(self.writer(), "ALTER ROLE app CONNECTION LIMIT 1");
        self.catch_up();
        Box::new(())
    }

    fn make_room(&self, _: Box<dyn Any + Send>) {
        self.run_as_superuser(self.writer(), "ALTER ROLE app CONNECTION LIMIT -1");
        self.catch_up();
    }

    /// A client asks for TLS, and a server that has none says so.
    fn knowing_tls(setup: Setup, _: &str, _: &str) -> Setup {
        setup
    }

    fn aim_at_load(_: usize) -> Aim {
        Aim::Application("aurora".to_owned())
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
    wait: "SELECT 1::bigint FROM pg_sleep({})",
    long_read: "SELECT count(*) FROM items, pg_sleep(1)",
    late_write: "INSERT INTO items (name) SELECT 'half' FROM pg_sleep(600)",
    left: "SELECT count(*) FROM pg_stat_activity \
           WHERE application_name IN ('aurora', 'aurora monitor') \
           AND wait_event IS DISTINCT FROM 'PgSleep'",
    deeds: "CREATE TABLE deeds (id bigint NOT NULL, \
            session text NOT NULL DEFAULT host(inet_server_addr()) || ' ' || pg_backend_pid())",
    who: "SELECT concat_ws(' ', application_name, pid, backend_start, state, state_change, \
          wait_event, query) FROM pg_stat_activity WHERE application_name LIKE 'aurora%'",
    idle: "SELECT client_port::text FROM pg_stat_activity \
           WHERE application_name = 'aurora' AND state = 'idle' \
           AND state_change < now() - interval '1 s'",
    keepalives: &["tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"],
    disk_full: "DO $$ BEGIN INSERT INTO items (name) VALUES ('full'); \
                RAISE 'No space left on device' USING ERRCODE = 'disk_full'; END $$",
    states: &[
        ("a setting", "SET work_mem = '77MB'"),
        ("a temporary table", "CREATE TEMPORARY TABLE scratch (id int)"),
        ("an advisory lock", "SELECT pg_advisory_lock(42)"),
        ("a subscription", "LISTEN news"),
        ("a prepared statement", "PREPARE question AS SELECT 1"),
        ("a cursor", "DECLARE rows CURSOR WITH HOLD FOR SELECT 1"),
        ("a transaction", "BEGIN; INSERT INTO items (name) VALUES ('half')"),
        ("a savepoint", "BEGIN; INSERT INTO items (name) VALUES ('half'); SAVEPOINT here"),
    ],
    locked: "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
    two_phase: [
        "BEGIN; INSERT INTO twice VALUES (1); PREPARE TRANSACTION 'two'",
        "COMMIT PREPARED 'two'",
    ],
};
