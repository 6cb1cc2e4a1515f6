//! Which function is called, and what is known about it.

mod effects;
mod reads;

use super::token::{Kind, Token};
use crate::sql::index;
use crate::sql::names::Names;
use crate::sql::part::Part;
use crate::sql::rules::Rules;

/// The longest name that is looked up (`NAME_LEN` is 64 characters); it is no longer one we know.
const NAME_LENGTH: usize = 64;

/// What a function does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known {
    /// It has an effect, or depends on where it runs.
    Has(Part),
    /// `LAST_INSERT_ID`, which an argument changes.
    LastInsertId(Part),
    /// It only reads, and may be run again.
    Reads,
    /// A function of the user, or of a plugin we do not know.
    Unknown,
}

/// How the effects of a function are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Takes a lock of the session: on a reader it would exclude nobody else.
    Lock,
    /// Tells of such locks, or gives one back: of use only where they are.
    Locked,
    /// Tells what an earlier statement left on its connection.
    Following,
    /// See [`Known::LastInsertId`].
    LastInsertId,
    /// Effects outside the data of the database.
    Outside,
    /// Depends on the session, and changes nothing.
    Session,
    /// Changes data.
    Write,
}

impl Class {
    fn known(self, reason: &'static str) -> Known {
        Known::Has(match self {
            Self::Lock => Part::session(reason).certain().leaving(),
            Self::Locked => Part::session(reason).certain(),
            Self::Following => Part::following(reason),
            Self::LastInsertId => return Known::LastInsertId(Part::following(reason)),
            Self::Outside => Part::doubtful(reason),
            Self::Session => Part::session(reason),
            Self::Write => Part::write(reason),
        })
    }
}

/// Looks up `qualifier.name`. The application's own lists come first; a function with effects is
/// recognised in any schema; one that only reads is believed only if it is the server's own.
pub(super) fn look_up(qualifier: Option<&Token<'_>>, name: &Token<'_>, rules: &Rules) -> Known {
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
    let hash = index::hash(own);
    if let Some((class, reason)) = effects::of_function(own, hash) {
        return class.known(reason);
    }
    if qualifier.is_none() && reads::contains(own, hash) { Known::Reads } else { Known::Unknown }
}

/// Appends a name, quoted or not: names of functions have no case. Says how many bytes it took.
fn push(names: &mut Names, token: &Token<'_>) -> usize {
    let quote = (token.kind == Kind::Quoted).then(|| token.text[0]);
    let text = if quote.is_some() { &token.text[1..token.text.len() - 1] } else { token.text };
    names.push(text, quote, true).0
}
