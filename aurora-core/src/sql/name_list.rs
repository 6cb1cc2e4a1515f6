//! A fixed list of names in a text, one a line, that is searched by hash.

use super::index::Index;

/// How many names a text has.
pub(super) const fn count(text: &str) -> usize {
    let (bytes, mut at, mut count) = (text.as_bytes(), 0, 0);
    while at < bytes.len() {
        count += (bytes[at] == b'\n') as usize;
        at += 1;
    }
    count
}

/// The names of a text; `COUNT` is its [`count`].
pub(super) struct NameList<const COUNT: usize> {
    text: &'static str,
    /// Begin and end of each line.
    lines: [(u16, u16); COUNT],
    index: Index<4096>,
}

impl<const COUNT: usize> NameList<COUNT> {
    pub(super) const fn new(text: &'static str) -> Self {
        let bytes = text.as_bytes();
        let mut list = Self { text, lines: [(0, 0); COUNT], index: Index::new() };
        let (mut at, mut start, mut line) = (0, 0, 0);
        while at < bytes.len() {
            if bytes[at] == b'\n' {
                list.lines[line] = (start as u16, at as u16);
                list.index.insert(bytes.split_at(at).0.split_at(start).1, line);
                line += 1;
                start = at + 1;
            }
            at += 1;
        }
        assert!(at <= u16::MAX as usize, "the list has outgrown its index");
        list
    }

    /// Whether the list has this name, which must be in lower case; `hash` is its
    /// [`hash`](super::index::hash).
    pub(super) fn contains(&self, name: &[u8], hash: u32) -> bool {
        let is = |place: usize| {
            let (start, end) = self.lines[place];
            &self.text.as_bytes()[usize::from(start)..usize::from(end)] == name
        };
        self.index.find(hash, is).is_some()
    }

    /// All names, after a look at whether the list is as it should be.
    #[cfg(test)]
    pub(super) fn checked(&self) -> impl Iterator<Item = &'static str> {
        use super::index::hash;
        let names: Vec<&str> = self.text.lines().collect();
        assert_eq!(names.len(), COUNT, "the last line ends");
        assert!(names.is_sorted_by(|a, b| a < b), "sorted, no name twice");
        for name in &names {
            assert!(self.contains(name.as_bytes(), hash(name.as_bytes())), "{name}");
            assert!(name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')));
        }
        for name in ["", "zzz", "nextval"] {
            assert!(!self.contains(name.as_bytes(), hash(name.as_bytes())), "{name:?}");
        }
        names.into_iter()
    }
}
