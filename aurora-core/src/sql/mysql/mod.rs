//! MySQL and MariaDB: the whole text, statement by statement, in every way a server may read it.
//!
//! Three things about a text depend on the session or the server and not on the text: whether a
//! backslash escapes (`NO_BACKSLASH_ESCAPES`), whether `"…"` is a name (`ANSI_QUOTES`), and whether
//! a comment `/*!50701 … */` is executed. A text is a read only if it is one in every reading.

mod body;
mod bytes;
mod comment;
mod cursor;
mod functions;
mod lexer;
mod show;
mod statement;
mod token;
mod transaction;
mod utility;

#[cfg(test)]
mod tests;

use cursor::Cursor;
use lexer::{Lexer, Reading, Strings};
use statement::Judged;
use token::Kind;

use super::effect::{Step, fold};
use super::part::Part;
use super::rules::Rules;
use super::{Classification, TransactionControl, TransactionEffect};

const REASON: &str = "it depends on sql_mode, or on the version of the server";

/// Classifies SQL text of MySQL and MariaDB.
pub(super) fn classify(sql: &str, rules: &Rules) -> Classification {
    let usual = Reading { strings: Strings::Escaping, executes: true };
    let first = read(sql, rules, usual);
    let doubts = first.doubts;
    if !doubts.backslash_quote && doubts.condition.is_none() {
        return first.guarded().found;
    }
    let mut whole = first;
    let all = [Strings::Escaping, Strings::Plain, Strings::NamesInDouble];
    // Without a quote behind a backslash they are the same.
    let strings = if doubts.backslash_quote { &all[..] } else { &all[..1] };
    for &strings in strings {
        if strings != Strings::Escaping {
            whole = whole.or(read(sql, rules, Reading { strings, executes: true }));
        }
        // A comment may be one in this reading only.
        if whole.doubts.condition.is_some() {
            whole = whole.or(read(sql, rules, Reading { strings, executes: false }));
        }
    }
    whole.guarded().found
}

/// The text as read in one way.
#[derive(Clone, Copy)]
struct Found {
    found: Classification,
    doubts: lexer::Doubts,
    /// The server refuses the whole text: its first statement is malformed. (It executes the
    /// statements of a text as it comes to them.)
    refused: bool,
}

impl Found {
    /// A reading under which the server refuses everything can never act, so only the other counts.
    fn or(self, other: Self) -> Self {
        let doubts = lexer::Doubts {
            backslash_quote: self.doubts.backslash_quote || other.doubts.backslash_quote,
            condition: self.doubts.condition.or(other.doubts.condition),
            odd: self.doubts.odd || other.doubts.odd,
        };
        let (found, refused) = match (self.refused, other.refused) {
            (false, true) => (self.found, false),
            (true, false) => (other.found, false),
            (same, _) => (self.found.or(other.found, REASON), same),
        };
        Self { found, doubts, refused }
    }

    /// Nothing is believed of a text whose comments servers may read in ways we do not know.
    fn guarded(self) -> Self {
        if !self.doubts.odd {
            return self;
        }
        let part = Part::doubtful("servers read its comments in different ways").leaving();
        let odd = Classification::new(part, TransactionEffect::Unclear, self.found.hint());
        Self { found: odd, ..self }
    }
}

fn read(sql: &str, rules: &Rules, reading: Reading) -> Found {
    let mut cursor = Cursor::new(Lexer::new(sql, reading));
    let mut whole: Option<Part> = None;
    let (mut count, mut effect) = (0_usize, TransactionEffect::None);
    // What the text has set for the next transaction, while it has done nothing else.
    let mut modes = None;
    let mut malformed = false;
    loop {
        if cursor.current().kind == Kind::Semicolon {
            cursor.advance();
            continue;
        }
        if cursor.current().kind == Kind::End {
            break;
        }
        cursor.begin_statement();
        let mut judged = statement::classify(&mut cursor, rules);
        if let (Some(set), Some(begun)) = (modes.take(), begins(judged)) {
            // That is the transaction begun here: nothing of it is left for a later one.
            judged = Judged::control(TransactionControl::Begin { read_only: begun.or(set) });
            (whole, count, effect) = (None, 0, TransactionEffect::None);
        } else if count == 0 {
            modes = sets_modes(judged);
        }
        let Judged { part, step } = judged;
        whole = Some(whole.map_or(part, |whole| whole.and(part)));
        count += 1;
        effect = after(effect, step);
        malformed = step == Step::Malformed;
        if malformed {
            break;
        }
    }
    let part = Part::of_text(whole, count);
    Found {
        found: Classification::new(part, effect, cursor.lexer().hint()),
        doubts: cursor.lexer().doubts(),
        refused: malformed && count == 1,
    }
}

/// The access mode of the transaction that the statement begins and nothing else, as far as it says.
fn begins(judged: Judged) -> Option<Option<bool>> {
    match judged.step {
        Step::Control(TransactionControl::Begin { read_only }) if !judged.part.leaves => {
            Some(read_only)
        }
        _ => None,
    }
}

/// The access mode that the statement sets for the next transaction, as far as it says.
fn sets_modes(judged: Judged) -> Option<Option<bool>> {
    match judged.step {
        Step::Control(TransactionControl::SetTransaction { read_only }) => Some(read_only),
        _ => None,
    }
}

/// The effect after one more statement. A second `BEGIN` commits what the first one began.
fn after(effect: TransactionEffect, step: Step) -> TransactionEffect {
    let begins = matches!(step, Step::Control(TransactionControl::Begin { .. }));
    let open = matches!(effect, TransactionEffect::Opens { .. });
    let effect = if begins && open {
        fold(effect, Step::Control(TransactionControl::Commit))
    } else {
        effect
    };
    fold(effect, step)
}
