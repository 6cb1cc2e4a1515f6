//! SQL: what the classifier says of any text, and of texts about which there is no doubt.

use super::bytes::Bytes;
use crate::sql::{
    Classification, Rules, SqlDialect, StatementCache, Target, TransactionEffect, Verdict, classify,
};

/// Words that begin statements which write, whatever follows.
const WRITES: [&str; 10] = [
    "insert", "UPDATE", "Delete", "MERGE", "truncate", "CREATE", "drop", "ALTER", "GRANT", "VACUUM",
];

/// What may stand before a statement without any effect.
const BLANKS: [&str; 6] =
    ["", " ", "/* a /* nested */ comment */", "-- a line\n", ";\n;", "/*@reader*/ "];

/// A text, and what is found about it.
struct Subject {
    dialect: SqlDialect,
    text: String,
    found: Classification,
}

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let (first, word) = (bytes.byte(), bytes.pick(&WRITES));
    let dialect = if first < 128 { SqlDialect::Postgres } else { SqlDialect::MySql };
    let blank = BLANKS[usize::from(first & 127) % BLANKS.len()];
    let subject = Subject::new(dialect, bytes.rest());
    subject.is_consistent();
    subject.is_remembered();
    subject.is_no_read_under_stricter_rules();
    subject.is_the_same_when_spaced();
    Subject::new(dialect, format!("{blank}{word} {}", subject.text)).is_a_write();
    subject.is_a_write_with_one_behind();
}

impl Subject {
    fn new(dialect: SqlDialect, text: String) -> Self {
        let found = classify(dialect, &text, &Rules::default());
        Self { dialect, text, found }
    }

    /// Whether the server can read the text, as far as we see.
    fn is_whole(&self) -> bool {
        self.found.transaction_effect() != TransactionEffect::Unclear
    }

    fn is_consistent(&self) {
        let Self { text, found, .. } = self;
        assert!(!found.reason().is_empty());
        if found.verdict() == Verdict::Read || found.rerunnable() {
            assert_eq!(found.transaction_effect(), TransactionEffect::None, "{text:?}");
            assert!(!found.leaves_session_state(), "{text:?}");
        }
    }

    /// What is remembered is what was found, and a text that a reader refused goes to the writer.
    fn is_remembered(&self) {
        let (cache, rules) = (StatementCache::new(self.dialect, 64), Rules::default());
        for _ in 0..2 {
            assert_eq!(cache.classify(&self.text, &rules), self.found, "{:?}", self.text);
        }
        cache.remember_write(&self.text);
        let refused = cache.classify(&self.text, &rules);
        assert_eq!(refused.route(), Target::Writer, "{:?}", self.text);
    }

    /// Rules that trust no function never make a read of what is none.
    fn is_no_read_under_stricter_rules(&self) {
        let rules = Rules::default().unknown_functions_write(true);
        let strict = classify(self.dialect, &self.text, &rules);
        let is_read = |found: &Classification| found.verdict() == Verdict::Read;
        assert!(!is_read(&strict) || is_read(&self.found), "{:?}", self.text);
    }

    /// A comment before a text changes nothing, nor does a semicolon behind one that is whole. In
    /// MySQL it may: a line's end closes a comment in one reading of a text only.
    fn is_the_same_when_spaced(&self) {
        let behind = Self::new(self.dialect, format!("/* c */ {}", self.text));
        assert_eq!(behind.found, self.found, "{:?}", self.text);
        if self.is_whole() && self.dialect == SqlDialect::Postgres {
            let ended = Self::new(self.dialect, format!("{}\n;", self.text));
            assert_eq!(ended.found, self.found, "{:?}", self.text);
        }
    }

    fn is_a_write(&self) {
        let Self { text, found, .. } = self;
        assert_ne!(found.verdict(), Verdict::Read, "{text:?}");
        assert!(!found.rerunnable(), "{text:?}");
        // What the server cannot even read may go anywhere, where a hint asks for it.
        assert!(!self.is_whole() || found.route() == Target::Writer, "{text:?}: {found:?}");
    }

    /// A write that follows makes a write of everything.
    fn is_a_write_with_one_behind(&self) {
        let text = format!("{}\n; DELETE FROM t", self.text);
        let Self { found, text, .. } = Self::new(self.dialect, text);
        assert_ne!(found.verdict(), Verdict::Read, "{text:?}");
        assert!(!found.rerunnable(), "{text:?}");
        assert!(!self.is_whole() || found.route() == Target::Writer, "{text:?}: {found:?}");
    }
}
