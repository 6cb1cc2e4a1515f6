//! What a text is made of.

use crate::sql::token::{self, Kinds};

pub(super) type Token<'a> = token::Token<'a, Kind>;

/// What a token is, as coarse as the rules allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `:=`.
    Assign,
    /// Unterminated string, name or comment: the rest of the text means nothing.
    Bad,
    Close,
    Comma,
    Dot,
    End,
    Number,
    Open,
    /// Operators, and every other character.
    Other,
    Param,
    /// `` `…` ``, and `"…"`, which is a string or a name.
    Quoted,
    Semicolon,
    /// `@@name`, `@@scope.name`.
    Setting,
    Text,
    /// `@name`.
    Variable,
    Word,
}

impl Kinds for Kind {
    const END: Self = Self::End;
    const WORD: Self = Self::Word;

    fn is_name(self) -> bool {
        matches!(self, Self::Word | Self::Quoted)
    }

    fn ends_statement(self) -> bool {
        matches!(self, Self::Semicolon | Self::End | Self::Bad)
    }
}
