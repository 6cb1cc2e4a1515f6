//! Comments, which nest, and the hints to us in them.

use super::bytes::{Lead, SPACE, lead};
use super::lexer::Lexer;
use super::token::Kind;
use crate::config::Freshness;
use crate::sql::Target;

/// Begins a comment that says how recent the data must be.
const FRESH: &[u8] = b"@fresh";

/// What became of a comment.
enum Comment {
    Endless,
    Skipped,
}

impl Lexer<'_> {
    /// What follows the comments that begin here, or an operator.
    #[inline(never)]
    pub(super) fn comment_or_operator(&mut self) -> (Kind, usize) {
        loop {
            match self.skip_comment() {
                Some(Comment::Skipped) => self.pos = self.span(self.pos, SPACE),
                Some(Comment::Endless) => return (Kind::Bad, self.sql.len()),
                None if lead(self.at(self.pos)) == Lead::Comment => return self.operator(),
                // No comment begins here, so this is one step.
                None => return self.scan(),
            }
        }
    }

    /// Skips a comment, if one begins here.
    fn skip_comment(&mut self) -> Option<Comment> {
        match (self.at(self.pos), self.at(self.pos + 1)) {
            (b'-', b'-') => self.pos = self.line_end(self.pos),
            (b'/', b'*') => {
                let Some(end) = self.comment_end() else { return Some(Comment::Endless) };
                self.note_hint(end);
                self.pos = end;
            }
            _ => return None,
        }
        Some(Comment::Skipped)
    }

    pub(super) fn line_end(&self, mut pos: usize) -> usize {
        while pos < self.sql.len() && !matches!(self.sql[pos], b'\n' | b'\r') {
            pos += 1;
        }
        pos
    }

    /// Comments nest in PostgreSQL.
    fn comment_end(&self) -> Option<usize> {
        let (mut pos, mut depth) = (self.pos + 2, 1_usize);
        while pos + 1 < self.sql.len() {
            match (self.sql[pos], self.sql[pos + 1]) {
                (b'/', b'*') => depth += 1,
                (b'*', b'/') if depth == 1 => return Some(pos + 2),
                (b'*', b'/') => depth -= 1,
                _ => {
                    pos += 1;
                    continue;
                }
            }
            pos += 2;
        }
        None
    }

    fn note_hint(&mut self, end: usize) {
        let inside = self.sql.get(self.pos + 2..end.saturating_sub(2)).unwrap_or_default();
        let inside = inside.trim_ascii();
        if inside.eq_ignore_ascii_case(b"@writer") {
            self.hint = Some(Target::Writer);
        } else if inside.eq_ignore_ascii_case(b"@reader") {
            // Of two hints the careful one counts.
            self.hint = self.hint.or(Some(Target::Reader));
        } else if let Some((word, level)) = inside.split_at_checked(FRESH.len())
            && word.eq_ignore_ascii_case(FRESH)
            && level.first().is_none_or(u8::is_ascii_whitespace)
        {
            let level = std::str::from_utf8(level).unwrap_or_default().trim();
            // What cannot be read, and two that differ, ask for the most.
            let asked = Freshness::of_hint(level).unwrap_or(Freshness::Strong);
            let before = self.freshness.replace(asked);
            if before.is_some_and(|before| before != asked) {
                self.freshness = Some(Freshness::Strong);
            }
        }
    }
}
