//! Runs scripts on the writer, and tries every statement on the standby before it runs.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use aurora_core::sql::{Rules, SqlDialect, classify};
use test_kit::PgCluster;

use super::psql::{Psql, Request};
use super::script::{Item, Script, words};
use super::standby::{Standby, Try};
use super::wire::{Answer, Target, Wire};
use crate::{Record, Truth};

/// How long the standby may take to have what the writer has.
const CATCH_UP: Duration = Duration::from_secs(30);

/// Never tried: these would end the standby's recovery, hold up its replay, or stop servers.
const NOT_TRIED: [&str; 4] =
    ["pg_promote", "pg_wal_replay_pause", "pg_terminate_backend", "pg_cancel_backend"];

/// Scripts, the servers they run on, and what was found so far.
#[derive(Debug)]
pub(crate) struct Run {
    writer: Target,
    control: Wire,
    standby_control: Wire,
    standby: Standby,
    /// Of the writer's log, when the standby had all of it.
    position: String,
    pub(crate) records: Vec<Record>,
}

/// One script's session on the writer.
struct Scene {
    wire: Wire,
    psql: Psql,
    /// The state of its transaction after the last statement.
    status: u8,
    name: String,
}

/// One instance of a cluster, as its superuser, with settings that the scripts expect.
pub(super) fn target(cluster: &PgCluster, index: usize, timeout: &str) -> Target {
    let (address, port) = cluster.address(index);
    Target {
        address: SocketAddr::new(address, port),
        user: "kit".to_owned(),
        database: "postgres".to_owned(),
        settings: vec![
            ("client_encoding", "UTF8".to_owned()),
            (
                "options",
                format!(
                    "-c statement_timeout={timeout} -c lock_timeout=200ms \
                             -c intervalstyle=postgres_verbose"
                ),
            ),
            ("DateStyle", "Postgres, MDY".to_owned()),
            ("TimeZone", "PST8PDT".to_owned()),
        ],
    }
}

/// Whether trying it leaves the servers as they are.
pub(super) fn may_be_tried(sql: &str) -> bool {
    !NOT_TRIED.iter().any(|name| sql.contains(name))
}

impl Run {
    /// Connects to the writer (instance 0) and the standby (instance 1) of a cluster.
    pub(crate) fn new(cluster: &PgCluster) -> io::Result<Self> {
        let (writer, standby) = (target(cluster, 0, "60s"), target(cluster, 1, "10s"));
        Ok(Self {
            control: Wire::connect(&writer)?,
            standby_control: Wire::connect(&standby)?,
            standby: Standby::new(standby),
            writer,
            position: String::new(),
            records: Vec::new(),
        })
    }

    /// Makes an empty database, in the place of one of that name.
    pub(crate) fn create_database(&mut self, name: &str) -> io::Result<()> {
        for sql in [
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"),
        ] {
            if let Some(error) = self.control.query(&sql)?.error {
                return Err(io::Error::other(error.message));
            }
        }
        self.catch_up()
    }

    /// Runs one script in this database; `sources` is where it looks for its data.
    pub(crate) fn script(&mut self, path: &Path, database: &str, sources: &Path) -> io::Result<()> {
        // Some scripts are in other encodings on purpose.
        let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
        let mut scene = self.scene(database, sources, name.unwrap_or_default())?;
        let mut script = Script::new(&text);
        while let Some(item) = script.next_item() {
            let result = match item {
                Item::Statement(sql) if scene.psql.is_active() => {
                    self.statement(&mut scene, &sql, &mut script).map(|_| true)
                }
                Item::Statement(_) => Ok(true),
                Item::Meta { sql, command } => {
                    self.command(&mut scene, &sql, &command, &mut script)
                }
            };
            if !result? {
                break;
            }
        }
        Ok(())
    }

    fn scene(&mut self, database: &str, sources: &Path, name: String) -> io::Result<Scene> {
        database.clone_into(&mut self.writer.database);
        self.standby.start_over(database);
        let mut psql = Psql::default();
        for (variable, value) in [
            ("abs_srcdir", sources.to_string_lossy().as_ref()),
            ("abs_builddir", "/nowhere"),
            ("libdir", "/nowhere"),
            ("dlsuffix", ".so"),
            ("regresslib", "/nowhere/regress.so"),
            ("skip_test", "false"),
            ("DBNAME", database),
        ] {
            psql.set(variable, value);
        }
        Ok(Scene { wire: Wire::connect(&self.writer)?, psql, status: b'I', name })
    }

    fn command(
        &mut self,
        scene: &mut Scene,
        sql: &str,
        command: &str,
        script: &mut Script<'_>,
    ) -> io::Result<bool> {
        match scene.psql.command(command) {
            Request::Quit => return Ok(false),
            Request::Nothing => {}
            Request::Run => drop(self.statement(scene, sql, script)?),
            Request::Copy(copy) => drop(self.statement(scene, &copy, script)?),
            Request::Keep(prefix) => {
                let answer = self.statement(scene, sql, script)?;
                for (at, column) in answer.columns.iter().enumerate() {
                    scene.psql.set(&format!("{prefix}{column}"), answer.value(at));
                }
            }
            Request::RunCells => {
                for cell in self.statement(scene, sql, script)?.rows.into_iter().flatten().flatten()
                {
                    self.statement(scene, &cell, script)?;
                }
            }
            Request::Connect { database, role } => self.reconnect(scene, database, role)?,
        }
        Ok(true)
    }

    /// Roles of scripts have no passwords, so the superuser takes their part.
    fn reconnect(
        &mut self,
        scene: &mut Scene,
        database: Option<String>,
        role: Option<String>,
    ) -> io::Result<()> {
        if let Some(database) = database {
            self.writer.database = database;
        }
        let database = self.writer.database.clone();
        self.standby.start_over(&database);
        scene.wire = Wire::connect(&self.writer)?;
        scene.status = b'I';
        if let Some(role) = role {
            let sql = format!("SET SESSION AUTHORIZATION {role}");
            scene.wire.query(&sql)?;
            self.standby.follow(&sql);
        }
        Ok(())
    }

    /// Tries a statement on the standby, runs it on the writer, and notes what was seen.
    fn statement(
        &mut self,
        scene: &mut Scene,
        sql: &str,
        script: &mut Script<'_>,
    ) -> io::Result<Answer> {
        let sql = scene.psql.put_in(sql);
        let tried = may_be_tried(&sql).then(|| self.standby.attempt(&sql));
        let was_idle = scene.status == b'I';
        let answer = scene.wire.query_with(&sql, || Some(script.take_data())).unwrap_or_default();
        scene.status = answer.status;
        if let Some(tried) = tried {
            self.note(&scene.name, &sql, &tried, answer.error.is_some());
        }
        if answer.status == 0 {
            // It ended its own session: the script goes on in a new one.
            self.reconnect(scene, None, None)?;
        }
        let about_session = matches!(words(&sql).next().as_deref(), Some("set" | "reset"));
        if answer.error.is_none() && was_idle && about_session {
            self.standby.follow(&sql);
        }
        self.catch_up()?;
        Ok(answer)
    }

    fn note(&mut self, script: &str, sql: &str, tried: &Try, fails: bool) {
        let truth = match tried.truth {
            Truth::Unclear if fails => Truth::Wrong,
            truth => truth,
        };
        let found = classify(SqlDialect::Postgres, sql, &Rules::default());
        self.records.push(Record::new(script, sql, truth, &tried.why, &found));
    }

    /// Waits until the standby has replayed what the writer has written.
    ///
    /// The position up to which the log was flushed may be in the middle of a record, where no
    /// replay ever stops. So a message is committed, and its record is waited for.
    fn catch_up(&mut self) -> io::Result<()> {
        const POSITION: &str = "SELECT pg_current_wal_insert_lsn()";
        if self.control.query(POSITION)?.value(0) == self.position {
            return Ok(());
        }
        let message = self.control.query("SELECT pg_logical_emit_message(true, 'corpus', '')")?;
        let ask = format!("SELECT pg_last_wal_replay_lsn() >= '{}'", message.value(0));
        let deadline = Instant::now() + CATCH_UP;
        while self.standby_control.query(&ask)?.value(0) != "t" {
            if Instant::now() > deadline {
                return Err(io::Error::other("the standby does not follow the writer"));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        self.control.query(POSITION)?.value(0).clone_into(&mut self.position);
        Ok(())
    }
}
