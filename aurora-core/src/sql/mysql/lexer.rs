//! A zero-copy tokenizer of the SQL of MySQL and MariaDB, after the servers' own `sql/sql_lex.cc`.
//!
//! It works on bytes and never fails: text that the server could not tokenize ends in [`Kind::Bad`].
//! It reads UTF-8; a session that told the server another character set, in which a byte of a
//! character looks like a quote or a backslash (GBK, Shift JIS), is not understood.

use super::bytes::{IDENT, Lead, class, lead};
use super::token::{Kind, Token};
use crate::sql::Target;
use crate::sql::cursor::Tokens;

/// How the server reads strings: `sql_mode`, which no text tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strings {
    /// The default: a backslash escapes in `'…'` and in `"…"`, which is a string.
    Escaping,
    /// `NO_BACKSLASH_ESCAPES`: a backslash is itself, everywhere.
    Plain,
    /// `ANSI_QUOTES`: a backslash escapes in `'…'`; `"…"` is a name, where it is itself.
    NamesInDouble,
}

/// One way to read a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) strings: Strings,
    /// Whether the server executes what is in `/*! … */`.
    pub(super) executes: bool,
}

/// What makes another reading necessary, or every reading doubtful.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Doubts {
    /// A quote after a backslash was met: the readings of strings differ from here on.
    pub(super) backslash_quote: bool,
    /// The condition of the executable comments: their digits, plus a million for `/*M!`.
    pub(super) condition: Option<u32>,
    /// Comments that servers may end in different places, or executable comments of different
    /// conditions: the readings that we take are not all there are.
    pub(super) odd: bool,
}

/// The tokenizer. Hints and doubts met on the way are kept for the end.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    pub(super) sql: &'a [u8],
    pub(super) pos: usize,
    pub(super) reading: Reading,
    /// Inside an executable comment.
    pub(super) inside: bool,
    pub(super) hint: Option<Target>,
    pub(super) doubts: Doubts,
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
    pub(super) fn new(sql: &'a str, reading: Reading) -> Self {
        let doubts = Doubts::default();
        Self { sql: sql.as_bytes(), pos: 0, reading, inside: false, hint: None, doubts }
    }

    pub(super) fn hint(&self) -> Option<Target> {
        self.hint
    }

    pub(super) fn doubts(&self) -> Doubts {
        self.doubts
    }

    pub(super) fn at(&self, pos: usize) -> u8 {
        self.sql.get(pos).copied().unwrap_or(0)
    }

    /// The position after all bytes of one class.
    pub(super) fn span(&self, mut pos: usize, wanted: u8) -> usize {
        while pos < self.sql.len() && class(self.sql[pos]) & wanted != 0 {
            pos += 1;
        }
        pos
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
            Lead::Name => return (Kind::Word, self.span(pos, IDENT)),
            Lead::Backtick => {
                let end = self.doubled_end(pos + 1, b'`');
                return self.closed(Kind::Quoted, end);
            }
            Lead::Quote => return self.string(pos, byte),
            Lead::Digit => return (Kind::Number, self.number(pos)),
            Lead::Dot if self.at(pos + 1).is_ascii_digit() => {
                return (Kind::Number, self.number(pos + 1));
            }
            Lead::At => return self.variable(),
            Lead::Colon if self.at(pos + 1) == b'=' => return (Kind::Assign, pos + 2),
            Lead::Comment => return self.comment_or_operator(),
            Lead::End => return (self.end(), pos),
            // A server's text ends at a zero byte in some places and goes on in others.
            Lead::Zero => return (Kind::Bad, self.sql.len()),
            Lead::Dot => Kind::Dot,
            Lead::Comma => Kind::Comma,
            Lead::Open => Kind::Open,
            Lead::Close => Kind::Close,
            Lead::Semicolon => Kind::Semicolon,
            Lead::Param => Kind::Param,
            Lead::Colon | Lead::Other | Lead::Space => Kind::Other,
        };
        (kind, pos + 1)
    }

    /// An executable comment without an end is said once: the end comes for ever.
    fn end(&mut self) -> Kind {
        if std::mem::take(&mut self.inside) { Kind::Bad } else { Kind::End }
    }

    /// Digits and points; letters behind them are a word of their own, which is never less than
    /// what the server sees.
    #[inline(never)]
    fn number(&self, mut pos: usize) -> usize {
        while self.at(pos).is_ascii_digit() || self.at(pos) == b'.' {
            pos += 1;
        }
        pos
    }

    #[inline(never)]
    fn string(&mut self, pos: usize, quote: u8) -> (Kind, usize) {
        // `"…"` may be a string or a name, so it is taken for what it could do as a name.
        let kind = if quote == b'"' { Kind::Quoted } else { Kind::Text };
        let escapes = match self.reading.strings {
            Strings::Escaping => true,
            Strings::Plain => false,
            Strings::NamesInDouble => quote == b'\'',
        };
        let end = if escapes {
            self.escaped_end(pos + 1, quote)
        } else {
            self.doubled_end(pos + 1, quote)
        };
        self.closed(kind, end)
    }

    /// `@name`, `@'name'`, `@@name`, `@@scope.name` and a lonely `@`, as in `user@host`.
    #[inline(never)]
    fn variable(&mut self) -> (Kind, usize) {
        let pos = self.pos;
        if self.at(pos + 1) == b'@' {
            let mut end = self.span(pos + 2, IDENT);
            while self.at(end) == b'.' && class(self.at(end + 1)) & IDENT != 0 {
                end = self.span(end + 1, IDENT);
            }
            return (Kind::Setting, end);
        }
        match self.at(pos + 1) {
            b'`' => {
                let end = self.doubled_end(pos + 2, b'`');
                self.closed(Kind::Variable, end)
            }
            quote @ (b'\'' | b'"') => {
                let (kind, end) = self.string(pos + 1, quote);
                (if kind == Kind::Bad { kind } else { Kind::Variable }, end)
            }
            _ => {
                let mut end = self.span(pos + 1, IDENT);
                while self.at(end) == b'.' {
                    end = self.span(end + 1, IDENT);
                }
                (Kind::Variable, end)
            }
        }
    }

    /// A token until `end`, or the end of all sense.
    fn closed(&self, kind: Kind, end: Option<usize>) -> (Kind, usize) {
        match end {
            Some(end) => (kind, end),
            None => (Kind::Bad, self.sql.len()),
        }
    }

    /// Where a string or name ends in which a doubled quote stands for one.
    fn doubled_end(&mut self, mut pos: usize, quote: u8) -> Option<usize> {
        while let Some(&byte) = self.sql.get(pos) {
            pos += 1;
            if byte != quote {
                continue;
            }
            if quote != b'`' && self.at(pos - 2) == b'\\' {
                self.doubts.backslash_quote = true;
            }
            if self.at(pos) != quote {
                return Some(pos);
            }
            pos += 1;
        }
        None
    }

    /// The same where a backslash escapes, too.
    fn escaped_end(&mut self, mut pos: usize, quote: u8) -> Option<usize> {
        while let Some(&byte) = self.sql.get(pos) {
            pos += 1;
            if byte == b'\\' {
                // Also `\\'`: whether the quote ends the string is the question.
                let next = self.at(pos);
                self.doubts.backslash_quote |=
                    next == quote || (next == b'\\' && self.at(pos + 1) == quote);
                pos += 1;
            } else if byte == quote {
                if self.at(pos) != quote {
                    return Some(pos);
                }
                pos += 1;
            }
        }
        None
    }
}
