//! Comments: plain ones, hints to us, hints to the optimizer, and those that are executed.

use super::bytes::{Lead, SPACE, lead};
use super::lexer::Lexer;
use super::token::Kind;
use crate::sql::Target;

impl Lexer<'_> {
    /// What follows the comments that begin or end here, or an operator.
    #[inline(never)]
    pub(super) fn comment_or_operator(&mut self) -> (Kind, usize) {
        if !self.skip_comments() {
            return (Kind::Bad, self.sql.len());
        }
        if lead(self.at(self.pos)) == Lead::Comment {
            return (Kind::Other, self.pos + 1);
        }
        // No comment begins here, so this is one step.
        self.scan()
    }

    /// Skips white space and comments; `false` if a comment has no end.
    fn skip_comments(&mut self) -> bool {
        loop {
            self.pos = self.span(self.pos, SPACE);
            match (self.at(self.pos), self.at(self.pos + 1)) {
                (b'#', _) => self.pos = self.line_end(),
                (b'-', b'-') if self.is_line_comment() => self.pos = self.line_end(),
                (b'/', b'*') => {
                    if !self.comment() {
                        return false;
                    }
                }
                (b'*', b'/') if self.inside => {
                    self.inside = false;
                    self.pos += 2;
                }
                _ => return true,
            }
        }
    }

    /// `--` is a comment in front of white space or a control character only: `5--1` is 6.
    fn is_line_comment(&self) -> bool {
        matches!(self.at(self.pos + 2), 0..=b' ' | 0x7f)
    }

    /// Only a line feed ends such a comment. A zero byte may, so what follows it counts.
    fn line_end(&self) -> usize {
        let rest = self.sql.get(self.pos..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == b'\n' || byte == 0);
        end.map_or(self.sql.len(), |end| self.pos + end)
    }

    /// At `/*`: moves behind the comment, or into it if it is to be executed.
    fn comment(&mut self) -> bool {
        let marked = self.at(self.pos + 2) == b'M';
        let after = self.pos + 2 + usize::from(marked);
        if self.at(after) == b'!' {
            let start = self.condition(after + 1, marked);
            if self.inside {
                // Servers do not agree on where the inner one ends.
                self.doubts.odd = true;
            }
            if self.reading.executes {
                (self.inside, self.pos) = (true, start);
                return true;
            }
        }
        let nested = self.at(after) == b'!';
        let Some(end) = self.comment_end(self.pos + 2, nested) else { return false };
        let inside = self.sql.get(self.pos + 2..end.saturating_sub(2)).unwrap_or_default();
        if inside.first() == Some(&b'+') && inside.iter().any(|byte| b"'\"`".contains(byte)) {
            // MySQL reads quoted names in optimizer hints, with the end of a comment in them.
            self.doubts.odd = true;
        }
        self.note_hint(inside);
        self.pos = end;
        true
    }

    /// The digits behind `/*!`: five or six are a version. Says where the content begins.
    fn condition(&mut self, start: usize, marked: bool) -> usize {
        let digits = (start..start + 6).take_while(|&pos| self.at(pos).is_ascii_digit()).count();
        let length = if digits < 5 { 0 } else { digits };
        let version = self.sql.get(start..start + length).unwrap_or_default();
        let number = version.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        let condition = number + if marked { 1_000_000 } else { 0 };
        if self.doubts.condition.is_some_and(|first| first != condition) {
            self.doubts.odd = true;
        }
        self.doubts.condition = Some(condition);
        start + length
    }

    /// Comments do not nest, but for one inside an executable comment that is not executed.
    fn comment_end(&mut self, mut pos: usize, nested: bool) -> Option<usize> {
        let mut depth = 1;
        while pos + 1 < self.sql.len() {
            match (self.sql[pos], self.sql[pos + 1]) {
                (b'*', b'/') if depth == 1 => return Some(pos + 2),
                (b'*', b'/') => depth = 1,
                (b'/', b'*') if nested => {
                    // One level only; what a server does with more is its own affair.
                    self.doubts.odd |= depth == 2;
                    depth = 2;
                }
                _ => {
                    pos += 1;
                    continue;
                }
            }
            pos += 2;
        }
        None
    }

    fn note_hint(&mut self, inside: &[u8]) {
        let inside = inside.trim_ascii();
        if inside.eq_ignore_ascii_case(b"@writer") {
            self.hint = Some(Target::Writer);
        } else if inside.eq_ignore_ascii_case(b"@reader") {
            // Of two hints the careful one counts.
            self.hint = self.hint.or(Some(Target::Reader));
        }
    }
}
