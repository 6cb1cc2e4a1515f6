//! One statement: which command it is.

use super::body::{self, Findings};
use super::cursor::Cursor;
use super::token::Kind;
use super::{show, transaction, utility};
use crate::sql::TransactionControl as Control;
use crate::sql::effect::Step;
use crate::sql::part::Part;
use crate::sql::rules::Rules;

/// What one statement is, and what it does to the transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    pub(super) part: Part,
    pub(super) step: Step,
}

impl Judged {
    /// It does nothing to the transaction.
    pub(super) fn stays(part: Part) -> Self {
        Self { part, step: Step::Stay }
    }

    /// What it does to the transaction is not known.
    pub(super) fn unclear(part: Part) -> Self {
        Self { part, step: Step::Unknown }
    }

    /// It commits the open transaction before it does anything else.
    pub(super) fn commits(part: Part) -> Self {
        Self { part, step: Step::Control(Control::Commit) }
    }

    pub(super) fn control(control: Control) -> Self {
        Self { part: Part::transaction(control), step: Step::Control(control) }
    }

    /// The rest of the text cannot be read.
    pub(super) fn malformed(part: Part) -> Self {
        Self { part: Part::malformed().and(part), step: Step::Malformed }
    }

    /// The same, and what was found inside happens, too.
    pub(super) fn with(self, findings: Findings) -> Self {
        let part = self.part.and(findings.part);
        if findings.malformed { Self::malformed(part) } else { Self { part, ..self } }
    }
}

/// Classifies the statement at the cursor and moves to the `;` behind it.
pub(super) fn classify(cursor: &mut Cursor<'_>, rules: &Rules) -> Judged {
    let judged = command(cursor, rules);
    if judged.step == Step::Malformed {
        return judged;
    }
    // What the command did not look at must be well formed, too.
    let rest = body::walk(cursor, rules);
    if rest.malformed { Judged::malformed(judged.part) } else { judged }
}

fn command(cursor: &mut Cursor<'_>, rules: &Rules) -> Judged {
    if cursor.current().kind == Kind::Open {
        return parenthesised(cursor, rules);
    }
    let folded = cursor.folded();
    let word = folded.text();
    match word {
        b"select" | b"values" | b"table" | b"with" => query(cursor, rules),
        b"insert" | b"update" | b"delete" | b"replace" | b"merge" => {
            Judged::stays(Part::write("it changes data")).with(body::walk(cursor, rules))
        }
        b"begin" | b"start" | b"commit" | b"rollback" | b"savepoint" | b"release" | b"xa" => {
            transaction::classify(cursor, word)
        }
        b"show" => show::classify(cursor, rules),
        _ => utility::classify(cursor, rules, word),
    }
}

/// `(SELECT …) UNION …`: a query if its first word is one.
fn parenthesised(cursor: &mut Cursor<'_>, rules: &Rules) -> Judged {
    let mut ahead = cursor.clone();
    while ahead.current().kind == Kind::Open {
        ahead.advance();
    }
    if is_query(&ahead) { query(cursor, rules) } else { unknown(cursor) }
}

/// Whether a query begins here.
pub(super) fn is_query(cursor: &Cursor<'_>) -> bool {
    cursor.current().is_any(&["select", "values", "table", "with"])
}

/// `SELECT`, `VALUES`, `TABLE`, `WITH`.
pub(super) fn query(cursor: &mut Cursor<'_>, rules: &Rules) -> Judged {
    Judged::stays(Part::read("a query")).with(body::walk(cursor, rules))
}

/// A command that is in no list of ours: everything bad is possible. It may be a block, which
/// contains semicolons, so it is the rest of the text.
pub(super) fn unknown(cursor: &mut Cursor<'_>) -> Judged {
    skip_text(cursor);
    Judged::unclear(Part::doubtful("not a statement we know").leaving())
}

/// Moves to the end of the text.
pub(super) fn skip_text(cursor: &mut Cursor<'_>) {
    while cursor.current().kind != Kind::End {
        cursor.advance();
    }
}
