//! The tokens of a text, seen through a small window.

use super::token::{Kinds, Token};

/// The longest command word (`deallocate`, `checkpoint`, …) fits.
const WORD_LENGTH: usize = 16;

/// What makes tokens of a text.
pub(super) trait Tokens<'a>: Clone {
    type Kind: Kinds;

    /// Puts the next token in its place; [`Kinds::END`] for ever after the last.
    ///
    /// Field by field: a whole token handed over through memory costs more than all the rest.
    fn next_into(&mut self, token: &mut Token<'a, Self::Kind>);
}

/// A window on the tokens: two behind, the current one, one ahead.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a, L: Tokens<'a>> {
    lexer: L,
    /// A ring, so that no token moves; `at` is the place of the current one.
    ring: [Token<'a, L::Kind>; 4],
    at: usize,
}

impl<'a, L: Tokens<'a>> Cursor<'a, L> {
    pub(super) fn new(lexer: L) -> Self {
        let mut cursor = Self { lexer, ring: [Token::NONE; 4], at: 2 };
        cursor.advance();
        cursor.advance();
        cursor
    }

    /// The tokenizer behind, which by now knows of hints and doubts.
    pub(super) fn lexer(&self) -> &L {
        &self.lexer
    }

    #[inline]
    pub(super) fn current(&self) -> &Token<'a, L::Kind> {
        &self.ring[self.at & 3]
    }

    #[inline]
    pub(super) fn next(&self) -> &Token<'a, L::Kind> {
        &self.ring[(self.at + 1) & 3]
    }

    #[inline]
    pub(super) fn previous(&self) -> &Token<'a, L::Kind> {
        &self.ring[(self.at + 3) & 3]
    }

    /// The token before the previous one.
    #[inline]
    pub(super) fn before(&self) -> &Token<'a, L::Kind> {
        &self.ring[(self.at + 2) & 3]
    }

    #[inline]
    pub(super) fn advance(&mut self) {
        self.at = (self.at + 1) & 3;
        self.lexer.next_into(&mut self.ring[(self.at + 1) & 3]);
    }

    /// The token behind the next one.
    pub(super) fn second(&self) -> Token<'a, L::Kind> {
        let mut ahead = self.clone();
        ahead.advance();
        *ahead.next()
    }

    /// Steps over the current token if it is one of these words.
    pub(super) fn accept(&mut self, keywords: &[&str]) -> bool {
        let found = self.current().is_any(keywords);
        if found {
            self.advance();
        }
        found
    }

    /// Forgets what came before: a new statement begins.
    pub(super) fn begin_statement(&mut self) {
        self.ring[(self.at + 3) & 3] = Token::NONE;
        self.ring[(self.at + 2) & 3] = Token::NONE;
    }

    /// Whether the statement is over, parentheses apart.
    pub(super) fn at_end(&self) -> bool {
        self.current().kind.ends_statement()
    }

    /// The current word in lower case; empty if it is none or too long to be a command.
    pub(super) fn folded(&self) -> Folded {
        let mut folded = Folded { bytes: [0; WORD_LENGTH], length: 0 };
        let text = self.current().text;
        if self.current().kind == L::Kind::WORD
            && let Some(space) = folded.bytes.get_mut(..text.len())
        {
            space.copy_from_slice(text);
            space.make_ascii_lowercase();
            folded.length = text.len();
        }
        folded
    }
}

/// A word in lower case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folded {
    bytes: [u8; WORD_LENGTH],
    length: usize,
}

impl Folded {
    pub(super) fn text(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}
