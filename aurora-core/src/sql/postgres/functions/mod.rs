//! Which function is called, and what is known about it.

mod effects;
mod reads;

use super::literal::Runs;
use super::token::{Kind, Token};
use crate::sql::index;
use crate::sql::names::Names;
use crate::sql::part::Part;
use crate::sql::rules::Rules;

/// The length of the server's names (`NAMEDATALEN - 1`); it cuts off the rest.
const NAME_LENGTH: usize = 63;

/// What a function does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Known {
    /// It has an effect, or depends on where it runs.
    Has(Part),
    /// It only reads, and may be run again.
    Reads,
    /// It runs SQL text; the reason is for text that cannot be examined.
    Runs(Runs, &'static str),
    /// `set_config`, whose last argument says whether it outlives the transaction.
    SetsConfig(Part),
    /// A function of the user, or of an extension we do not know.
    Unknown,
}

/// How the effects of a built-in function are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A session-level advisory lock: on a reader it would exclude nobody else.
    AdvisoryLock,
    /// A lock that ends with the transaction.
    Lock,
    /// Effects outside the data of the database, or SQL text which is not examined.
    Outside,
    /// A lock beyond a read's until the end of the transaction, though it only reads.
    ReadLock,
    /// No effect, but refused during recovery.
    RecoveryRefuses,
    /// Depends on the session, and changes nothing that outlives the transaction.
    Session,
    /// Changes the session.
    SessionState,
    /// It runs SQL text which is given as an argument.
    Runs(Runs),
    /// See [`Known::SetsConfig`].
    SetConfig,
    /// Effects outside the data that belong to the session until it ends.
    SessionOwned,
    /// Changes data, or assigns a transaction id: refused during recovery.
    Write,
}

impl Class {
    fn known(self, reason: &'static str) -> Known {
        Known::Has(match self {
            Self::AdvisoryLock => Part::session(reason).certain().leaving(),
            Self::Lock => Part::lock(reason),
            Self::Outside => Part::doubtful(reason),
            Self::ReadLock => Part::read_lock(reason),
            Self::RecoveryRefuses => Part::write(reason).harmless(),
            Self::Session => Part::session(reason),
            Self::SessionState => Part::session(reason).leaving(),
            Self::SetConfig => return Known::SetsConfig(Part::session(reason)),
            Self::Runs(runs) => return Known::Runs(runs, reason),
            Self::SessionOwned => Part::doubtful(reason).leaving(),
            Self::Write => Part::write(reason),
        })
    }
}

/// Looks up `qualifier.name`. The application's own lists come first; a function with effects is
/// recognised in any schema, because extensions may be installed in any; one that only reads is
/// believed only if it is the server's own.
pub(crate) fn look_up(qualifier: Option<&Token<'_>>, name: &Token<'_>, rules: &Rules) -> Known {
    if qualifier.is_none() && is_reserved(name) {
        return Known::Reads;
    }
    let mut buffer = Names::new(NAME_LENGTH);
    let schema = qualifier.map_or(0, |token| push(&mut buffer, token));
    if schema > 0 {
        buffer.push_byte(b'.');
    }
    let start = buffer.len();
    push(&mut buffer, name);
    let (full, own) = (buffer.all(), &buffer.all()[start..]);
    match rules.listed(full, own) {
        Some(true) => return Known::Has(Part::write("it calls a function listed as writing")),
        Some(false) => return Known::Reads,
        None => {}
    }
    let (schema, hash) = (&full[..schema], index::hash(own));
    let known = effects::of_function(own, hash);
    if let Some((class, reason)) = known.or_else(|| effects::of_schema(schema)) {
        return class.known(reason);
    }
    if (schema.is_empty() || schema == b"pg_catalog") && reads::contains(own, hash) {
        return Known::Reads;
    }
    Known::Unknown
}

/// Whether the application lists this name, in whatever schema, as a function that writes.
pub(crate) fn is_listed_as_writing(name: &Token<'_>, rules: &Rules) -> bool {
    if !rules.lists_writes() {
        return false;
    }
    let mut buffer = Names::new(NAME_LENGTH);
    push(&mut buffer, name);
    rules.listed(buffer.all(), buffer.all()) == Some(true)
}

/// The reserved words that stand before most parentheses: no function has such a name unquoted.
fn is_reserved(name: &Token<'_>) -> bool {
    let reserved: &[&str] = match name.text.len() {
        2 => &["in", "on", "or", "as"],
        3 => &["and", "not", "any"],
        4 => &["from", "when", "then"],
        5 => &["where"],
        6 => &["having", "select"],
        _ => return false,
    };
    name.is_any(reserved)
}

/// Appends a name: a word in lower case, a quoted one without its quotes. Says how many bytes it took.
fn push(names: &mut Names, token: &Token<'_>) -> usize {
    let start = names.len();
    let quoted = token.kind == Kind::Quoted;
    let text = if quoted { &token.text[1..token.text.len() - 1] } else { token.text };
    let (taken, whole) = names.push(text, quoted.then_some(b'"'), !quoted);
    if whole {
        return taken;
    }
    names.cut_to_character(start);
    names.len() - start
}

#[cfg(test)]
mod tests {
    use super::{Known, Rules, look_up};
    use crate::sql::Verdict;
    use crate::sql::postgres::token::{Kind, Token};

    #[test]
    fn every_volatile_function_is_judged_as_its_table_says() {
        let lines = include_str!("volatile.txt").lines().filter(|line| !line.starts_with('#'));
        let mut count = 0;
        for line in lines {
            let columns: Vec<&str> = line.split(" | ").collect();
            let [name, verdict, source] = columns[..] else { panic!("three columns: {line}") };
            assert!(!source.is_empty(), "{line}");
            let quoted = format!("\"{name}\"");
            let token = Token { kind: Kind::Quoted, text: quoted.as_bytes() };
            let found = match look_up(None, &token, &Rules::default()) {
                Known::Reads => "read",
                Known::Unknown => "internal",
                Known::SetsConfig(_) => "session",
                Known::Runs(..) => "write",
                Known::Has(part) => match part.verdict {
                    Verdict::Lock => "lock",
                    Verdict::Session => "session",
                    Verdict::Write => "write",
                    Verdict::Read | Verdict::Transaction(_) => "wrong",
                },
            };
            assert_eq!(found, verdict, "{line}");
            count += 1;
        }
        assert!(count > 200, "the table is there");
    }
}
