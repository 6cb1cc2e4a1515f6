//! What a text is made of.

/// What a token is, as coarse as the rules allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `:=`.
    Assign,
    /// Unterminated string, name or comment: the rest of the text means nothing.
    Bad,
    Close,
    Comma,
    Dot,
    End,
    Number,
    Open,
    /// Operators, and every other character.
    Other,
    Param,
    /// `` `…` ``, and `"…"`, which is a string or a name.
    Quoted,
    Semicolon,
    /// `@@name`, `@@scope.name`.
    Setting,
    Text,
    /// `@name`.
    Variable,
    Word,
}

/// A token and its text (quotes included).
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a [u8],
}

impl Token<'_> {
    pub(super) const NONE: Self = Token { kind: Kind::End, text: b"" };

    /// Whether this is the unquoted word `keyword` (given in lower case).
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword.as_bytes())
    }

    pub(super) fn is_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is(keyword))
    }

    /// Whether this can name something.
    pub(super) fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted)
    }
}
