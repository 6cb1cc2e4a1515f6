//! What a text is made of.

use crate::sql::token::{self, Kinds};

pub(super) type Token<'a> = token::Token<'a, Kind>;

/// What a token is, as coarse as the rules allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Unterminated string, identifier or comment: the rest of the text means nothing.
    Bad,
    Cast,
    Close,
    Comma,
    Dot,
    End,
    /// `U&"…"`: an identifier that may spell any name.
    Escaped,
    Number,
    Open,
    /// Operators, brackets, and every other character.
    Other,
    Param,
    Quoted,
    Semicolon,
    Text,
    Word,
}

impl Kinds for Kind {
    const END: Self = Self::End;
    const WORD: Self = Self::Word;

    fn is_name(self) -> bool {
        matches!(self, Self::Word | Self::Quoted | Self::Escaped)
    }

    fn ends_statement(self) -> bool {
        matches!(self, Self::Semicolon | Self::End | Self::Bad)
    }
}
