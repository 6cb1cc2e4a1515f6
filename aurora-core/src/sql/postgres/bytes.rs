//! What a single byte says: tables after `scan.l`.

pub(super) const SPACE: u8 = 1;
pub(super) const IDENT_START: u8 = 2;
pub(super) const IDENT: u8 = 4;
pub(super) const OPERATOR: u8 = 8;
pub(super) const DIGIT: u8 = 16;

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

#[inline]
pub(super) fn class(byte: u8) -> u8 {
    CLASS[usize::from(byte)]
}

/// What the first byte of a token says of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
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

/// What begins with this byte.
#[inline]
pub(super) fn lead(byte: u8) -> Lead {
    LEAD[usize::from(byte)]
}
