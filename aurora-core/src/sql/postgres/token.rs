//! What a text is made of.

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
