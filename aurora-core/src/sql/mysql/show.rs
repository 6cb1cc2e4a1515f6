//! `SHOW`, `DESCRIBE` and `EXPLAIN`: what there is, and how a statement would be executed.

use super::body;
use super::cursor::Cursor;
use super::statement::{self, Judged, is_query, query};
use super::token::Kind;
use crate::sql::part::Part;
use crate::sql::rules::Rules;

/// `SHOW …`: reads, but for what belongs to the session, or to one instance.
pub(super) fn classify(cursor: &mut Cursor<'_>, rules: &Rules) -> Judged {
    cursor.advance();
    let counted = cursor.current().is("count");
    let kind = cursor.current();
    let part = if counted || kind.is_any(&["warnings", "errors"]) {
        Part::following("it depends on the statement before")
    } else if kind.is_any(&["profile", "profiles"]) {
        Part::session("profiles belong to the session")
    } else if kind.is_any(&["explain", "analyze"]) {
        Part::session("a connection belongs to one instance")
    } else if kind.is_any(&["binary", "binlog", "master"]) {
        Part::session("every instance has a log of its own")
    } else {
        Part::read("SHOW reads")
    };
    // COUNT is no function here, and ON, FOR and GRANTS have no meaning that the walk knows.
    if counted {
        while !cursor.at_end() {
            cursor.advance();
        }
    }
    Judged::stays(part).with(body::walk(cursor, rules))
}

/// `EXPLAIN`, `DESCRIBE`, `DESC`.
pub(super) fn explain(cursor: &mut Cursor<'_>, rules: &Rules) -> Judged {
    cursor.advance();
    if cursor.current().is("for") {
        return Judged::stays(Part::session("a connection belongs to one instance"));
    }
    let executes = cursor.current().is("analyze");
    if executes {
        cursor.advance();
    }
    options(cursor);
    explained(cursor, rules, executes)
}

/// MariaDB's `ANALYZE [FORMAT = …] statement`, which executes it; the current token is behind it.
pub(super) fn analyze(cursor: &mut Cursor<'_>, rules: &Rules) -> Judged {
    options(cursor);
    explained(cursor, rules, true)
}

/// `EXTENDED`, `PARTITIONS`, `FORMAT = …`, `INTO @variable`, `FOR SCHEMA …`.
fn options(cursor: &mut Cursor<'_>) {
    cursor.accept(&["extended", "partitions"]);
    if cursor.current().is("format") && cursor.next().kind == Kind::Other {
        cursor.advance();
        cursor.advance();
        cursor.advance();
    }
}

/// The statement behind `EXPLAIN`. Planning may execute parts of a query, so what is found in
/// it counts even where it is not executed.
fn explained(cursor: &mut Cursor<'_>, rules: &Rules, executes: bool) -> Judged {
    if cursor.current().is_any(&["explain", "describe", "desc", "analyze"]) {
        // Nesting ends here, so that hostile text cannot make the scanner recurse.
        return statement::unknown(cursor);
    }
    let mut ahead = cursor.clone();
    while ahead.current().kind == Kind::Open {
        ahead.advance();
    }
    if is_query(&ahead) && !is_table_name(cursor) {
        query(cursor, rules)
    } else if cursor.current().is_any(&["insert", "update", "delete", "replace"]) {
        // A reader refuses it although nothing would be written.
        Judged::stays(Part::write("EXPLAIN of a change of data")).with(body::walk(cursor, rules))
    } else if cursor.current().is_name() && !executes {
        Judged::stays(Part::read("DESCRIBE reads")).with(body::walk(cursor, rules))
    } else {
        statement::unknown(cursor)
    }
}

/// `DESCRIBE values`: a name that is no reserved word.
fn is_table_name(cursor: &Cursor<'_>) -> bool {
    matches!(cursor.next().kind, Kind::End | Kind::Semicolon)
}
