//! The other commands: settings, cursors, prepared statements, `COPY`, `EXPLAIN`, `CREATE`.

use super::body::{self, Findings, is_temporary_schema};
use super::cursor::Cursor;
use super::statement::{of, query, unknown};
use super::token::{Kind, Token};
use super::transaction;
use crate::sql::TransactionControl as Control;
use crate::sql::Verdict;
use crate::sql::effect::Step;
use crate::sql::part::Part;
use crate::sql::rules::Rules;

/// Classifies by the command word, which is the current token (or just behind, for `PREPARE`).
pub(crate) fn classify(cursor: &mut Cursor<'_>, rules: &Rules, word: &[u8]) -> (Part, Step) {
    let part = match word {
        b"show" => Part::read("SHOW reads a setting"),
        b"set" => return set(cursor),
        b"reset" => Part::session("RESET changes the session").leaving(),
        b"discard" => Part::session("DISCARD changes the session").leaving(),
        b"load" => Part::session("LOAD changes the session").leaving(),
        b"listen" => Part::session("LISTEN is refused by a reader").certain().leaving(),
        b"unlisten" => Part::session("UNLISTEN changes the session"),
        b"prepare" => Part::session("PREPARE belongs to the session").leaving(),
        b"deallocate" => Part::session("DEALLOCATE changes the session").leaving(),
        b"fetch" | b"move" | b"close" => Part::session("a cursor belongs to its session"),
        b"declare" => return declare(cursor, rules),
        b"execute" => {
            return with_body(cursor, rules, Part::doubtful("EXECUTE hides its statement"));
        }
        b"call" => return with_body(cursor, rules, Part::doubtful("a procedure may write")),
        // The block is text to the server as well; it may contain SET.
        b"do" => Part::doubtful("a code block may write").leaving(),
        b"lock" => Part::lock("LOCK TABLE"),
        b"copy" => return copy(cursor, rules),
        b"create" => return create(cursor, rules),
        b"explain" => return explain(cursor, rules),
        _ => return (unknown(), Step::Unknown),
    };
    (part, Step::Stay)
}

/// A command and what is found in its arguments.
fn with_body(cursor: &mut Cursor<'_>, rules: &Rules, part: Part) -> (Part, Step) {
    let (found, step) = of(body::walk(cursor, rules, false));
    (part.and(found), step)
}

/// `SET [SESSION | LOCAL] …`.
fn set(cursor: &mut Cursor<'_>) -> (Part, Step) {
    cursor.advance();
    let is_scope = cursor.next().is_name() && !cursor.next().is("to");
    let local = is_scope && cursor.accept(&["local"]);
    if is_scope
        && cursor.next().is_name()
        && !cursor.next().is_any(&["authorization", "characteristics"])
    {
        cursor.accept(&["session"]);
    }
    let modes = ["isolation", "read", "not", "deferrable", "snapshot"];
    if cursor.current().is("transaction") && cursor.next().is_any(&modes) {
        let control = Control::SetTransaction { read_only: transaction::modes(cursor) };
        return (Part::transaction(control), Step::Control(control));
    }
    let characteristics = cursor.current().is("session") && cursor.next().is("characteristics");
    let part = Part::session("SET changes the session");
    let ends_with_transaction = (local && !characteristics) || cursor.current().is("constraints");
    (if ends_with_transaction { part } else { part.leaving() }, Step::Stay)
}

/// `DECLARE name … CURSOR [WITH HOLD] FOR query`: the query runs as it is fetched.
fn declare(cursor: &mut Cursor<'_>, rules: &Rules) -> (Part, Step) {
    let mut held = false;
    while !cursor.at_end() && !cursor.current().is("for") {
        held |= cursor.current().is("with") && cursor.next().is("hold");
        cursor.advance();
    }
    cursor.accept(&["for"]);
    cursor.begin_statement();
    let part = Part::session("a cursor belongs to its session");
    let (found, step) = of(query(cursor, rules));
    ((if held { part.leaving() } else { part }).and(found), step)
}

/// `COPY table | (query) FROM | TO STDIN | STDOUT | 'file' | PROGRAM 'command'`.
fn copy(cursor: &mut Cursor<'_>, rules: &Rules) -> (Part, Step) {
    let mut ahead = cursor.clone();
    let mut depth = 0_usize;
    loop {
        ahead.advance();
        if depth == 0 && ahead.current().is_any(&["from", "to"]) {
            break;
        }
        match ahead.current().kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Semicolon | Kind::End | Kind::Bad => return (unknown(), Step::Unknown),
            Kind::Cast
            | Kind::Comma
            | Kind::Dot
            | Kind::Escaped
            | Kind::Number
            | Kind::Other
            | Kind::Param
            | Kind::Quoted
            | Kind::Text
            | Kind::Word => {}
        }
    }
    let stream = ahead.next().is_any(&["stdin", "stdout"]);
    let part = match (ahead.current().is("to"), stream) {
        (true, true) => Part::read("COPY TO STDOUT reads"),
        (true, false) => Part::doubtful("COPY TO writes a file of the server"),
        // The server stays in copy mode until the client ends the stream.
        (false, true) => Part::write("COPY FROM writes").leaving(),
        (false, false) => Part::write("COPY FROM writes"),
    };
    cursor.advance();
    if cursor.current().kind == Kind::Open {
        return with_body(cursor, rules, part);
    }
    // A table: its column list looks like a call, so only the schema matters.
    cursor.accept(&["binary"]);
    let temporary = is_temporary_schema(cursor.current());
    let session = Part::session("temporary objects belong to their session");
    (if temporary { part.and(session) } else { part }, Step::Stay)
}

/// `CREATE …`: data definition; temporary objects stay in the session.
fn create(cursor: &mut Cursor<'_>, rules: &Rules) -> (Part, Step) {
    cursor.advance();
    if cursor.current().is("or") && cursor.next().is("replace") {
        cursor.advance();
        cursor.advance();
    }
    let routine = cursor.current().is_any(&["function", "procedure"]);
    cursor.accept(&["local", "global"]);
    let mut temporary = cursor.current().is_any(&["temp", "temporary"]);
    let mut ahead = cursor.clone();
    // The name of the object comes before the first parenthesis.
    while !ahead.at_end() && ahead.current().kind != Kind::Open && !temporary {
        temporary = is_temporary_schema(ahead.current());
        ahead.advance();
    }
    let part = Part::write("data definition");
    let (found, step) = of(body::walk(cursor, rules, routine));
    ((if temporary { part.leaving() } else { part }).and(found), step)
}

/// `EXPLAIN` plans; `EXPLAIN ANALYZE` executes.
fn explain(cursor: &mut Cursor<'_>, rules: &Rules) -> (Part, Step) {
    let executes = explain_options(cursor);
    cursor.begin_statement();
    let current = cursor.current();
    if executes {
        // Nesting ends here, so that hostile text cannot make the scanner recurse.
        if current.is("explain") {
            return (unknown(), Step::Unknown);
        }
        return super::statement::classify(cursor, rules);
    }
    if current.is("declare") {
        // Only its query is planned; no cursor is made.
        while !cursor.at_end() && !cursor.current().is("for") {
            cursor.advance();
        }
        cursor.accept(&["for"]);
        cursor.begin_statement();
    }
    if cursor.current().is("create") && !to_query(cursor) {
        return (Part::doubtful("EXPLAIN of a statement that is no query"), Step::Stay);
    }
    let current = cursor.current();
    let queries = ["select", "values", "table", "with"];
    let part = if current.kind == Kind::Open || current.is_any(&queries) {
        return explain_plan(cursor, rules);
    } else if current.is_any(&["insert", "update", "delete", "merge"]) {
        Part::read_lock("EXPLAIN locks what its statement would")
    } else if current.is("execute") {
        Part::session("a prepared statement belongs to its session")
    } else {
        Part::doubtful("EXPLAIN of a statement that is no query")
    };
    (part, Step::Stay)
}

/// Moves to the query of `CREATE TABLE … AS`, `CREATE MATERIALIZED VIEW … AS`, of which only that is
/// planned. `AS` is reserved and stands nowhere before.
fn to_query(cursor: &mut Cursor<'_>) -> bool {
    while !cursor.at_end() && !cursor.current().is("as") {
        cursor.advance();
    }
    let found = cursor.accept(&["as"]);
    cursor.begin_statement();
    found
}

/// A plan of a query that is not executed: no function with effects is called, but the tables are
/// locked as if it were.
fn explain_plan(cursor: &mut Cursor<'_>, rules: &Rules) -> (Part, Step) {
    let findings = body::walk_plan(cursor, rules);
    let part = match findings.part.verdict {
        Verdict::Read => Part::read("EXPLAIN without ANALYZE only plans"),
        _ => Part::read_lock("EXPLAIN locks what its statement would"),
    };
    of(Findings { part, ..findings })
}

/// Steps over the options; says whether the statement is executed.
fn explain_options(cursor: &mut Cursor<'_>) -> bool {
    cursor.advance();
    let mut executes = false;
    let queries = ["select", "values", "table", "with"];
    let options = cursor.current().kind == Kind::Open
        && cursor.next().kind != Kind::Open
        && !cursor.next().is_any(&queries);
    if !options {
        while cursor.current().is_any(&["analyze", "analyse", "verbose"]) {
            executes |= !cursor.current().is("verbose");
            cursor.advance();
        }
        return executes;
    }
    while !cursor.at_end() && cursor.current().kind != Kind::Close {
        cursor.advance();
        executes |= is_analyze(cursor.current()) && !is_off(cursor.next());
    }
    if cursor.current().kind == Kind::Close {
        cursor.advance();
    }
    executes
}

/// An option's name may be quoted; one with escapes may be any.
fn is_analyze(token: &Token<'_>) -> bool {
    token.is_any(&["analyze", "analyse"])
        || token.kind == Kind::Escaped
        || (token.kind == Kind::Quoted && token.text == b"\"analyze\"")
}

fn is_off(token: &Token<'_>) -> bool {
    token.is_any(&["off", "false"]) || (token.kind == Kind::Number && token.text == b"0")
}
