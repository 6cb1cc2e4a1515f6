//! What the application knows about its own functions.

use std::hash::{DefaultHasher, Hash, Hasher};

/// What the application knows about functions that are not the server's own.
///
/// By default an unknown function is taken as a read. Names are given as the catalogue spells them:
/// in lower case unless they were created quoted, with or without their schema (`touch_user`,
/// `app.touch_user`). They override the built-in list; a name in both lists writes.
///
/// ```
/// use aurora_core::sql::{Rules, SqlDialect, Verdict, classify};
///
/// let judge = |sql, rules: &Rules| classify(SqlDialect::Postgres, sql, rules).verdict();
/// let rules = Rules::default().write_functions(["touch_user"]);
/// assert_eq!(judge("SELECT Touch_User($1)", &rules), Verdict::Write);
///
/// let strict = Rules::default().unknown_functions_write(true).read_functions(["app.price"]);
/// assert_eq!(judge("SELECT app.price($1)", &strict), Verdict::Read);
/// assert_eq!(judge("SELECT app.order($1)", &strict), Verdict::Write);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    unknown_functions_write: bool,
    reads: Vec<Box<str>>,
    writes: Vec<Box<str>>,
    fingerprint: u64,
}

impl Rules {
    /// Whether a function that neither the server's list nor these rules know is taken as a write.
    /// Default: `false`.
    #[must_use]
    pub fn unknown_functions_write(mut self, write: bool) -> Self {
        self.unknown_functions_write = write;
        self.refresh()
    }

    /// Adds functions that only read, and may be run again.
    #[must_use]
    pub fn read_functions<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.reads.extend(names.into_iter().map(|name| name.into().into_boxed_str()));
        self.refresh()
    }

    /// Adds functions that write.
    #[must_use]
    pub fn write_functions<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.writes.extend(names.into_iter().map(|name| name.into().into_boxed_str()));
        self.refresh()
    }

    fn refresh(mut self) -> Self {
        self.reads.sort_unstable();
        self.writes.sort_unstable();
        let mut hasher = DefaultHasher::new();
        (self.unknown_functions_write, &self.reads, &self.writes).hash(&mut hasher);
        self.fingerprint = hasher.finish();
        self
    }

    /// Tells two sets of rules apart in a cache key.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    pub(crate) fn unknown_is_write(&self) -> bool {
        self.unknown_functions_write
    }

    pub(crate) fn lists_writes(&self) -> bool {
        !self.writes.is_empty()
    }

    /// `Some(true)`: listed as writing; `Some(false)`: as reading. `full` is `schema.name`.
    pub(crate) fn listed(&self, full: &[u8], name: &[u8]) -> Option<bool> {
        let within = |list: &[Box<str>]| {
            let find = |wanted| list.binary_search_by(|entry| entry.as_bytes().cmp(wanted)).is_ok();
            !list.is_empty() && (find(name) || find(full))
        };
        if within(&self.writes) {
            Some(true)
        } else if within(&self.reads) {
            Some(false)
        } else {
            None
        }
    }
}
