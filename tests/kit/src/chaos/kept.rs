//! Parts of what was read.

use std::borrow::Cow;

/// What is left of some bytes; a copy only where something was put in.
#[derive(Debug)]
pub(crate) struct Kept<'a> {
    bytes: &'a [u8],
    /// What comes before is dealt with.
    from: usize,
    parts: Option<Cow<'a, [u8]>>,
}

impl<'a> Kept<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, from: 0, parts: None }
    }

    /// Leaves out the bytes that are not dealt with, up to here.
    pub(crate) fn skip(&mut self, end: usize) {
        self.from = end;
    }

    /// Keeps the bytes that are not dealt with, up to here.
    pub(crate) fn keep(&mut self, end: usize) {
        let end = end.min(self.bytes.len()).max(self.from);
        let part = &self.bytes[self.from..end];
        self.from = end;
        match &mut self.parts {
            None => self.parts = Some(part.into()),
            Some(parts) => parts.to_mut().extend_from_slice(part),
        }
    }

    pub(crate) fn insert(&mut self, other: &[u8]) {
        self.parts.get_or_insert_default().to_mut().extend_from_slice(other);
    }

    pub(crate) fn all(self) -> Cow<'a, [u8]> {
        self.parts.unwrap_or_default()
    }
}
