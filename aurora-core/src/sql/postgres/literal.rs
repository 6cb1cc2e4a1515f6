//! SQL inside SQL: functions that run a text which stands in the statement as a literal.

use super::cursor::Cursor;
use super::lexer::Strings;
use super::token::{Kind, Token};
use crate::sql::part::Part;
use crate::sql::rules::Rules;
use crate::sql::{Classification, Verdict};

/// The longest look ahead, in tokens, for the arguments of one call: keeps the walk linear.
const LOOK_AHEAD: usize = 64;
/// More arguments than any of these functions has.
const ARGUMENTS: usize = 6;

/// Which arguments of a function are SQL text that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    /// Every argument that is a string: `crosstab`.
    All,
    /// The first: `query_to_xml`, `ts_stat`.
    First,
    /// The second of two; with three it runs none: `ts_rewrite`.
    SecondOfTwo,
}

/// What the call in front of the cursor does, if its texts are literals that only read.
///
/// The functions run their text as read-only, so that a change of data is an error anywhere; but
/// the text may call functions that have effects.
pub(crate) fn examine(
    runs: Runs,
    reason: &'static str,
    cursor: &Cursor<'_>,
    rules: &Rules,
) -> Part {
    let unknown = Part::doubtful(reason);
    let Some(arguments) = arguments(cursor) else { return unknown };
    let count = arguments.iter().take_while(|argument| **argument != Argument::None).count();
    let texts = match runs {
        Runs::All => &arguments[..count],
        Runs::First => &arguments[..count.min(1)],
        Runs::SecondOfTwo if count == 3 => &[],
        Runs::SecondOfTwo if count == 2 => &arguments[1..2],
        Runs::SecondOfTwo => return unknown,
    };
    texts.iter().fold(Part::read("a query"), |part, argument| {
        part.and(match argument {
            Argument::Text(text) => inner(text, reason, rules),
            Argument::Number if runs == Runs::All => Part::read("a query"),
            Argument::None | Argument::Number | Argument::Other => unknown,
        })
    })
}

/// An argument of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Argument<'a> {
    None,
    Number,
    /// Anything else.
    Other,
    /// One literal that means what it spells, maybe with a cast.
    Text(&'a [u8]),
}

/// The arguments of the call in front of the cursor.
fn arguments<'a>(cursor: &Cursor<'a>) -> Option<[Argument<'a>; ARGUMENTS]> {
    let mut found = [Argument::None; ARGUMENTS];
    let mut ahead = cursor.clone();
    ahead.advance();
    if ahead.current().kind != Kind::Open {
        // `('…').ts_stat`: the argument stands in front.
        return None;
    }
    ahead.advance();
    let (mut depth, mut at) = (0_usize, 0_usize);
    for _ in 0..LOOK_AHEAD {
        let token = *ahead.current();
        match token.kind {
            Kind::Close if depth == 0 => return Some(found),
            Kind::Comma if depth == 0 => at += 1,
            Kind::Bad | Kind::End => return None,
            kind => {
                if kind == Kind::Open {
                    depth += 1;
                } else if kind == Kind::Close {
                    // Not zero: that ended the arguments.
                    depth -= 1;
                }
                let argument = found.get_mut(at)?;
                *argument = after(*argument, &token, ahead.previous());
            }
        }
        ahead.advance();
    }
    None
}

/// An argument and one more of its tokens.
fn after<'a>(argument: Argument<'a>, token: &Token<'a>, previous: &Token<'a>) -> Argument<'a> {
    let casts = token.kind == Kind::Cast || (previous.kind == Kind::Cast && token.is("text"));
    match (argument, token.kind) {
        (Argument::None, Kind::Text) => plain(token.text).map_or(Argument::Other, Argument::Text),
        (Argument::None, Kind::Number) => Argument::Number,
        (Argument::Text(_), _) if casts => argument,
        _ => Argument::Other,
    }
}

/// The content of `'…'` or `$$…$$`, if it can be examined as it stands.
///
/// Doubled quotes in it spell strings of the inner text. Left doubled they are empty strings to the
/// scanner, and what is between them is scanned as if it were no string: so nothing is hidden from
/// it, unless that begins a comment or a quoted name.
fn plain(text: &[u8]) -> Option<&[u8]> {
    let stripped = |quotes: &[u8]| text.strip_prefix(quotes)?.strip_suffix(quotes);
    let has = |inside: &[u8], bytes: &[u8]| inside.iter().any(|byte| bytes.contains(byte));
    let Some(inside) = stripped(b"'") else {
        return stripped(b"$$").filter(|inside| !has(inside, b"\\$"));
    };
    let hides = |pair: &[u8]| pair == b"--" || pair == b"/*";
    let strings = has(inside, b"'");
    let hidden = strings && (has(inside, b"\"") || inside.windows(2).any(hides));
    (!hidden && !has(inside, b"\\$")).then_some(inside)
}

/// Nesting ends soon: in a text in single quotes there is no other, and no `$$`.
fn inner(text: &[u8], reason: &'static str, rules: &Rules) -> Part {
    let Ok(text) = std::str::from_utf8(text) else { return Part::doubtful(reason) };
    let reading = super::read(text, rules, Strings::Standard);
    let found: &Classification = &reading.found;
    if reading.malformed || reading.differs || found.verdict() != Verdict::Read {
        return Part::doubtful(reason);
    }
    Part { rerunnable: found.rerunnable(), ..Part::read("a query") }
}
