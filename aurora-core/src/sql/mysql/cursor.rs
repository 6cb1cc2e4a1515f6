//! The window on the tokens of this dialect.

use super::lexer::Lexer;
use super::token::Kind;
use crate::sql::cursor;

pub(super) type Cursor<'a> = cursor::Cursor<'a, Lexer<'a>>;

impl Cursor<'_> {
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
}
