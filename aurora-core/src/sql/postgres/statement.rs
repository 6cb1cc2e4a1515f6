//! One statement: which command it is.

use super::body::{self, Findings};
use super::cursor::Cursor;
use super::token::Kind;
use super::transaction;
use super::utility;
use crate::sql::TransactionControl as Control;
use crate::sql::effect::Step;
use crate::sql::part::Part;
use crate::sql::rules::Rules;

/// Classifies the statement at the cursor and moves to the `;` behind it.
pub(crate) fn classify(cursor: &mut Cursor<'_>, rules: &Rules) -> (Part, Step) {
    let (part, step) = command(cursor, rules);
    // What the command did not look at must be well formed, too.
    let rest = body::walk(cursor, rules, false);
    if rest.malformed { (Part::malformed().and(part), Step::Malformed) } else { (part, step) }
}

fn command(cursor: &mut Cursor<'_>, rules: &Rules) -> (Part, Step) {
    if cursor.current().kind == Kind::Open {
        return parenthesised(cursor, rules);
    }
    let folded = cursor.folded();
    let word = folded.text();
    if matches!(word, b"select" | b"values" | b"table" | b"with") {
        return of(query(cursor, rules));
    }
    if let Some(reason) = writing(word) {
        return of(write(cursor, rules, reason));
    }
    if let Some(control) = control(cursor, word) {
        return (Part::transaction(control), Step::Control(control));
    }
    utility::classify(cursor, rules, word)
}

/// The statement as found, if it could be read to its end.
pub(crate) fn of(findings: Findings) -> (Part, Step) {
    if findings.malformed {
        (Part::malformed().and(findings.part), Step::Malformed)
    } else {
        (findings.part, Step::Stay)
    }
}

/// `(SELECT …) UNION …`: a query if its first word is one.
fn parenthesised(cursor: &mut Cursor<'_>, rules: &Rules) -> (Part, Step) {
    let mut ahead = cursor.clone();
    while ahead.current().kind == Kind::Open {
        ahead.advance();
    }
    if ahead.current().is_any(&["select", "values", "table", "with"]) {
        of(query(cursor, rules))
    } else {
        (unknown(), Step::Unknown)
    }
}

/// A command that is in no list of ours: everything bad is possible.
pub(crate) fn unknown() -> Part {
    Part::doubtful("not a statement we know").leaving()
}

/// `SELECT`, `VALUES`, `TABLE`, `WITH`.
pub(crate) fn query(cursor: &mut Cursor<'_>, rules: &Rules) -> Findings {
    body::walk(cursor, rules, false)
}

/// A command that writes; its body may do something to the session on top.
fn write(cursor: &mut Cursor<'_>, rules: &Rules, reason: &'static str) -> Findings {
    let findings = body::walk(cursor, rules, false);
    Findings { part: Part::write(reason).and(findings.part), ..findings }
}

/// Commands that are refused by every reader, or only make sense on the writer.
fn writing(word: &[u8]) -> Option<&'static str> {
    Some(match word {
        b"insert" | b"update" | b"delete" | b"merge" => "it changes data",
        b"truncate" => "TRUNCATE empties tables",
        b"alter" | b"comment" | b"drop" | b"grant" | b"import" | b"reassign" | b"revoke"
        | b"security" => "data definition",
        b"analyze" | b"analyse" | b"checkpoint" | b"cluster" | b"refresh" | b"reindex"
        | b"vacuum" => "maintenance of the database",
        b"notify" => "NOTIFY is refused by a reader",
        _ => return None,
    })
}

/// Transaction control; leaves the cursor inside the statement.
fn control(cursor: &mut Cursor<'_>, word: &[u8]) -> Option<Control> {
    match word {
        b"start" if !cursor.next().is("transaction") => return None,
        b"begin" | b"start" | b"commit" | b"end" | b"rollback" | b"abort" | b"savepoint"
        | b"release" => cursor.advance(),
        b"prepare" => {
            cursor.advance();
            return transaction::is_prepare_transaction(cursor).then_some(Control::Prepare);
        }
        _ => return None,
    }
    Some(match word {
        b"begin" | b"start" => transaction::begin(cursor),
        b"commit" | b"end" => transaction::commit(cursor),
        b"rollback" | b"abort" => transaction::rollback(cursor),
        b"savepoint" => Control::Savepoint,
        _ => Control::ReleaseSavepoint,
    })
}
