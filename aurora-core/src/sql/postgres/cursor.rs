//! The tokens of a text, seen through a small window.

use super::lexer::Lexer;
use super::token::{Kind, Token};

/// A window on the tokens: two behind, the current one, one ahead.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    lexer: Lexer<'a>,
    /// A ring, so that no token moves; `at` is the place of the current one.
    ring: [Token<'a>; 4],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(lexer: Lexer<'a>) -> Self {
        let mut cursor = Self { lexer, ring: [Token::NONE; 4], at: 2 };
        cursor.advance();
        cursor.advance();
        cursor
    }

    /// The tokenizer behind, which by now knows of hints and doubts.
    pub(crate) fn lexer(&self) -> &Lexer<'a> {
        &self.lexer
    }

    #[inline]
    pub(crate) fn current(&self) -> &Token<'a> {
        &self.ring[self.at & 3]
    }

    #[inline]
    pub(crate) fn next(&self) -> &Token<'a> {
        &self.ring[(self.at + 1) & 3]
    }

    #[inline]
    pub(crate) fn previous(&self) -> &Token<'a> {
        &self.ring[(self.at + 3) & 3]
    }

    /// The token before the previous one.
    #[inline]
    pub(crate) fn before(&self) -> &Token<'a> {
        &self.ring[(self.at + 2) & 3]
    }

    #[inline]
    pub(crate) fn advance(&mut self) {
        self.at = (self.at + 1) & 3;
        self.lexer.next_into(&mut self.ring[(self.at + 1) & 3]);
    }

    /// Steps over the current token if it is one of these words.
    pub(crate) fn accept(&mut self, keywords: &[&str]) -> bool {
        let found = self.current().is_any(keywords);
        if found {
            self.advance();
        }
        found
    }

    /// Forgets what came before: a new statement begins.
    pub(crate) fn begin_statement(&mut self) {
        self.ring[(self.at + 3) & 3] = Token::NONE;
        self.ring[(self.at + 2) & 3] = Token::NONE;
    }

    /// Whether the statement is over, parentheses apart.
    pub(crate) fn at_end(&self) -> bool {
        matches!(self.current().kind, Kind::Semicolon | Kind::End | Kind::Bad)
    }
}
