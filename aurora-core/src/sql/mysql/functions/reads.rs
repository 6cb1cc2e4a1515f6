//! Names in front of a parenthesis that only read: the server's functions, and its syntax.
//!
//! Only matters for whether a read may be run again, and for `unknown_functions_write`: a function
//! that is missing here is taken for one of the user's.

use crate::sql::index::Index;

/// One name per line, sorted. Sources: `information_schema.sql_functions` of MariaDB 10.11 without the
/// functions in `effects.rs`; the words of its grammar and the types that may stand before a
/// parenthesis; and, added by hand and not checked against a server, the functions of MySQL 8.4.
const TEXT: &str = include_str!("reads.txt");

const COUNT: usize = {
    let (bytes, mut at, mut count) = (TEXT.as_bytes(), 0, 0);
    while at < bytes.len() {
        count += (bytes[at] == b'\n') as usize;
        at += 1;
    }
    count
};

/// Begin and end of each line.
static LINES: [(u16, u16); COUNT] = {
    let (bytes, mut lines) = (TEXT.as_bytes(), [(0, 0); COUNT]);
    let (mut at, mut start, mut line) = (0, 0, 0);
    while at < bytes.len() {
        if bytes[at] == b'\n' {
            lines[line] = (start as u16, at as u16);
            line += 1;
            start = at + 1;
        }
        at += 1;
    }
    assert!(at <= u16::MAX as usize, "the list has outgrown its index");
    lines
};

const fn line(at: usize) -> &'static [u8] {
    let (start, end) = LINES[at];
    TEXT.as_bytes().split_at(end as usize).0.split_at(start as usize).1
}

static INDEX: Index<4096> = {
    let (mut index, mut at) = (Index::new(), 0);
    while at < COUNT {
        index.insert(line(at), at);
        at += 1;
    }
    index
};

/// Whether the list has this name, which must be in lower case; `hash` is its [`crate::sql::index::hash`].
pub(super) fn contains(name: &[u8], hash: u32) -> bool {
    INDEX.find(hash, |at| line(at) == name).is_some()
}

#[cfg(test)]
mod tests {
    use super::super::effects;
    use super::{COUNT, TEXT};
    use crate::sql::index::hash;

    fn contains(name: &[u8]) -> bool {
        super::contains(name, hash(name))
    }

    #[test]
    fn the_list_is_sorted_and_every_name_is_found() {
        let names: Vec<&str> = TEXT.lines().collect();
        assert_eq!(names.len(), COUNT, "the last line ends");
        assert!(names.is_sorted_by(|a, b| a < b), "sorted, no name twice");
        for name in names {
            assert!(contains(name.as_bytes()), "{name}");
            assert!(name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')));
        }
        assert!(!contains(b"") && !contains(b"zzz") && !contains(b"nextval"));
    }

    #[test]
    fn no_name_is_in_both_lists() {
        for name in TEXT.lines() {
            let known = effects::of_function(name.as_bytes(), hash(name.as_bytes()));
            assert!(known.is_none(), "{name}");
        }
    }
}
