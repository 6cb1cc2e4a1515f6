//! The other commands: settings, prepared statements, locks, data definition, administration.

use super::body;
use super::cursor::Cursor;
use super::statement::{self, Judged, unknown};
use super::token::Kind;
use super::{show, transaction};
use crate::sql::TransactionControl as Control;
use crate::sql::Verdict;
use crate::sql::effect::Step;
use crate::sql::part::Part;
use crate::sql::rules::Rules;

/// Data definition and maintenance. They commit the open transaction (MySQL 8.4 Reference Manual,
/// "Statements That Cause an Implicit Commit"; MariaDB: "SQL statements That Cause an Implicit
/// Commit").
const DEFINITION: Part = Part::write("data definition");
const MAINTENANCE: Part = Part::write("maintenance of tables");
const ADMINISTRATION: Part = Part::doubtful("it controls one instance");

/// Classifies by the command word, which is the current token.
pub(super) fn classify(cursor: &mut Cursor<'_>, rules: &Rules, word: &[u8]) -> Judged {
    match word {
        b"explain" | b"describe" | b"desc" => show::explain(cursor, rules),
        b"set" => set(cursor, rules),
        b"use" => Judged::stays(Part::session("USE changes the session").leaving()),
        b"do" => evaluate(cursor, rules),
        b"call" => {
            // It may leave a transaction open, and set variables.
            let part = Part::doubtful("a procedure may write").leaving();
            Judged::unclear(part).with(body::walk(cursor, rules))
        }
        b"help" => Judged::stays(Part::read("HELP reads")),
        b"checksum" => Judged::stays(Part::read("CHECKSUM TABLE reads")),
        b"handler" => handler(cursor, rules),
        b"prepare" | b"deallocate" => {
            Judged::stays(Part::session("a prepared statement belongs to its session").leaving())
        }
        b"execute" => {
            let part = Part::doubtful("EXECUTE hides its statement").leaving();
            Judged::unclear(part).with(body::walk(cursor, rules))
        }
        b"lock" => Judged::commits(Part::lock("LOCK TABLES").leaving()),
        b"unlock" => Judged::unclear(Part::session("UNLOCK TABLES").certain()),
        b"load" | b"import" => load(cursor, rules, word),
        b"create" | b"drop" | b"alter" | b"rename" | b"truncate" | b"grant" | b"revoke" => {
            define(cursor, rules, word)
        }
        b"analyze" => analyze(cursor, rules),
        b"optimize" | b"repair" | b"check" | b"cache" => Judged::commits(MAINTENANCE),
        b"flush" => flush(cursor),
        b"signal" | b"resignal" | b"get" => {
            Judged::stays(Part::following("it is about the statement before").leaving())
        }
        b"backup" => Judged::unclear(Part::lock("BACKUP locks").leaving()),
        b"kill" | b"reset" | b"purge" | b"change" | b"stop" | b"install" | b"uninstall"
        | b"shutdown" | b"restart" | b"clone" | b"binlog" => {
            Judged::unclear(ADMINISTRATION.leaving()).with(body::walk(cursor, rules))
        }
        _ => unknown(cursor),
    }
}

/// `DO expression, …`: evaluated for its effects.
fn evaluate(cursor: &mut Cursor<'_>, rules: &Rules) -> Judged {
    // `DO(1)` is no call.
    cursor.advance();
    let judged = Judged::stays(Part::read("DO evaluates")).with(body::walk(cursor, rules));
    if judged.part.rerunnable || judged.part.verdict != Verdict::Read {
        return judged;
    }
    let part = judged.part.and(Part::doubtful("DO calls a function for its effects"));
    Judged { part, ..judged }
}

/// `HANDLER t OPEN | READ | CLOSE`.
fn handler(cursor: &mut Cursor<'_>, rules: &Rules) -> Judged {
    let part = Part::session("a handler belongs to its session").leaving();
    Judged::stays(part).with(body::walk(cursor, rules))
}

/// `LOAD DATA`, `LOAD XML`, `LOAD INDEX INTO CACHE`, `IMPORT TABLE`.
fn load(cursor: &mut Cursor<'_>, rules: &Rules, word: &[u8]) -> Judged {
    if word == b"import" || cursor.next().is("index") {
        return Judged::commits(MAINTENANCE);
    }
    Judged::stays(Part::write("it changes data")).with(body::walk(cursor, rules))
}

/// `ANALYZE TABLE`, or MariaDB's `ANALYZE statement`.
fn analyze(cursor: &mut Cursor<'_>, rules: &Rules) -> Judged {
    cursor.advance();
    cursor.accept(&["local", "no_write_to_binlog"]);
    if cursor.current().is_any(&["table", "tables"]) {
        return Judged::commits(MAINTENANCE);
    }
    show::analyze(cursor, rules)
}

/// `FLUSH …`: some of it locks the tables of the session.
fn flush(cursor: &mut Cursor<'_>) -> Judged {
    let mut locks = false;
    while !cursor.at_end() {
        locks |= cursor.current().is("with") && cursor.next().is("read");
        locks |= cursor.current().is("for") && cursor.next().is("export");
        cursor.advance();
    }
    let part = Part::doubtful("FLUSH controls one instance");
    Judged::unclear(if locks { part.and(Part::lock("FLUSH locks tables")).leaving() } else { part })
}

/// `CREATE …`, `DROP …`, and the rest of data definition.
fn define(cursor: &mut Cursor<'_>, rules: &Rules, word: &[u8]) -> Judged {
    cursor.advance();
    if word == b"drop" && cursor.current().is("prepare") {
        let part = Part::session("a prepared statement belongs to its session");
        return Judged::stays(part.leaving());
    }
    if cursor.current().is("or") && cursor.next().is("replace") {
        cursor.advance();
        cursor.advance();
    }
    if cursor.current().is("temporary") {
        // Neither commits, nor is it refused by a reader, where nobody would find it.
        return Judged::stays(DEFINITION.leaving()).with(body::walk(cursor, rules));
    }
    if word != b"drop" && has_body(cursor) {
        return routine(cursor);
    }
    let step =
        if word == b"truncate" { Part::write("TRUNCATE empties tables") } else { DEFINITION };
    Judged::commits(step).with(body::walk(cursor, rules))
}

/// `[DEFINER = …] [AGGREGATE] FUNCTION | PROCEDURE | TRIGGER | EVENT | PACKAGE …`.
fn has_body(cursor: &Cursor<'_>) -> bool {
    let kinds = ["function", "procedure", "trigger", "event", "package"];
    if cursor.current().is_any(&kinds) || cursor.current().is("aggregate") {
        return true;
    }
    if !cursor.current().is("definer") {
        return false;
    }
    let mut ahead = cursor.clone();
    // `DEFINER = user@host`, `CURRENT_USER()`: a handful of tokens.
    for _ in 0..8 {
        ahead.advance();
        if ahead.current().is_any(&kinds) || ahead.current().is("aggregate") {
            return true;
        }
    }
    false
}

/// The body of a routine contains semicolons: where it ends is the server's affair.
fn routine(cursor: &mut Cursor<'_>) -> Judged {
    while !cursor.at_end() {
        cursor.advance();
    }
    let mut ahead = cursor.clone();
    while ahead.current().kind == Kind::Semicolon {
        ahead.advance();
    }
    if ahead.current().kind == Kind::End {
        return Judged::commits(DEFINITION);
    }
    statement::skip_text(cursor);
    Judged::unclear(DEFINITION.leaving())
}

/// `SET …`.
fn set(cursor: &mut Cursor<'_>, rules: &Rules) -> Judged {
    cursor.advance();
    if cursor.current().is("statement") {
        return set_statement(cursor, rules);
    }
    if cursor.current().is("password")
        || (cursor.current().is("default") && cursor.next().is("role"))
    {
        return Judged::commits(DEFINITION).with(body::walk(cursor, rules));
    }
    if cursor.current().is("transaction") {
        // For the next transaction only, which may come on another connection unless this is kept.
        let control = Control::SetTransaction { read_only: transaction::modes(cursor) };
        let part = Part::transaction(control).leaving();
        return Judged { part, step: Step::Control(control) };
    }
    let (global, autocommit) = scopes(cursor);
    let part = if global {
        Part::doubtful("it changes settings of one instance").leaving()
    } else {
        Part::session("SET changes the session").leaving()
    };
    // It begins or commits transactions, by a value that may be an expression.
    let judged = if autocommit { Judged::unclear(part) } else { Judged::stays(part) };
    judged.with(body::walk(cursor, rules))
}

/// Whether it sets something global, and whether it sets `autocommit`.
fn scopes(cursor: &Cursor<'_>) -> (bool, bool) {
    let mut ahead = cursor.clone();
    let (mut global, mut autocommit) = (false, false);
    while !ahead.at_end() {
        let token = ahead.current();
        global |= token.is_any(&["global", "persist", "persist_only"]);
        autocommit |= token.is_name() && contains(token.text, b"autocommit");
        if token.kind == Kind::Setting {
            global |= contains(token.text, b"global.") || contains(token.text, b"persist");
            autocommit |= contains(token.text, b"autocommit");
        }
        ahead.advance();
    }
    (global, autocommit)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// MariaDB's `SET STATEMENT variable = value, … FOR statement`.
fn set_statement(cursor: &mut Cursor<'_>, rules: &Rules) -> Judged {
    let assigned = cursor.clone();
    cursor.seek(&["for"]);
    cursor.accept(&["for"]);
    // Nesting ends here, so that hostile text cannot make the scanner recurse.
    if cursor.at_end() || cursor.current().is_any(&["set", "explain", "describe", "desc"]) {
        return unknown(cursor);
    }
    cursor.begin_statement();
    let judged = statement::classify(cursor, rules);
    // The values are expressions.
    judged.with(body::walk(&mut assigned.clone(), rules))
}
