//! The tokens of a text, seen through a small window.

use super::lexer::Lexer;
use super::token::{Kind, Token};

/// The longest command word fits.
const WORD_LENGTH: usize = 16;

/// A window on the tokens: two behind, the current one, one ahead.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    lexer: Lexer<'a>,
    /// A ring, so that no token moves; `at` is the place of the current one.
    ring: [Token<'a>; 4],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(lexer: Lexer<'a>) -> Self {
        let mut cursor = Self { lexer, ring: [Token::NONE; 4], at: 2 };
        cursor.advance();
        cursor.advance();
        cursor
    }

    /// The tokenizer behind, which by now knows of hints and doubts.
    pub(super) fn lexer(&self) -> &Lexer<'a> {
        &self.lexer
    }

    #[inline]
    pub(super) fn current(&self) -> &Token<'a> {
        &self.ring[self.at & 3]
    }

    #[inline]
    pub(super) fn next(&self) -> &Token<'a> {
        &self.ring[(self.at + 1) & 3]
    }

    #[inline]
    pub(super) fn previous(&self) -> &Token<'a> {
        &self.ring[(self.at + 3) & 3]
    }

    /// The token before the previous one.
    #[inline]
    pub(super) fn before(&self) -> &Token<'a> {
        &self.ring[(self.at + 2) & 3]
    }

    #[inline]
    pub(super) fn advance(&mut self) {
        self.at = (self.at + 1) & 3;
        self.lexer.next_into(&mut self.ring[(self.at + 1) & 3]);
    }

    /// The token behind the next one.
    pub(super) fn second(&self) -> Token<'a> {
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

    /// Moves to the first of these words outside parentheses, or to the end of the statement.
    pub(super) fn seek(&mut self, keywords: &[&str]) {
        let mut depth = 0_usize;
        while !self.at_end() {
            if depth == 0 && self.current().is_any(keywords) {
                return;
            }
            match self.current().kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.advance();
        }
    }

    /// Forgets what came before: a new statement begins.
    pub(super) fn begin_statement(&mut self) {
        self.ring[(self.at + 3) & 3] = Token::NONE;
        self.ring[(self.at + 2) & 3] = Token::NONE;
    }

    /// Whether the statement is over, parentheses apart.
    pub(super) fn at_end(&self) -> bool {
        matches!(self.current().kind, Kind::Semicolon | Kind::End | Kind::Bad)
    }

    /// The current word in lower case; empty if it is none or too long to be a command.
    pub(super) fn folded(&self) -> Folded {
        let mut folded = Folded { bytes: [0; WORD_LENGTH], length: 0 };
        let text = self.current().text;
        if self.current().kind == Kind::Word && text.len() <= WORD_LENGTH {
            folded.length = text.len();
            folded.bytes[..text.len()].copy_from_slice(text);
            folded.bytes.make_ascii_lowercase();
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
