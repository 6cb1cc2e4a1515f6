//! Transaction control: `BEGIN`, `START TRANSACTION`, `COMMIT`, `ROLLBACK`, savepoints, `XA`.

use super::cursor::Cursor;
use super::statement::{Judged, unknown};
use crate::sql::TransactionControl as Control;
use crate::sql::effect::Step;
use crate::sql::part::Part;

/// Classifies by the command word, which is the current token.
pub(super) fn classify(cursor: &mut Cursor<'_>, word: &[u8]) -> Judged {
    if word == b"xa" {
        return xa(cursor);
    }
    cursor.advance();
    match word {
        b"begin" => begin(cursor),
        b"start" if cursor.current().is("transaction") => {
            Judged::control(Control::Begin { read_only: modes(cursor) })
        }
        // START SLAVE, START REPLICA, START GROUP_REPLICATION
        b"start" => Judged::unclear(Part::doubtful("it controls one instance")),
        b"savepoint" => Judged::control(Control::Savepoint),
        b"release" => Judged::control(Control::ReleaseSavepoint),
        b"commit" => end(cursor, Control::Commit, Control::CommitAndChain),
        _ => rollback(cursor),
    }
}

/// `BEGIN [WORK]`; what else begins with it is a block of statements (`BEGIN NOT ATOMIC`, or any
/// with `sql_mode = ORACLE`).
fn begin(cursor: &mut Cursor<'_>) -> Judged {
    cursor.accept(&["work"]);
    if cursor.at_end() {
        Judged::control(Control::Begin { read_only: None })
    } else {
        unknown(cursor)
    }
}

/// `READ ONLY | READ WRITE`, `WITH CONSISTENT SNAPSHOT`, `ISOLATION LEVEL …`.
pub(super) fn modes(cursor: &mut Cursor<'_>) -> Option<bool> {
    let mut read_only = None;
    while !cursor.at_end() {
        if cursor.current().is("read") && cursor.next().is("only") {
            read_only = Some(true);
        } else if cursor.current().is("read") && cursor.next().is("write") {
            read_only = Some(false);
        }
        cursor.advance();
    }
    read_only
}

fn rollback(cursor: &mut Cursor<'_>) -> Judged {
    cursor.accept(&["work"]);
    if cursor.current().is("to") {
        Judged::control(Control::RollbackToSavepoint)
    } else {
        end(cursor, Control::Rollback, Control::RollbackAndChain)
    }
}

/// `[WORK] [AND [NO] CHAIN] [[NO] RELEASE]`; `RELEASE` ends the session.
fn end(cursor: &mut Cursor<'_>, plain: Control, chained: Control) -> Judged {
    cursor.accept(&["work"]);
    let mut control = plain;
    if cursor.accept(&["and"]) {
        control = if cursor.accept(&["no"]) { plain } else { chained };
        cursor.accept(&["chain"]);
    }
    let judged = Judged::control(control);
    if cursor.current().is("release") {
        return Judged { part: judged.part.leaving(), ..judged };
    }
    judged
}

/// `XA START | BEGIN | END | PREPARE | COMMIT | ROLLBACK | RECOVER`. Until it is committed, a
/// prepared transaction may keep its session from anything else.
fn xa(cursor: &mut Cursor<'_>) -> Judged {
    cursor.advance();
    let folded = cursor.folded();
    let control = match folded.text() {
        b"start" | b"begin" => Control::Begin { read_only: None },
        b"prepare" => Control::Prepare,
        b"commit" => Control::CommitPrepared,
        b"rollback" => Control::RollbackPrepared,
        b"end" => return Judged::stays(Part::session("XA END").certain().leaving()),
        b"recover" => {
            return Judged::stays(Part::session("it tells of one instance's transactions"));
        }
        _ => return unknown(cursor),
    };
    let part = Part::transaction(control).leaving();
    Judged { part, step: Step::Control(control) }
}
