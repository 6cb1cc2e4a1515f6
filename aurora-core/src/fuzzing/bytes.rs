//! Choices out of bytes: every input means something, and a small change of it makes a small change
//! of what it means.

/// What is left of an input. At its end everything is zero.
#[derive(Debug)]
pub(super) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// One of the choices, of which there is at least one.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Up to fifteen bytes as text.
    pub(super) fn short_text(&mut self) -> String {
        let (text, rest) = self.0.split_at(usize::from(self.byte_ahead() & 15).min(self.0.len()));
        self.0 = rest;
        String::from_utf8_lossy(text.get(1..).unwrap_or_default()).into_owned()
    }

    fn byte_ahead(&self) -> u8 {
        self.0.first().map_or(0, |first| (first & 15).max(1))
    }

    /// All that is left as text.
    pub(super) fn rest(&mut self) -> String {
        String::from_utf8_lossy(std::mem::take(&mut self.0)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_means_something_and_comes_to_an_end() {
        let mut bytes = Bytes::new(b"\x05\x04abc\xffxyz");
        assert_eq!(bytes.pick(&[7, 8]), 8);
        assert_eq!(bytes.short_text(), "abc");
        assert!(bytes.flag());
        assert_eq!(bytes.rest(), "xyz");
        assert!(bytes.is_empty());
        assert_eq!((bytes.byte(), bytes.short_text()), (0, String::new()));
        // A length beyond the end, and one of nothing, consume what there is.
        let mut bytes = Bytes::new(b"\x00\x0fa");
        assert_eq!((bytes.short_text(), bytes.short_text()), (String::new(), "a".to_owned()));
        assert!(bytes.is_empty());
    }
}
