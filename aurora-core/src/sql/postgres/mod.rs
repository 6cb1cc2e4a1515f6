//! PostgreSQL: the whole text, statement by statement.

mod body;
mod bytes;
mod comment;
mod cursor;
mod functions;
mod lexer;
mod literal;
mod statement;
mod token;
mod transaction;
mod utility;

#[cfg(test)]
mod tests;

use cursor::Cursor;
use lexer::{Lexer, Strings};
use token::Kind;

use super::effect::{Step, fold};
use super::part::Part;
use super::rules::Rules;
use super::{Classification, TransactionEffect};

/// Classifies SQL text of PostgreSQL, under both readings of `standard_conforming_strings`.
///
/// A server may read `\'` in an ordinary string as an escaped quote (`standard_conforming_strings =
/// off`). Where the two readings differ, the text goes to the writer.
pub(super) fn classify(sql: &str, rules: &Rules) -> Classification {
    let standard = read(sql, rules, Strings::Standard);
    if !standard.differs {
        return standard.found;
    }
    let escaped = read(sql, rules, Strings::Backslash);
    // A server whose reading is malformed refuses the whole text before it executes any of it, so
    // that only the other reading can ever act.
    match (standard.malformed, escaped.malformed) {
        (false, true) => standard.found,
        (true, false) => escaped.found,
        (false, false) | (true, true) => {
            let reason = "it depends on standard_conforming_strings";
            standard.found.or(escaped.found, reason)
        }
    }
}

/// The text as read under one setting.
struct Reading {
    found: Classification,
    /// The other setting could read it differently.
    differs: bool,
    malformed: bool,
}

fn read(sql: &str, rules: &Rules, strings: Strings) -> Reading {
    let mut cursor = Cursor::new(Lexer::new(sql, strings));
    let mut whole: Option<Part> = None;
    let (mut count, mut effect) = (0_usize, TransactionEffect::None);
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
        let (part, step) = statement::classify(&mut cursor, rules);
        whole = Some(whole.map_or(part, |whole| whole.and(part)));
        count += 1;
        effect = fold(effect, step);
        malformed = step == Step::Malformed;
        if malformed {
            break;
        }
    }
    let part = Part::of_text(whole, count);
    let found = Classification::new(part, effect, cursor.lexer().hint())
        .with_freshness(cursor.lexer().freshness());
    Reading { found, differs: cursor.lexer().backslash_quote(), malformed }
}
