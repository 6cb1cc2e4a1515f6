//! Runs scripts on the writer, and tries every statement on the reader before it runs.

use std::io;
use std::path::Path;

use aurora_core::sql::{Rules, SqlDialect, Verdict, classify};
use test_kit::{MariaDbCluster, PASSWORD};
use tokio::runtime::Runtime;

use super::mtr;
use super::reader::Reader;
use super::session::Session;
use crate::{Record, Truth};

/// Statements that would take the servers or the harness apart.
const NOT_RUN: [&str; 15] = [
    "mysql.",
    "drop user",
    "shutdown",
    "sql_log_bin",
    "gtid",
    "slave",
    "master",
    "kill ",
    "drop role",
    "innodb_read_only",
    "debug",
    "flush privileges",
    "set password",
    "alter user",
    "rename user",
];

/// Privileges that the user of the scripts does not have: over `read_only`, over settings of the
/// server, and over what the harness needs.
const REVOKED: &str = "SUPER, READ_ONLY ADMIN, SHUTDOWN, RELOAD, BINLOG ADMIN, CONNECTION ADMIN, \
    FEDERATED ADMIN, REPLICATION MASTER ADMIN, REPLICATION SLAVE ADMIN, REPLICATION SLAVE, SET USER, \
    BINLOG REPLAY";

/// Scripts, the servers they run on, and what was found so far.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    runtime: &'a Runtime,
    writer: String,
    control: Session<'a>,
    reader_control: Session<'a>,
    reader: Reader<'a>,
    /// Of the writer's log, when the reader had all of it.
    position: String,
    pub(crate) records: Vec<Record>,
}

impl<'a> Run<'a> {
    /// Connects to the writer (instance 0) and the reader (instance 1) of a cluster.
    pub(crate) fn new(runtime: &'a Runtime, cluster: &MariaDbCluster) -> io::Result<Self> {
        let url = |user: &str, index: usize, database: &str| {
            format!("mysql://{user}:{PASSWORD}@{}/{database}", cluster.name(index))
        };
        let control = Session::open(runtime, &url("kit", 0, "app"))?;
        let mut run = Self {
            runtime,
            writer: url("suite", 0, "test"),
            control,
            reader_control: Session::open(runtime, &url("kit", 1, "app"))?,
            reader: Reader::new(runtime, &url("suite", 1, "test"), &url("kit", 1, "app"))?,
            position: String::new(),
            records: Vec::new(),
        };
        run.clean()?;
        Ok(run)
    }

    /// Runs one script in an empty database `test`.
    pub(crate) fn script(&mut self, path: &Path) -> io::Result<()> {
        // Some scripts are Latin-1 or worse on purpose: they are not texts that we are given.
        let Ok(text) = String::from_utf8(std::fs::read(path)?) else { return Ok(()) };
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.clean()?;
        self.reader.start_over();
        let mut session = self.open()?;
        for sql in mtr::statements(&text) {
            let lower = sql.to_ascii_lowercase();
            if NOT_RUN.iter().any(|word| lower.contains(word)) {
                continue;
            }
            if self.statement(&mut session, &name, &sql).is_err() {
                // It ended its session, or did not end in time: the script goes on in a new one.
                session = self.open()?;
            }
        }
        Ok(())
    }

    /// Tries a text on the reader and notes what was seen; it does not run on the writer.
    pub(crate) fn try_only(&mut self, sql: &str) {
        let tried = self.reader.attempt(sql);
        let found = classify(SqlDialect::MySql, sql, &Rules::default());
        self.records.push(Record::new("hidden", sql, tried.truth, &tried.why, &found));
    }

    fn open(&self) -> io::Result<Session<'a>> {
        let mut session = Session::open(self.runtime, &self.writer)?;
        session.must("SET max_statement_time = 5, lock_wait_timeout = 1")?;
        Ok(session)
    }

    /// Away with everything that a script has left.
    fn clean(&mut self) -> io::Result<()> {
        // A procedure without an end goes on when its client has left.
        for control in [&mut self.control, &mut self.reader_control] {
            let mine = "SELECT id FROM information_schema.processlist WHERE user = 'suite'";
            for id in control.must(mine)?.rows.concat() {
                control.ask(&format!("KILL {id}"))?;
            }
        }
        // An account without a name, for our very address, would be taken for that of the scripts.
        for host in self.control.must("SELECT host FROM mysql.user WHERE user = ''")?.rows.concat()
        {
            self.control.must(&format!("DROP USER ''@'{host}'"))?;
        }
        let databases = self.control.must("SHOW DATABASES")?.rows.concat();
        let own = ["mysql", "information_schema", "performance_schema", "sys", "app"];
        for name in databases.iter().filter(|name| !own.contains(&name.as_str())) {
            self.control.ask(&format!("DROP DATABASE `{}`", name.replace('`', "``")))?;
        }
        for sql in [
            "CREATE DATABASE IF NOT EXISTS test",
            // Scripts about accounts take this one apart, too.
            &format!("CREATE OR REPLACE USER suite@'%' IDENTIFIED BY '{PASSWORD}'"),
            "GRANT ALL PRIVILEGES ON *.* TO suite@'%' WITH GRANT OPTION",
            &format!("REVOKE {REVOKED} ON *.* FROM suite@'%'"),
        ] {
            self.control.must(sql)?;
        }
        self.catch_up()
    }

    /// Tries a statement on the reader, runs it on the writer, and notes what was seen.
    fn statement(&mut self, session: &mut Session<'_>, script: &str, sql: &str) -> io::Result<()> {
        let mut tried = self.reader.attempt(sql);
        let answer = session.ask(sql);
        let fails = answer.as_ref().map_or(true, |answer| answer.error.is_some());
        let found = classify(SqlDialect::MySql, sql, &Rules::default());
        if tried.truth == Truth::Unclear && fails {
            tried.truth = Truth::Wrong;
        }
        // Asked only of what we call so: it forgives a read that was missed, and no violation.
        if tried.truth == Truth::Answered
            && found.verdict() == Verdict::Session
            && self.reader.depends_on_session(sql)
        {
            tried.truth = Truth::NeedsSession;
        }
        self.records.push(Record::new(script, sql, tried.truth, &tried.why, &found));
        let answer = answer?;
        let word = sql.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        // With these a transaction is open although nobody has begun one.
        let lower = sql.to_ascii_lowercase();
        let follows = matches!(word.as_str(), "set" | "use")
            && !["autocommit", "completion_type"].iter().any(|name| lower.contains(name));
        if !fails && follows {
            self.reader.follow(sql);
        }
        // A query may call what writes.
        if answer.is_result && found.verdict() == Verdict::Read && found.rerunnable() {
            return Ok(());
        }
        self.catch_up()
    }

    /// Waits until the reader has applied what the writer has written.
    fn catch_up(&mut self) -> io::Result<()> {
        let answer = self.control.must("SELECT @@GLOBAL.gtid_binlog_pos")?;
        let position = answer.value();
        if position == self.position {
            return Ok(());
        }
        let wait = format!("SELECT MASTER_GTID_WAIT('{position}', 5)");
        let waited = self.reader_control.must(&wait)?;
        if waited.value() != "0" {
            // What it could not apply is left out, so that the next script has a chance.
            let status = self.reader_control.must("SHOW SLAVE STATUS")?;
            let why = status.rows.concat().join("|");
            self.reader_control.must("STOP SLAVE")?;
            self.reader_control.must(&format!("SET GLOBAL gtid_slave_pos = '{position}'"))?;
            self.reader_control.must("START SLAVE")?;
            let words =
                format!("the reader does not follow the writer to {position}: {waited:?}, {why}");
            return Err(io::Error::other(words));
        }
        position.clone_into(&mut self.position);
        Ok(())
    }
}
