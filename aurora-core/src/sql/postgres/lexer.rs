//! A zero-copy tokenizer of PostgreSQL's SQL, after the server's own `src/backend/parser/scan.l`.
//!
//! It works on bytes and never fails: text that the server could not tokenize ends in [`Kind::Bad`].

use crate::config::Freshness;
use crate::sql::Target;

/// Begins a comment that says how recent the data must be.
const FRESH: &[u8] = b"@fresh";

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

/// A token and its text (quotes included).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a [u8],
}

impl Token<'_> {
    pub(super) const NONE: Self = Token { kind: Kind::End, text: b"" };

    /// Whether this is the unquoted word `keyword` (given in lower case).
    pub(crate) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword.as_bytes())
    }

    pub(crate) fn is_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is(keyword))
    }

    /// Whether this can name something.
    pub(crate) fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted | Kind::Escaped)
    }
}

/// How the server reads a backslash in an ordinary `'…'` string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strings {
    /// `standard_conforming_strings = off`: as an escape.
    Backslash,
    /// `standard_conforming_strings = on`, the default since PostgreSQL 9.1: as itself.
    Standard,
}

const SPACE: u8 = 1;
const IDENT_START: u8 = 2;
const IDENT: u8 = 4;
const OPERATOR: u8 = 8;
const DIGIT: u8 = 16;

/// Character classes of `scan.l`: every byte of a non-ASCII character belongs to identifiers.
static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = match i as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => SPACE,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xff => IDENT_START | IDENT,
            b'0'..=b'9' => IDENT | DIGIT,
            b'$' => IDENT,
            b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'+' | b'*' | b'%'
            | b'<' | b'>' | b'=' | b'-' | b'/' => OPERATOR,
            _ => 0,
        };
        i += 1;
    }
    table
};

fn class(byte: u8) -> u8 {
    CLASS[usize::from(byte)]
}

/// What the first byte of a token says of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lead {
    Close,
    Colon,
    Comma,
    /// `-` and `/`.
    Comment,
    Digit,
    Dollar,
    Dot,
    /// No byte at all.
    End,
    Name,
    Open,
    Operator,
    Other,
    Quote,
    Semicolon,
    Space,
    Text,
}

static LEAD: [Lead; 256] = {
    let mut table = [Lead::Other; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = match i as u8 {
            b',' => Lead::Comma,
            b'(' => Lead::Open,
            b')' => Lead::Close,
            b';' => Lead::Semicolon,
            b':' => Lead::Colon,
            b'-' | b'/' => Lead::Comment,
            b'$' => Lead::Dollar,
            b'.' => Lead::Dot,
            b'"' => Lead::Quote,
            b'\'' => Lead::Text,
            _ if CLASS[i] & SPACE != 0 => Lead::Space,
            _ if CLASS[i] & IDENT_START != 0 => Lead::Name,
            _ if CLASS[i] & DIGIT != 0 => Lead::Digit,
            _ if CLASS[i] & OPERATOR != 0 => Lead::Operator,
            _ => Lead::Other,
        };
        i += 1;
    }
    table
};

/// What became of a comment.
enum Comment {
    Endless,
    Skipped,
}

/// The tokenizer. Hints and doubts met on the way are kept for the end.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a> {
    sql: &'a [u8],
    pos: usize,
    strings: Strings,
    hint: Option<Target>,
    freshness: Option<Freshness>,
    /// A quote after a backslash was met: the two readings of strings differ from here on.
    backslash_quote: bool,
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

    fn at(&self, pos: usize) -> u8 {
        self.sql.get(pos).copied().unwrap_or(0)
    }

    /// The position after all bytes of one class.
    fn span(&self, mut pos: usize, wanted: u8) -> usize {
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

    fn line_end(&self, mut pos: usize) -> usize {
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

    /// Puts the next token in its place; [`Kind::End`] for ever after the last.
    ///
    /// Field by field: a whole token handed over through memory costs more than all the rest.
    #[inline]
    pub(crate) fn next_into(&mut self, token: &mut Token<'a>) {
        let (kind, end) = self.scan();
        let end = end.min(self.sql.len());
        token.kind = kind;
        token.text = self.sql.get(self.pos..end).unwrap_or_default();
        self.pos = end;
    }

    /// Moves to the next token; says what it is and where it ends.
    ///
    /// What is rare is never inlined here: for what it needs, registers would be saved and restored
    /// with every token.
    fn scan(&mut self) -> (Kind, usize) {
        let mut pos = self.pos;
        let (byte, lead) = loop {
            let Some(&byte) = self.sql.get(pos) else { break (0, Lead::End) };
            let lead = LEAD[usize::from(byte)];
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

    /// What follows the comments that begin here, or an operator.
    #[inline(never)]
    fn comment_or_operator(&mut self) -> (Kind, usize) {
        loop {
            match self.skip_comment() {
                Some(Comment::Skipped) => self.pos = self.span(self.pos, SPACE),
                Some(Comment::Endless) => return (Kind::Bad, self.sql.len()),
                None if LEAD[usize::from(self.at(self.pos))] == Lead::Comment => {
                    return self.operator();
                }
                // No comment begins here, so this is one step.
                None => return self.scan(),
            }
        }
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
    fn operator(&self) -> (Kind, usize) {
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
