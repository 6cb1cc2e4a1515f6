//! PostgreSQL: the whole text, statement by statement.

use super::cursor::Cursor;
use super::lexer::{Kind, Lexer, Strings};
use super::part::Part;
use super::rules::Rules;
use super::transaction::{Step, fold};
use super::{Classification, TransactionEffect, Verdict, statement};

/// Classifies SQL text for PostgreSQL. Never fails and never panics; the time is linear in the
/// length of the text, and nothing is allocated.
///
/// Text without any statement (empty, or comments only: a ping) is a read: the server parses it to
/// nothing on every instance.
///
/// A server may read `\'` in an ordinary string as an escaped quote (`standard_conforming_strings =
/// off`). Where the two readings differ, the text goes to the writer.
///
/// ```
/// use aurora_core::sql::{Rules, Target, TransactionEffect, Verdict, classify_postgres};
///
/// let rules = Rules::default();
/// let script = classify_postgres("BEGIN READ ONLY; SELECT 1", &rules);
/// assert_eq!(script.verdict(), Verdict::Write, "several statements in one text");
/// assert_eq!(script.transaction_effect(), TransactionEffect::Opens { read_only: Some(true) });
///
/// let hinted = classify_postgres("/*@reader*/ SELECT nextval('s')", &rules);
/// assert_eq!(hinted.hint(), Some(Target::Reader));
/// assert_eq!(hinted.route(), Target::Writer, "every reader would refuse it");
/// ```
#[must_use]
pub fn classify_postgres(sql: &str, rules: &Rules) -> Classification {
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
        (false, false) | (true, true) => merge(standard.found, escaped.found),
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
    let part = match whole {
        None => Part::read("no statement in the text"),
        Some(part) if count > 1 && part.verdict != Verdict::Write => {
            Part { verdict: Verdict::Write, reason: "several statements in one text", ..part }
        }
        Some(part) => part,
    };
    let found = Classification {
        verdict: part.verdict,
        reason: part.reason,
        hint: cursor.lexer().hint(),
        effect,
        certain: part.certain,
        rerunnable: part.rerunnable,
        leaves_session_state: part.leaves,
    };
    Reading { found, differs: cursor.lexer().backslash_quote(), malformed }
}

/// What holds under both readings; where they differ, the careful answer.
fn merge(one: Classification, other: Classification) -> Classification {
    let same = one.verdict == other.verdict && one.effect == other.effect;
    let unclear = TransactionEffect::Unclear;
    Classification {
        verdict: if same { one.verdict } else { Verdict::Write },
        reason: if same { one.reason } else { "it depends on standard_conforming_strings" },
        hint: if one.hint == other.hint { one.hint } else { None },
        effect: if one.effect == other.effect { one.effect } else { unclear },
        certain: one.certain || other.certain,
        rerunnable: one.rerunnable && other.rerunnable,
        leaves_session_state: one.leaves_session_state || other.leaves_session_state,
    }
}
