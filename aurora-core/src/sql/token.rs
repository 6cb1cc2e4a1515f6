//! What a text is made of, whatever the dialect.

/// What the tokens of a dialect can be.
pub(super) trait Kinds: Copy + Eq + std::fmt::Debug {
    /// The text is over.
    const END: Self;
    /// An unquoted name or keyword.
    const WORD: Self;

    /// Whether it can name something.
    fn is_name(self) -> bool;

    /// Whether a statement is over with it, parentheses apart.
    fn ends_statement(self) -> bool;
}

/// A token and its text (quotes included).
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a, K> {
    pub(super) kind: K,
    pub(super) text: &'a [u8],
}

impl<K: Kinds> Token<'_, K> {
    pub(super) const NONE: Self = Token { kind: K::END, text: b"" };

    /// Whether this is the unquoted word `keyword` (given in lower case).
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.kind == K::WORD && self.text.eq_ignore_ascii_case(keyword.as_bytes())
    }

    pub(super) fn is_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is(keyword))
    }

    pub(super) fn is_name(&self) -> bool {
        self.kind.is_name()
    }
}
