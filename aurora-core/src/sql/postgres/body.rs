//! The walk through the tokens of one statement, at any depth of parentheses.
//!
//! PostgreSQL's reserved words cannot be columns or functions unless quoted, so a flat walk finds
//! what nesting hides: data-modifying CTEs, locking clauses, `INTO`, and calls of functions with
//! effects. Where a word can be both, it is taken for the dangerous one.

use super::cursor::Cursor;
use super::functions::{self, Known};
use super::literal;
use super::token::{Kind, Token};
use crate::sql::part::Part;
use crate::sql::rules::Rules;

/// The longest look ahead, in tokens, for the arguments of one call: keeps the walk linear.
const LOOK_AHEAD: usize = 64;

/// What the walk found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Findings {
    /// Everything found, merged; a plain read if nothing was.
    pub(crate) part: Part,
    /// The statement could not be read to its end.
    pub(crate) malformed: bool,
}

/// Walks to the `;` that ends the statement, or to the end of the text.
///
/// `routine`: the statement is `CREATE FUNCTION` or `CREATE PROCEDURE`, whose `BEGIN ATOMIC … END`
/// body contains semicolons. `psql` finds the end of such a body in the same way.
pub(crate) fn walk(cursor: &mut Cursor<'_>, rules: &Rules, routine: bool) -> Findings {
    Walk::new(true).run(cursor, rules, routine)
}

/// As [`walk`], of a query that is planned only: what its functions do does not matter.
pub(crate) fn walk_plan(cursor: &mut Cursor<'_>, rules: &Rules) -> Findings {
    Walk::new(false).run(cursor, rules, false)
}

struct Walk {
    part: Part,
    depth: usize,
    /// Bit *d* is set while the walk is in the list of a `WITH` at depth *d*.
    with_list: u64,
    /// Open `BEGIN ATOMIC` and `CASE` blocks of a routine's body.
    blocks: usize,
    /// The walk is in a path of fields that begins at an expression: `(a).b.c`, `a[1].b`, `$1.b`.
    field: bool,
    /// Whether functions are called, and so matter.
    calls: bool,
}

impl Walk {
    fn new(calls: bool) -> Self {
        let part = Part::read("a query");
        Self { part, depth: 0, with_list: 0, blocks: 0, field: false, calls }
    }

    fn run(mut self, cursor: &mut Cursor<'_>, rules: &Rules, routine: bool) -> Findings {
        loop {
            match cursor.current().kind {
                Kind::End => return self.finish(),
                Kind::Bad => return Findings { part: self.part, malformed: true },
                Kind::Semicolon if self.depth == 0 && self.blocks == 0 => return self.finish(),
                Kind::Open => self.depth += 1,
                Kind::Close if self.depth == 0 => {
                    return Findings { part: self.part, malformed: true };
                }
                Kind::Close => self.close(),
                Kind::Word => {
                    if routine && self.depth == 0 {
                        self.block(cursor);
                    }
                    self.word(cursor, rules);
                }
                Kind::Quoted => self.name(cursor, rules),
                Kind::Dot => self.dot(cursor),
                Kind::Escaped => self.escaped(cursor),
                Kind::Cast
                | Kind::Comma
                | Kind::Number
                | Kind::Other
                | Kind::Param
                | Kind::Semicolon
                | Kind::Text => {}
            }
            cursor.advance();
        }
    }

    fn add(&mut self, part: Part) {
        self.part = self.part.and(part);
    }

    fn finish(self) -> Findings {
        Findings { malformed: self.depth != 0 || self.blocks != 0, part: self.part }
    }

    fn with_bit(&self) -> u64 {
        u32::try_from(self.depth).ok().and_then(|depth| 1_u64.checked_shl(depth)).unwrap_or(0)
    }

    fn close(&mut self) {
        self.with_list &= !self.with_bit();
        self.depth -= 1;
    }

    fn block(&mut self, cursor: &Cursor<'_>) {
        let word = cursor.current();
        let opens = (word.is("begin") && cursor.next().is("atomic"))
            || (self.blocks > 0 && word.is("case"));
        if opens {
            self.blocks += 1;
        } else if word.is("end") {
            self.blocks = self.blocks.saturating_sub(1);
        }
    }

    #[inline]
    fn word(&mut self, cursor: &Cursor<'_>, rules: &Rules) {
        let word = cursor.current();
        match (word.text.len(), word.text.first().map(|byte| byte | 0x20)) {
            (3, Some(b'f')) if word.is("for") => self.locking(cursor.next()),
            (4, Some(b'i')) if word.is("into") => self.into(cursor),
            (4, Some(b'w')) if word.is("with") => {
                if matches!(cursor.previous().kind, Kind::Open | Kind::End) {
                    self.with_list |= self.with_bit();
                }
            }
            (6, Some(b's' | b'v')) | (5, Some(b't'))
                if self.with_list != 0 && word.is_any(&["select", "values", "table"]) =>
            {
                self.with_list &= !self.with_bit();
            }
            (6, Some(b'i' | b'u' | b'd')) | (5, Some(b'm')) => self.data_modifying(cursor),
            (12, Some(b'p')) if word.is("pg_sequences") => {
                self.add(Part::read_lock("the view pg_sequences locks sequences"));
            }
            _ => {}
        }
        self.name(cursor, rules);
    }

    /// `FOR UPDATE`, `FOR NO KEY UPDATE`, `FOR SHARE`, `FOR KEY SHARE`. (`substring(a FOR share)`
    /// with a column of that name is taken for one too.)
    fn locking(&mut self, next: &Token<'_>) {
        if next.is_any(&["update", "share", "no", "key"]) {
            self.add(Part::lock("a locking clause"));
        }
    }

    /// `SELECT … INTO table`. `INTO` is reserved: other than as a label or a field it is this, or
    /// part of an `INSERT` or `MERGE`.
    fn into(&mut self, cursor: &Cursor<'_>) {
        if cursor.previous().kind == Kind::Dot || cursor.previous().is("as") {
            return;
        }
        let part = Part::write("INTO stores rows");
        let temporary = cursor.next().is_any(&["temp", "temporary", "local", "global"])
            || is_temporary_schema(cursor.next());
        self.add(if temporary { part.leaving() } else { part });
    }

    /// These words may name columns, but each begins a data change only in front of a certain word.
    fn data_modifying(&mut self, cursor: &Cursor<'_>) {
        let (word, next) = (cursor.current(), cursor.next());
        if cursor.previous().kind == Kind::Dot || cursor.previous().is("as") {
            return;
        }
        let no_key = cursor.previous().is("key") && cursor.before().is("no");
        if word.is("update") && (no_key || cursor.previous().is("for")) {
            return self.add(Part::lock("a locking clause"));
        }
        if word.is("update") && updates_settings(cursor) {
            self.add(Part::write("it changes settings").leaving());
        }
        if (word.is("insert") && next.is("into"))
            || (word.is("delete") && next.is("from"))
            || (word.is("merge") && next.is("into"))
            || (word.is("update") && next.is_name() && !next.is_any(&["as", "from"]))
        {
            self.add(Part::write("it changes data"));
        }
    }

    /// `U&"…"` may spell any name; only what is called or has a schema matters. As a label it is none.
    fn escaped(&mut self, cursor: &Cursor<'_>) {
        let (previous, next) = (cursor.previous(), cursor.next());
        let qualifies = matches!(next.kind, Kind::Open | Kind::Dot) || next.is("uescape");
        let of_path = previous.kind == Kind::Dot;
        if !previous.is("as") && (qualifies || of_path) {
            self.add(Part::doubtful("an identifier with Unicode escapes"));
        }
    }

    fn dot(&mut self, cursor: &Cursor<'_>) {
        let goes_on = cursor.previous().is_name();
        self.field = !goes_on || (self.field && cursor.before().kind == Kind::Dot);
    }

    /// A name: the call of a function, or the schema of temporary objects. Of most it is plain that
    /// they are neither.
    #[inline]
    fn name(&mut self, cursor: &Cursor<'_>, rules: &Rules) {
        let matters = match (cursor.previous().kind, cursor.next().kind) {
            (_, Kind::Open) => true,
            (Kind::Dot, _) => self.field || rules.lists_writes(),
            (_, Kind::Dot) => may_be_temporary_schema(cursor.current()),
            (_, _) => false,
        };
        if matters {
            self.name_that_matters(cursor, rules);
        }
    }

    #[inline(never)]
    fn name_that_matters(&mut self, cursor: &Cursor<'_>, rules: &Rules) {
        if cursor.previous().kind == Kind::Dot && self.field {
            // To the server `('s'::regclass).nextval` is `nextval('s')`.
            self.call(None, cursor, rules);
        } else if cursor.next().kind == Kind::Open {
            let qualified = cursor.previous().kind == Kind::Dot;
            self.call(qualified.then(|| cursor.before()), cursor, rules);
        } else if cursor.previous().kind == Kind::Dot {
            // `t.f` may be `f(t)`, but is a column if the application does not list it.
            if functions::is_listed_as_writing(cursor.current(), rules) {
                self.add(Part::write("it names a function listed as writing"));
            }
        } else if cursor.next().kind == Kind::Dot && is_temporary_schema(cursor.current()) {
            self.add(Part::session("temporary objects belong to their session"));
        }
    }

    fn call(&mut self, qualifier: Option<&Token<'_>>, cursor: &Cursor<'_>, rules: &Rules) {
        if !self.calls {
            return;
        }
        match functions::look_up(qualifier, cursor.current(), rules) {
            Known::Reads => {}
            Known::Has(part) => self.add(part),
            Known::SetsConfig(part) if last_argument_is_true(cursor) => self.add(part),
            Known::SetsConfig(part) => self.add(part.leaving()),
            Known::Runs(runs, reason) => self.add(literal::examine(runs, reason, cursor, rules)),
            Known::Unknown if self.is_no_call(cursor) => {}
            Known::Unknown if rules.unknown_is_write() => {
                self.add(Part::doubtful("it calls an unknown function"));
            }
            Known::Unknown => self.part.rerunnable = false,
        }
    }

    /// A name before a parenthesis which is not called: `AS alias (column, …)`, `::type(3)`,
    /// `TABLESAMPLE method (…)`, `WITH name (column, …) AS`.
    fn is_no_call(&self, cursor: &Cursor<'_>) -> bool {
        let previous = cursor.previous();
        let in_with_list = self.with_list & self.with_bit() != 0;
        previous.is_any(&["as", "tablesample"])
            || previous.kind == Kind::Cast
            || (in_with_list
                && (previous.kind == Kind::Comma || previous.is_any(&["with", "recursive"])))
    }
}

/// Whether a look at its first letter does not tell that it is not [`is_temporary_schema`].
#[inline]
fn may_be_temporary_schema(token: &Token<'_>) -> bool {
    matches!(token.text, [b'p' | b'P', ..] | [b'"', b'p' | b'P', ..])
}

/// `pg_temp`, `pg_temp_3`, `"pg_temp"`.
pub(crate) fn is_temporary_schema(token: &Token<'_>) -> bool {
    let text = token.text;
    let name = text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(text);
    name.split_at_checked(7).is_some_and(|(start, rest)| {
        start.eq_ignore_ascii_case(b"pg_temp") && (rest.is_empty() || rest.starts_with(b"_"))
    })
}

/// `UPDATE [ONLY] [pg_catalog.]pg_settings` is `set_config` for the session.
fn updates_settings(cursor: &Cursor<'_>) -> bool {
    let is = |token: &Token<'_>, name: &str| {
        token.is(name)
            || token.text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""))
                == Some(name.as_bytes())
    };
    let next = cursor.next();
    if !next.is("only") && !is(next, "pg_catalog") {
        return is(next, "pg_settings");
    }
    let mut ahead = cursor.clone();
    // ONLY, "(", the schema and its dot, the name.
    (0..5).any(|_| {
        ahead.advance();
        is(ahead.current(), "pg_settings")
    })
}

/// Whether the call in front of the cursor ends in `, true)`: `set_config(…, true)` is `SET LOCAL`.
fn last_argument_is_true(cursor: &Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    let mut depth = 0_usize;
    for _ in 0..LOOK_AHEAD {
        ahead.advance();
        match ahead.current().kind {
            Kind::Open => depth += 1,
            Kind::Close if depth <= 1 => {
                let named = ahead.before().kind == Kind::Other && ahead.before().text == b"=>";
                return ahead.previous().is("true")
                    && (named || ahead.before().kind == Kind::Comma);
            }
            Kind::Close => depth -= 1,
            Kind::End | Kind::Bad => return false,
            Kind::Cast
            | Kind::Comma
            | Kind::Dot
            | Kind::Escaped
            | Kind::Number
            | Kind::Other
            | Kind::Param
            | Kind::Quoted
            | Kind::Semicolon
            | Kind::Text
            | Kind::Word => {}
        }
    }
    false
}
