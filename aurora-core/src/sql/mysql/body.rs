//! The walk through the tokens of one statement, at any depth of parentheses.
//!
//! The words that matter are reserved in MySQL and MariaDB: unquoted they cannot name a column or a
//! function, so a flat walk finds what nesting hides: locking clauses, `INTO`, changes of data
//! behind a `WITH`, assignments, and calls of functions with effects.

use super::cursor::Cursor;
use super::functions::{self, Known};
use super::token::{Kind, Token};
use crate::sql::part::Part;
use crate::sql::rules::Rules;

/// What the walk found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Findings {
    /// Everything found, merged; a plain read if nothing was.
    pub(super) part: Part,
    /// The statement could not be read to its end.
    pub(super) malformed: bool,
}

/// Walks to the `;` that ends the statement, or to the end of the text.
pub(super) fn walk(cursor: &mut Cursor<'_>, rules: &Rules) -> Findings {
    let mut walk = Walk { part: Part::read("a query"), depth: 0, with_list: 0 };
    loop {
        match cursor.current().kind {
            Kind::End | Kind::Semicolon => {
                return Findings { part: walk.part, malformed: walk.depth != 0 };
            }
            Kind::Bad => return Findings { part: walk.part, malformed: true },
            Kind::Open => walk.depth += 1,
            Kind::Close if walk.depth == 0 => {
                return Findings { part: walk.part, malformed: true };
            }
            Kind::Close => walk.close(),
            Kind::Word => walk.word(cursor, rules),
            Kind::Quoted => walk.name(cursor, rules),
            Kind::Assign => walk.add(ASSIGNS),
            Kind::Setting => walk.setting(cursor.current()),
            Kind::Comma
            | Kind::Dot
            | Kind::Number
            | Kind::Other
            | Kind::Param
            | Kind::Text
            | Kind::Variable => {}
        }
        cursor.advance();
    }
}

const ASSIGNS: Part = Part::session("it assigns a variable of the session").leaving();

struct Walk {
    part: Part,
    depth: usize,
    /// Bit *d* is set while the walk is in the list of a `WITH` at depth *d*.
    with_list: u64,
}

impl Walk {
    fn add(&mut self, part: Part) {
        self.part = self.part.and(part);
    }

    fn with_bit(&self) -> u64 {
        u32::try_from(self.depth).ok().and_then(|depth| 1_u64.checked_shl(depth)).unwrap_or(0)
    }

    fn close(&mut self) {
        self.with_list &= !self.with_bit();
        self.depth -= 1;
    }

    #[inline]
    fn word(&mut self, cursor: &Cursor<'_>, rules: &Rules) {
        let word = cursor.current();
        if cursor.previous().kind == Kind::Dot {
            return self.field(cursor, rules);
        }
        match (word.text.len(), word.text.first().map(|byte| byte | 0x20)) {
            (3, Some(b'f')) if word.is("for") => self.locking(cursor.next()),
            (4, Some(b'i')) if word.is("into") => self.into(cursor.next()),
            (4, Some(b'l')) if word.is("lock") && cursor.next().is("in") => {
                self.add(Part::lock("a locking clause"));
            }
            (4, Some(b'w'))
                if word.is("with") && matches!(cursor.previous().kind, Kind::Open | Kind::End) =>
            {
                self.with_list |= self.with_bit();
            }
            (5, Some(b'v')) if word.is("value") => self.sequence(cursor),
            (6, Some(b's' | b'v')) | (5, Some(b't'))
                if self.with_list != 0 && word.is_any(&["select", "values", "table"]) =>
            {
                self.with_list &= !self.with_bit();
            }
            (6, Some(b'i' | b'u' | b'd')) | (7, Some(b'r')) => self.changing(cursor),
            (19, Some(b's')) if word.is("sql_calc_found_rows") => {
                self.add(Part::session("SQL_CALC_FOUND_ROWS is for the next statement").leaving());
            }
            _ => {}
        }
        self.name(cursor, rules);
    }

    /// `FOR UPDATE`, `FOR SHARE`.
    fn locking(&mut self, next: &Token<'_>) {
        if next.is_any(&["update", "share"]) {
            self.add(Part::lock("a locking clause"));
        }
    }

    /// `SELECT … INTO @variable | OUTFILE | DUMPFILE`, and of course `INSERT INTO`.
    fn into(&mut self, next: &Token<'_>) {
        self.add(if next.kind == Kind::Variable {
            ASSIGNS
        } else if next.is_any(&["outfile", "dumpfile"]) {
            Part::doubtful("it writes a file of the server")
        } else {
            Part::doubtful("INTO stores rows")
        });
    }

    /// `NEXT VALUE FOR s`, `PREVIOUS VALUE FOR s`.
    fn sequence(&mut self, cursor: &Cursor<'_>) {
        if !cursor.next().is("for") {
            return;
        }
        self.add(if cursor.previous().is("next") {
            Part::write("it advances a sequence")
        } else {
            Part::following("it depends on what its session took from a sequence")
        });
    }

    /// Behind a `WITH`, or where no server would let it: a change of data is never a read.
    fn changing(&mut self, cursor: &Cursor<'_>) {
        let word = cursor.current();
        if cursor.previous().is("for") {
            return;
        }
        // INSERT and REPLACE are functions as well.
        let called = cursor.next().kind == Kind::Open && cursor.previous().kind != Kind::Close;
        if word.is_any(&["update", "delete"]) || (word.is_any(&["insert", "replace"]) && !called) {
            self.add(Part::write("it changes data"));
        }
    }

    /// `s.nextval` is how a sequence is advanced with `sql_mode = ORACLE`.
    fn field(&mut self, cursor: &Cursor<'_>, rules: &Rules) {
        if cursor.next().kind == Kind::Open {
            self.call(Some(cursor.before()), cursor, rules);
        } else if cursor.current().is("nextval") {
            self.add(Part::doubtful("it advances a sequence"));
        } else if cursor.current().is("currval") {
            self.add(Part::following("it depends on what its session took from a sequence"));
        }
    }

    /// A name: the call of a function.
    #[inline]
    fn name(&mut self, cursor: &Cursor<'_>, rules: &Rules) {
        if cursor.next().kind == Kind::Open {
            let qualified = cursor.previous().kind == Kind::Dot;
            self.call(qualified.then(|| cursor.before()), cursor, rules);
        }
    }

    fn call(&mut self, qualifier: Option<&Token<'_>>, cursor: &Cursor<'_>, rules: &Rules) {
        match functions::look_up(qualifier, cursor.current(), rules) {
            Known::Reads => {}
            Known::Has(part) => self.add(part),
            // With an argument it is set as well.
            Known::LastInsertId(part) if cursor.second().kind == Kind::Close => self.add(part),
            Known::LastInsertId(part) => self.add(part.leaving()),
            Known::Unknown if self.is_no_call(qualifier, cursor) => {}
            Known::Unknown if rules.unknown_is_write() => {
                self.add(Part::doubtful("it calls an unknown function"));
            }
            Known::Unknown => {
                self.add(Part { rerunnable: false, ..Part::read("it calls an unknown function") });
            }
        }
    }

    /// The names in front of a list of columns: `WITH a (x) AS`, `(…) AS a (x)`, `(…) a (x)`.
    fn is_no_call(&self, qualifier: Option<&Token<'_>>, cursor: &Cursor<'_>) -> bool {
        let previous = cursor.previous();
        let listed = self.with_list & self.with_bit() != 0
            && (previous.is_any(&["with", "recursive"]) || previous.kind == Kind::Comma);
        qualifier.is_none() && (listed || previous.kind == Kind::Close || previous.is("as"))
    }

    /// What the statement before left, and the session's own position.
    fn setting(&mut self, token: &Token<'_>) {
        let name = token.text.rsplit(|&byte| byte == b'.' || byte == b'@').next();
        let own: [&[u8]; 11] = [
            // The name itself is quoted, and comes behind.
            b"",
            b"session",
            b"local",
            b"global",
            b"identity",
            b"last_insert_id",
            b"warning_count",
            b"error_count",
            b"last_gtid",
            b"in_transaction",
            b"pseudo_thread_id",
        ];
        let name = name.unwrap_or_default();
        if own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            self.add(Part::following("it depends on the statement before"));
        }
    }
}
