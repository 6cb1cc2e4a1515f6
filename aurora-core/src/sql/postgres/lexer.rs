//! A zero-copy tokenizer of PostgreSQL's SQL, after the server's own `src/backend/parser/scan.l`.
//!
//! It works on bytes and never fails: text that the server could not tokenize ends in [`Kind::Bad`].

use super::bytes::{DIGIT, IDENT, IDENT_START, Lead, OPERATOR, SPACE, class, lead};
use super::token::{Kind, Token};
use crate::config::Freshness;
use crate::sql::Target;
use crate::sql::cursor::Tokens;

/// How the server reads a backslash in an ordinary `'…'` string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strings {
    /// `standard_conforming_strings = off`: as an escape.
    Backslash,
    /// `standard_conforming_strings = on`, the default since PostgreSQL 9.1: as itself.
    Standard,
}

/// The tokenizer. Hints and doubts met on the way are kept for the end.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a> {
    pub(super) sql: &'a [u8],
    pub(super) pos: usize,
    strings: Strings,
    pub(super) hint: Option<Target>,
    pub(super) freshness: Option<Freshness>,
    /// A quote after a backslash was met: the two readings of strings differ from here on.
    backslash_quote: bool,
}

impl<'a> Tokens<'a> for Lexer<'a> {
    type Kind = Kind;

    #[inline]
    fn next_into(&mut self, token: &mut Token<'a>) {
        let (kind, end) = self.scan();
        let end = end.min(self.sql.len());
        token.kind = kind;
        token.text = self.sql.get(self.pos..end).unwrap_or_default();
        self.pos = end;
    }
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(sql: &'a str, strings: Strings) -> Self {
        Self {
            sql: sql.as_bytes(),
            pos: 0,
            strings,
            hint: None,
            freshness: None,
            backslash_quote: false,
        }
    }

    pub(crate) fn freshness(&self) -> Option<Freshness> {
        self.freshness
    }

    pub(crate) fn hint(&self) -> Option<Target> {
        self.hint
    }

    pub(crate) fn backslash_quote(&self) -> bool {
        self.backslash_quote
    }

    pub(super) fn at(&self, pos: usize) -> u8 {
        self.sql.get(pos).copied().unwrap_or(0)
    }

    /// The position after all bytes of one class.
    pub(super) fn span(&self, mut pos: usize, wanted: u8) -> usize {
        while let Some(&byte) = self.sql.get(pos) {
            if class(byte) & wanted == 0 {
                break;
            }
            pos += 1;
        }
        pos
    }

    /// A token until `end`, or the end of all sense.
    fn closed(&self, kind: Kind, end: Option<usize>) -> (Kind, usize) {
        match end {
            Some(end) => (kind, end),
            None => (Kind::Bad, self.sql.len()),
        }
    }

    /// Moves to the next token; says what it is and where it ends.
    ///
    /// What is rare is never inlined here: for what it needs, registers would be saved and restored
    /// with every token.
    pub(super) fn scan(&mut self) -> (Kind, usize) {
        let mut pos = self.pos;
        let (byte, lead) = loop {
            let Some(&byte) = self.sql.get(pos) else { break (0, Lead::End) };
            let lead = lead(byte);
            if lead != Lead::Space {
                break (byte, lead);
            }
            pos += 1;
        };
        self.pos = pos;
        let kind = match lead {
            Lead::Name => return self.word(byte),
            Lead::Quote => return self.closed(Kind::Quoted, self.doubled_end(pos + 1, b'"')),
            Lead::Dot if class(self.at(pos + 1)) & DIGIT != 0 => return self.number(),
            Lead::Digit => return self.number(),
            Lead::Dollar => return self.dollar(),
            Lead::Operator => return self.operator(),
            Lead::Text => return self.plain_string(),
            Lead::Colon if self.at(pos + 1) == b':' => return (Kind::Cast, pos + 2),
            Lead::Comment => return self.comment_or_operator(),
            Lead::End => return (Kind::End, pos),
            Lead::Dot => Kind::Dot,
            Lead::Comma => Kind::Comma,
            Lead::Open => Kind::Open,
            Lead::Close => Kind::Close,
            Lead::Semicolon => Kind::Semicolon,
            Lead::Colon | Lead::Other | Lead::Space => Kind::Other,
        };
        (kind, pos + 1)
    }

    /// The position after a closing quote; a doubled quote stands for itself.
    fn doubled_end(&self, mut pos: usize, quote: u8) -> Option<usize> {
        loop {
            pos += self.sql.get(pos..)?.iter().position(|&byte| byte == quote)? + 1;
            if self.at(pos) != quote {
                return Some(pos);
            }
            pos += 1;
        }
    }

    /// As [`Self::doubled_end`] with `\` as an escape.
    fn escaped_end(&self, mut pos: usize) -> Option<usize> {
        loop {
            match *self.sql.get(pos)? {
                b'\\' => pos += 2,
                b'\'' if self.at(pos + 1) == b'\'' => pos += 2,
                b'\'' => return Some(pos + 1),
                _ => pos += 1,
            }
        }
    }

    #[inline(never)]
    fn plain_string(&mut self) -> (Kind, usize) {
        if self.strings == Strings::Backslash {
            return self.escape_string(1);
        }
        let end = self.doubled_end(self.pos + 1, b'\'');
        let inside = self.sql.get(self.pos + 1..end.unwrap_or(self.sql.len()));
        self.backslash_quote |= inside.unwrap_or_default().windows(2).any(|pair| pair == b"\\'");
        self.closed(Kind::Text, end)
    }

    /// `E'…'`, and its continuations on further lines, which keep the escape rules.
    fn escape_string(&self, prefix: usize) -> (Kind, usize) {
        let mut end = self.escaped_end(self.pos + prefix);
        while let Some(quote) = end.and_then(|end| self.continuation(end)) {
            end = self.escaped_end(quote + 1);
        }
        self.closed(Kind::Text, end)
    }

    /// The opening quote of a string that continues one ended at `pos`: only white space and line
    /// comments in between, with at least one line break.
    fn continuation(&self, mut pos: usize) -> Option<usize> {
        let mut line_break = false;
        loop {
            match self.at(pos) {
                b'\n' | b'\r' => line_break = true,
                b'-' if self.at(pos + 1) == b'-' => {
                    pos = self.line_end(pos);
                    continue;
                }
                b'\'' if line_break => return Some(pos),
                byte if class(byte) & SPACE == 0 => return None,
                _ => {}
            }
            pos += 1;
        }
    }

    /// An identifier, keyword, or a prefix letter with its string.
    fn word(&self, first: u8) -> (Kind, usize) {
        if matches!(self.at(self.pos + 1), b'\'' | b'&') {
            return self.prefixed(first);
        }
        (Kind::Word, self.span(self.pos + 1, IDENT))
    }

    /// `E'…'`, `B'…'`, `X'…'`, `U&'…'`, `U&"…"`, or a word of one letter after all.
    #[inline(never)]
    fn prefixed(&self, first: u8) -> (Kind, usize) {
        let pos = self.pos;
        match (first | 0x20, self.at(pos + 1), self.at(pos + 2)) {
            (b'e', b'\'', _) => return self.escape_string(2),
            (b'b' | b'x', b'\'', _) => {
                return self.closed(Kind::Text, self.doubled_end(pos + 2, b'\''));
            }
            (b'u', b'&', b'\'') => {
                return self.closed(Kind::Text, self.doubled_end(pos + 3, b'\''));
            }
            (b'u', b'&', b'"') => {
                return self.closed(Kind::Escaped, self.doubled_end(pos + 3, b'"'));
            }
            _ => {}
        }
        (Kind::Word, self.span(pos + 1, IDENT))
    }

    /// `12`, `1.5`, `.5`, `1e-3`. Letters after it begin a word, as they did before PostgreSQL 15.
    #[inline(never)]
    fn number(&self) -> (Kind, usize) {
        let mut end = self.span(self.pos, DIGIT);
        if self.at(end) == b'.' && self.at(end + 1) != b'.' {
            end = self.span(end + 1, DIGIT);
        }
        if self.at(end) | 0x20 == b'e' {
            let sign = usize::from(matches!(self.at(end + 1), b'+' | b'-'));
            if class(self.at(end + 1 + sign)) & DIGIT != 0 {
                end = self.span(end + 1 + sign, DIGIT);
            }
        }
        (Kind::Number, end)
    }

    /// `$1`, or `$tag$ … $tag$`, or a lone `$`.
    fn dollar(&self) -> (Kind, usize) {
        let after = self.pos + 1;
        if class(self.at(after)) & DIGIT != 0 {
            return (Kind::Param, self.span(after, DIGIT));
        }
        self.dollar_quoted(after)
    }

    /// `$tag$ … $tag$`, or a lone `$`; `after` is the place behind the first one.
    #[inline(never)]
    fn dollar_quoted(&self, after: usize) -> (Kind, usize) {
        let tag_end = self.span(after, IDENT_START | DIGIT);
        if self.at(tag_end) != b'$' {
            return (Kind::Other, after);
        }
        let tag = self.sql.get(self.pos..=tag_end).unwrap_or_default();
        let body = self.sql.get(tag_end + 1..).unwrap_or_default();
        let found = find(body, tag).map(|offset| tag_end + 1 + offset + tag.len());
        self.closed(Kind::Text, found)
    }

    /// An operator ends before a comment begins.
    #[inline(never)]
    pub(super) fn operator(&self) -> (Kind, usize) {
        let mut end = self.pos + 1;
        while class(self.at(end)) & OPERATOR != 0 {
            if matches!((self.at(end), self.at(end + 1)), (b'-', b'-') | (b'/', b'*')) {
                break;
            }
            end += 1;
        }
        (Kind::Other, end)
    }
}

/// The first place of a dollar-quote tag; linear in practice because `$` is rare in text.
fn find(text: &[u8], tag: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        from += text.get(from..)?.iter().position(|&byte| byte == b'$')?;
        if text.get(from..)?.starts_with(tag) {
            return Some(from);
        }
        from += 1;
    }
}
