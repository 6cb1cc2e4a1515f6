//! What a single byte says: tables after the servers' character classes.

pub(super) const SPACE: u8 = 1;
pub(super) const IDENT: u8 = 2;
pub(super) const DIGIT: u8 = 4;

/// Character classes: every byte of a non-ASCII character belongs to identifiers.
static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = match i as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => SPACE,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80..=0xff => IDENT,
            b'0'..=b'9' => IDENT | DIGIT,
            _ => 0,
        };
        i += 1;
    }
    table
};

#[inline]
pub(super) fn class(byte: u8) -> u8 {
    CLASS[usize::from(byte)]
}

/// What the first byte of a token says of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    At,
    Backtick,
    Close,
    Colon,
    Comma,
    /// A comment begins or ends with it.
    Comment,
    Digit,
    Dot,
    /// No byte at all.
    End,
    Name,
    Open,
    Other,
    Param,
    Quote,
    Semicolon,
    Space,
    Zero,
}

static LEAD: [Lead; 256] = {
    let mut table = [Lead::Other; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = match i as u8 {
            0 => Lead::Zero,
            b'@' => Lead::At,
            b'`' => Lead::Backtick,
            b')' => Lead::Close,
            b':' => Lead::Colon,
            b',' => Lead::Comma,
            b'#' | b'-' | b'/' | b'*' => Lead::Comment,
            b'.' => Lead::Dot,
            b'(' => Lead::Open,
            b'?' => Lead::Param,
            b'\'' | b'"' => Lead::Quote,
            b';' => Lead::Semicolon,
            _ if CLASS[i] & SPACE != 0 => Lead::Space,
            _ if CLASS[i] & DIGIT != 0 => Lead::Digit,
            _ if CLASS[i] & IDENT != 0 => Lead::Name,
            _ => Lead::Other,
        };
        i += 1;
    }
    table
};

/// What begins with this byte.
#[inline]
pub(super) fn lead(byte: u8) -> Lead {
    LEAD[usize::from(byte)]
}
