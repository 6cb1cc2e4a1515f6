//! Tries a statement on a reader, in a session that is thrown away when it is not as before.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::refusal::{hides_locks, is_hidden, of_error};
use super::session::{Answer, Session};
use crate::Truth;

/// Everything of a session that SQL can show. Left out is what every statement changes.
const STATE: &str = "SELECT COALESCE(DATABASE(), ''), LAST_INSERT_ID(), CURRENT_ROLE(), \
    (SELECT MD5(GROUP_CONCAT(VARIABLE_NAME, '=', COALESCE(VARIABLE_VALUE, '') ORDER BY 1)) \
        FROM information_schema.SESSION_VARIABLES WHERE VARIABLE_NAME NOT IN ('TIMESTAMP', \
        'RAND_SEED1', 'RAND_SEED2', 'IDENTITY', 'LAST_INSERT_ID', 'INSERT_ID', 'WARNING_COUNT', \
        'ERROR_COUNT', 'IN_TRANSACTION', 'GTID_BINLOG_POS', 'GTID_CURRENT_POS', 'GTID_SLAVE_POS', \
        'GTID_BINLOG_STATE', 'LAST_GTID', 'INNODB_BUFFER_POOL_LOAD_NOW')), \
    (SELECT MD5(GROUP_CONCAT(VARIABLE_NAME, '=', COALESCE(VARIABLE_VALUE, '') ORDER BY 1)) \
        FROM information_schema.USER_VARIABLES), @@in_transaction";

/// Commands (counters `Com_…` of the server) that are about the session, the transaction or the
/// server itself, whatever can be seen of it.
const ABOUT_STATE: [&str; 33] = [
    "assign_to_keycache",
    "begin",
    "change_db",
    "commit",
    "compound_sql",
    "create_temporary_table",
    "dealloc_sql",
    "drop_temporary_table",
    "execute_immediate",
    "execute_sql",
    "flush",
    "get_diagnostics",
    "ha_close",
    "ha_open",
    "ha_read",
    "kill",
    "load",
    "preload_keys",
    "prepare_sql",
    "release_savepoint",
    "reset",
    "resignal",
    "rollback",
    "rollback_to_savepoint",
    "savepoint",
    "set_option",
    "signal",
    "unlock_tables",
    "xa_commit",
    "xa_end",
    "xa_prepare",
    "xa_rollback",
    "xa_start",
];

/// The metadata locks that a session holds, beyond those of a read.
const LOCKS: &str = "SELECT GROUP_CONCAT(DISTINCT l.OBJECT_TYPE, ' ', l.LOCK_TYPE) \
    FROM performance_schema.metadata_locks l JOIN performance_schema.threads t \
    ON t.THREAD_ID = l.OWNER_THREAD_ID WHERE t.PROCESSLIST_ID = {id} \
    AND l.LOCK_TYPE NOT IN ('SHARED_READ', 'SHARED_HIGH_PRIO', 'SHARED')";
/// Whether it holds locks of rows.
const ROW_LOCKS: &str = "SELECT CONCAT('InnoDB ', TRX_LOCK_STRUCTS) \
    FROM information_schema.INNODB_TRX WHERE TRX_MYSQL_THREAD_ID = {id} AND TRX_LOCK_STRUCTS > 0";
/// The server does not look again at what `INNODB_TRX` shows until this long after it was last read
/// (`CACHE_MIN_IDLE_TIME_NS` in `storage/innobase/trx/trx0i_s.cc` is 0.1 s).
const ROW_LOCKS_KEPT: Duration = Duration::from_millis(110);
const COMMANDS: &str = "SHOW SESSION STATUS LIKE 'Com\\_%'";

/// One instance, and the sessions in which statements are tried.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    runtime: &'a Runtime,
    url: String,
    observer: Session<'a>,
    /// What every session has been told first: the settings of the script's session.
    prelude: Vec<String>,
    kept: Option<Prepared<'a>>,
    /// When `INNODB_TRX` was last read.
    looked: Instant,
}

#[derive(Debug)]
struct Prepared<'a> {
    session: Session<'a>,
    state: Vec<String>,
}

/// What a try has shown.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    pub(crate) truth: Truth,
    /// The server's words, or the locks.
    pub(crate) why: String,
}

impl<'a> Reader<'a> {
    /// `url` is that of the user without privileges over `read_only`, `observer`'s of one with.
    pub(crate) fn new(runtime: &'a Runtime, url: &str, observer: &str) -> io::Result<Self> {
        let observer = Session::open(runtime, observer)?;
        Ok(Self {
            runtime,
            url: url.to_owned(),
            observer,
            prelude: Vec::new(),
            kept: None,
            looked: Instant::now(),
        })
    }

    /// The script's session starts anew.
    pub(crate) fn start_over(&mut self) {
        self.prelude.clear();
        self.kept = None;
    }

    /// The script's session was changed by this statement.
    pub(crate) fn follow(&mut self, sql: &str) {
        self.prelude.push(sql.to_owned());
        self.kept = None;
    }

    /// Tries a statement. A lost connection is tried a second time.
    pub(crate) fn attempt(&mut self, sql: &str) -> Try {
        let found = self.once(sql).or_else(|_| self.once(sql));
        found.unwrap_or_else(|error| Try { truth: Truth::Unclear, why: error.to_string() })
    }

    /// Whether the answer depends on what was done in the session before: on the last inserted
    /// id, on the rows that were found or changed, on warnings, on the connection itself.
    pub(crate) fn depends_on_session(&mut self, sql: &str) -> bool {
        let before = [
            "DO LAST_INSERT_ID(111)",
            "SELECT LAST_INSERT_ID(222) + CAST('x' AS SIGNED) UNION SELECT 1",
        ];
        let mut seen = Vec::new();
        for before in before {
            let Ok(mut prepared) = self.open() else { return false };
            let asked = prepared.session.ask(before).and_then(|_| prepared.session.ask(sql));
            let Ok(answer) = asked else { return false };
            seen.push(answer.rows);
        }
        seen[0] != seen[1]
    }

    fn once(&mut self, sql: &str) -> io::Result<Try> {
        // Taken out: a session that fails half way is not used again.
        let mut prepared = match self.kept.take() {
            Some(prepared) => prepared,
            None => self.open()?,
        };
        let tried = self.judge(&mut prepared, sql)?;
        if tried.truth == Truth::Answered {
            self.kept = Some(prepared);
        }
        Ok(tried)
    }

    fn open(&self) -> io::Result<Prepared<'a>> {
        let mut session = Session::open(self.runtime, &self.url)?;
        session.must("SET max_statement_time = 5, group_concat_max_len = 1000000")?;
        for sql in &self.prelude {
            session.ask(sql)?;
        }
        let state = state(&mut session)?;
        Ok(Prepared { session, state })
    }

    /// In a transaction, where locks can be seen.
    fn judge(&mut self, prepared: &mut Prepared<'_>, sql: &str) -> io::Result<Try> {
        let session = &mut prepared.session;
        let before = commands(session, "START TRANSACTION; ")?;
        let mut answer = session.ask(sql)?;
        // Refused because a transaction is open.
        if matches!(answer.error, Some((1568 | 1399 | 1400 | 1192 | 1179, _))) {
            session.must("ROLLBACK")?;
            answer = session.ask(sql)?;
        }
        let commands = difference(&before, &commands(session, "")?);
        if let Some((code, words)) = &answer.error {
            return Ok(of_error(sql, *code, words, &commands));
        }
        let locks = self.locks(sql, session.id())?;
        if !locks.is_empty() {
            let truth = if hides_locks(sql) { Truth::Hidden } else { Truth::Locks };
            return Ok(Try { truth, why: locks.join(", ") });
        }
        let changed = self.changes(prepared, sql, &answer, &commands)?;
        Ok(changed.unwrap_or(Try { truth: Truth::Answered, why: commands.join(", ") }))
    }

    fn locks(&mut self, sql: &str, id: u32) -> io::Result<Vec<String>> {
        let id = id.to_string();
        let mut rows = self.observer.must(&LOCKS.replace("{id}", &id))?.rows.concat();
        let lower = sql.to_ascii_lowercase();
        // Locks of rows have to be asked for by one of these words; looking takes its time.
        if ["share", "update", "lock"].iter().any(|word| lower.contains(word)) {
            std::thread::sleep(ROW_LOCKS_KEPT.saturating_sub(self.looked.elapsed()));
            rows.extend(self.observer.must(&ROW_LOCKS.replace("{id}", &id))?.rows.concat());
            self.looked = Instant::now();
        }
        Ok(rows.into_iter().filter(|text| text != "NULL").collect())
    }

    fn changes(
        &self,
        prepared: &mut Prepared<'_>,
        sql: &str,
        answer: &Answer,
        commands: &[String],
    ) -> io::Result<Option<Try>> {
        let changes = |why: String| Some(Try { truth: Truth::ChangesState, why });
        if let Some(command) = commands.iter().find(|name| ABOUT_STATE.contains(&name.as_str())) {
            let found = changes(command.clone());
            return Ok(if is_hidden(sql) {
                found.map(|found| Try { truth: Truth::Hidden, ..found })
            } else {
                found
            });
        }
        if commands.iter().any(|name| name == "call_procedure") {
            let why = "what a procedure does is not in the text".to_owned();
            return Ok(Some(Try { truth: Truth::Hidden, why }));
        }
        if commands.iter().any(|name| name == "select") && !answer.is_result {
            return Ok(changes(format!("a query without a result: {commands:?}")));
        }
        if !sql.to_ascii_lowercase().contains("sql_calc_found_rows") {
            // It cannot be asked without being lost.
        } else if answer.is_result {
            return Ok(changes("FOUND_ROWS is for the next statement".to_owned()));
        }
        let ask = format!("SELECT @@in_transaction; ROLLBACK; {STATE}");
        let mut rows = prepared.session.must(&ask)?.rows;
        let after = rows.pop().unwrap_or_default();
        if rows.concat() != ["1"] {
            return Ok(changes("the transaction is over".to_owned()));
        }
        Ok(if after == prepared.state {
            None
        } else {
            changes(format!("{:?} became {after:?}", prepared.state))
        })
    }
}

fn state(session: &mut Session<'_>) -> io::Result<Vec<String>> {
    Ok(session.must(STATE)?.rows.concat())
}

/// The server's count of this session's commands, by their kind.
fn commands(session: &mut Session<'_>, before: &str) -> io::Result<BTreeMap<String, u64>> {
    let rows = session.must(&format!("{before}{COMMANDS}"))?.rows;
    let entry = |row: Vec<String>| Some((row.first()?[4..].to_owned(), row.get(1)?.parse().ok()?));
    Ok(rows.into_iter().filter_map(entry).collect())
}

fn difference(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> Vec<String> {
    let grown = after.iter().filter(|(name, count)| {
        let own = u64::from(name.as_str() == "show_status");
        **count > before.get(*name).copied().unwrap_or(0) + own
    });
    grown.map(|(name, _)| name.clone()).collect()
}
