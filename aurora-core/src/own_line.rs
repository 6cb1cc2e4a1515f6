//! What many threads write, kept apart from what all of them read.

use std::ops::Deref;

/// A value with cache lines of its own: 128 bytes, as processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct OwnLine<T>(T);

impl<T> Deref for OwnLine<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::OwnLine;

    #[test]
    fn neighbours_share_no_cache_line() {
        assert_eq!(size_of::<[OwnLine<AtomicU64>; 2]>(), 256);
        assert_eq!(align_of::<OwnLine<AtomicU64>>(), 128);
    }
}
