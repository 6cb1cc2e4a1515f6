//! Tries a statement on a hot standby, in a session that is thrown away when it is not as before.

use std::io;

use super::wire::{Answer, ServerError, Target, Wire};
use crate::Truth;

/// Everything of a session that SQL can show, and the locks it holds beyond a read's.
///
/// Schemas are spelled out because scripts change the search path. Settings with a dot come with the
/// library of an extension or language when it is first used, and are left out.
const STATE: &str = "SELECT \
    (SELECT pg_catalog.md5(pg_catalog.string_agg(name || '=' || setting, ',' ORDER BY name)) \
        FROM pg_catalog.pg_settings WHERE name NOT LIKE '%.%'), \
    (SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_statements), \
    (SELECT pg_catalog.count(*) FROM pg_catalog.pg_cursors WHERE name <> ''), \
    (SELECT pg_catalog.count(*) FROM pg_catalog.pg_listening_channels()), \
    pg_catalog.pg_my_temp_schema(), current_user, session_user, \
    pg_catalog.pg_current_xact_id_if_assigned(), \
    (SELECT pg_catalog.string_agg(DISTINCT locktype || ' ' || mode, ', ') FROM pg_catalog.pg_locks \
        WHERE pid = pg_catalog.pg_backend_pid() AND locktype <> 'virtualxid' \
        AND mode <> 'AccessShareLock')";

/// `FirstNormalObjectId` of the server's `access/transam.h`.
const FIRST_OF_USER: u32 = 16384;

/// Tags of commands that are about the session or the transaction, whatever can be seen of it.
const STATE_TAGS: [&str; 26] = [
    "BEGIN",
    "CLOSE CURSOR",
    "CLOSE CURSOR ALL",
    "COMMIT",
    "COMMIT PREPARED",
    "DEALLOCATE",
    "DEALLOCATE ALL",
    "DECLARE CURSOR",
    "DISCARD",
    "DISCARD ALL",
    "DISCARD PLANS",
    "DISCARD SEQUENCES",
    "DISCARD TEMP",
    "FETCH",
    "LISTEN",
    "LOAD",
    "MOVE",
    "PREPARE",
    "PREPARE TRANSACTION",
    "RELEASE",
    "RESET",
    "ROLLBACK",
    "SAVEPOINT",
    "SET",
    "SET CONSTRAINTS",
    "START TRANSACTION",
];

/// One instance, and the sessions in which statements are tried.
#[derive(Debug)]
pub(crate) struct Standby {
    target: Target,
    /// What every session has been told first: the settings of the script's session.
    prelude: Vec<String>,
    session: Option<Session>,
}

#[derive(Debug)]
struct Session {
    wire: Wire,
    alone: Vec<Option<String>>,
    in_transaction: Vec<Option<String>>,
}

/// What a try has shown.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    pub(crate) truth: Truth,
    /// The server's words, or the locks.
    pub(crate) why: String,
    /// The server's name of the command says it.
    is_said: bool,
}

impl Try {
    fn seen(truth: Truth, why: String) -> Self {
        Self { truth, why, is_said: false }
    }
}

impl Standby {
    pub(crate) fn new(target: Target) -> Self {
        Self { target, prelude: Vec::new(), session: None }
    }

    /// The script's session starts anew, maybe elsewhere.
    pub(crate) fn start_over(&mut self, database: &str) {
        database.clone_into(&mut self.target.database);
        self.prelude.clear();
        self.session = None;
    }

    /// The script's session was changed by this statement.
    pub(crate) fn follow(&mut self, sql: &str) {
        self.prelude.push(sql.to_owned());
        self.session = None;
    }

    /// Tries a statement. A lost connection is tried a second time.
    pub(crate) fn attempt(&mut self, sql: &str) -> Try {
        let found = self.once(sql).or_else(|_| self.once(sql));
        found.unwrap_or_else(|error| Try::seen(Truth::Unclear, error.to_string()))
    }

    fn once(&mut self, sql: &str) -> io::Result<Try> {
        // Taken out: a session that fails half way is not used again.
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.open()?,
        };
        let found = session.attempt(sql)?;
        if found.unchanged {
            self.session = Some(session);
        }
        Ok(found.tried)
    }

    fn open(&self) -> io::Result<Session> {
        let mut wire = Wire::connect(&self.target)?;
        for sql in &self.prelude {
            wire.query(sql)?;
        }
        let alone = state(&mut wire)?;
        wire.query("BEGIN")?;
        let in_transaction = state(&mut wire)?;
        wire.query("ROLLBACK")?;
        Ok(Session { wire, alone, in_transaction })
    }
}

/// What was found, and whether the session is as before.
struct Found {
    tried: Try,
    unchanged: bool,
}

fn state(wire: &mut Wire) -> io::Result<Vec<Option<String>>> {
    let answer = wire.query(STATE)?;
    match (answer.error, answer.rows.into_iter().next()) {
        (None, Some(row)) => Ok(row),
        (error, _) => Err(io::Error::other(format!("the state cannot be read: {error:?}"))),
    }
}

impl Session {
    /// First in a transaction, where locks and local settings can be seen; then alone.
    fn attempt(&mut self, sql: &str) -> io::Result<Found> {
        self.wire.query("BEGIN")?;
        let answer = self.wire.query(sql)?;
        if answer.status == 0 {
            return Err(io::Error::other("the server has ended the session"));
        }
        let mut found = judge(sql, &answer);
        if answer.status == b'T' && found.truth == Truth::Answered {
            let after = state(&mut self.wire)?;
            found = compare(&self.in_transaction, &after, found);
            found = self.unless_hidden(sql, found)?;
        }
        if answer.status != b'I' {
            self.wire.query("ROLLBACK")?;
        }
        // `25001`: it cannot run in a transaction.
        if answer.code() == Some("25001") || found.truth == Truth::Answered {
            return self.alone(sql);
        }
        let unchanged = state(&mut self.wire)? == self.alone;
        Ok(Found { tried: found, unchanged })
    }

    fn alone(&mut self, sql: &str) -> io::Result<Found> {
        let answer = self.wire.query(sql)?;
        if answer.status == 0 {
            return Err(io::Error::other("the server has ended the session"));
        }
        let found = judge(sql, &answer);
        if answer.status != b'I' {
            let why = "a transaction is open".to_owned();
            let tried = Try { truth: Truth::ChangesState, why, is_said: true };
            return Ok(Found { tried, unchanged: false });
        }
        let after = state(&mut self.wire)?;
        let unchanged = after == self.alone;
        let answered = found.truth == Truth::Answered;
        let tried = if answered { compare(&self.alone, &after, found) } else { found };
        let tried = self.unless_hidden(sql, tried)?;
        Ok(Found { tried, unchanged })
    }
}

impl Session {
    /// What was left of a statement that calls a function of the user may be the function's doing.
    fn unless_hidden(&mut self, sql: &str, found: Try) -> io::Result<Try> {
        let seen = matches!(found.truth, Truth::Locks | Truth::ChangesState);
        if !seen || found.is_said {
            return Ok(found);
        }
        let answer = self.wire.query(&format!(
            "SELECT pg_catalog.bool_or(pg_catalog.strpos($corpus${sql}$corpus$, proname || '(') > 0) \
             FROM pg_catalog.pg_proc WHERE oid >= {FIRST_OF_USER}"
        ))?;
        let hidden = answer.value(0) == "t";
        Ok(if hidden { Try { truth: Truth::Hidden, ..found } } else { found })
    }
}

fn compare(before: &[Option<String>], after: &[Option<String>], found: Try) -> Try {
    if before == after {
        return found;
    }
    let locks = after.last().and_then(Clone::clone);
    match locks {
        Some(why) if before.last() != after.last() => Try::seen(Truth::Locks, why),
        _ => Try::seen(Truth::ChangesState, format!("{before:?} became {after:?}")),
    }
}

fn judge(sql: &str, answer: &Answer) -> Try {
    if let Some(error) = &answer.error {
        let why = format!("{}: {}", error.code, error.message);
        return Try::seen(of_error(sql, error), why);
    }
    let truth = match answer.tags.iter().find(|tag| is_about_state(tag)) {
        Some(tag) if tag == "LOCK TABLE" => Truth::Locks,
        Some(_) => Truth::ChangesState,
        // "you don't own a lock": the session has none, and one that had would lose it.
        None if answer.warnings.iter().any(|text| text.starts_with("you don't own a lock")) => {
            Truth::NeedsSession
        }
        None => Truth::Answered,
    };
    Try { truth, why: answer.tags.join(", "), is_said: truth != Truth::Answered }
}

fn is_about_state(tag: &str) -> bool {
    tag == "LOCK TABLE" || STATE_TAGS.contains(&tag)
}

/// The codes of PostgreSQL's `errcodes.txt` and the messages of its source.
fn of_error(sql: &str, error: &ServerError) -> Truth {
    let says = |text: &str| error.message.contains(text);
    let recovering = says("recovery") || says("hot standby") || says("TransactionIds");
    let truth = match error.code.as_str() {
        "25006" => Truth::Refused,
        "55000" | "XX000" | "0A000" | "25001" if recovering => Truth::Refused,
        // No such cursor, prepared statement, savepoint; no transaction.
        "34000" | "26000" | "3B001" | "25P01" => Truth::NeedsSession,
        "55000" if says("in this session") => Truth::NeedsSession,
        _ => return Truth::Unclear,
    };
    if is_hidden(sql, error) { Truth::Hidden } else { truth }
}

/// Whether the reason is not in the text: it is in a function or view of the user, in a table that
/// is unlogged, or in a search path that begins with the schema of temporary objects.
fn is_hidden(sql: &str, error: &ServerError) -> bool {
    let says = |text: &str| error.message.contains(text);
    let called =
        error.message.strip_prefix("cannot execute ").and_then(|rest| rest.split_once("()"));
    let named = called.is_none_or(|(name, _)| {
        // The older name of the same function.
        sql.contains(name) || (name == "pg_current_xact_id" && sql.contains("txid_current"))
    });
    error.context.contains("function")
        || !named
        || says("unlogged relations")
        || (says("cannot create temporary tables") && sql.contains("current_schema"))
}
