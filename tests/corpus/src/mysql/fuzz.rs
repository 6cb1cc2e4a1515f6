//! Texts in which something dangerous is hidden, or seems to be: what becomes of it is for the
//! server to say.

/// Queries with places where something can be put: `~` in a list of columns, `^` at the end.
const QUERIES: [&str; 6] = [
    "SELECT a ~ FROM t ^",
    "SELECT 'x~', b ~ FROM t WHERE b = \"y~\" ^",
    "SELECT 1 AS `a~` ~ FROM t LIMIT 1 ^",
    "SELECT 1 ~ ^",
    "SELECT a /* ~ */ FROM t -- ^",
    "SELECT a # ~\n ~ FROM t WHERE b = 'a\\\\~' ^",
];

/// What a reader must not do, in a list of columns and at the end.
const IN_LIST: [&str; 4] =
    [", GET_LOCK('z', 0) ", ", @y := 1 ", ", NEXTVAL(s) ", ", LAST_INSERT_ID(7) "];
const AT_END: [&str; 4] = [" FOR UPDATE ", " INTO @x ", "; DELETE FROM u ", " LOCK IN SHARE MODE "];

/// What is put around it, whole.
const AROUND: [(&str, &str); 13] = [
    ("", ""),
    ("", ""),
    ("/*", "*/"),
    ("/*!", "*/"),
    ("/*!50000", "*/"),
    ("/*!50701 ", "*/"),
    ("/*!99999 ", "*/"),
    ("/*M!100100 ", "*/"),
    ("/*+ ", "*/"),
    ("-- ", "\n"),
    ("--", "\n"),
    ("#", "\n"),
    ("'", "'"),
];

/// What may end or begin anything.
const SCRAPS: [&str; 16] = [
    "/*",
    "*/",
    "/*!",
    "/*!99999 ",
    "-- ",
    "#",
    "\n",
    "'",
    "\"",
    "`",
    "\\",
    "\\'",
    "\\\"",
    "''",
    "(",
    ")",
];

/// The same texts for the same seed.
#[derive(Debug)]
pub(crate) struct Fuzz {
    random: fastrand::Rng,
}

impl Fuzz {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed) }
    }

    /// A text that maybe hides something.
    pub(crate) fn text(&mut self) -> String {
        let query = QUERIES[self.random.usize(..QUERIES.len())];
        let mut text = String::new();
        for part in query.split_inclusive(['~', '^']) {
            text += part.trim_end_matches(['~', '^']);
            let dangers = match part.as_bytes().last() {
                Some(b'~') => IN_LIST,
                Some(b'^') => AT_END,
                _ => continue,
            };
            if self.random.bool() {
                let (before, after) = AROUND[self.random.usize(..AROUND.len())];
                self.scrap(&mut text);
                text += before;
                self.scrap(&mut text);
                text += dangers[self.random.usize(..dangers.len())];
                self.scrap(&mut text);
                text += after;
                self.scrap(&mut text);
            }
        }
        text
    }

    fn scrap(&mut self, text: &mut String) {
        if self.random.u8(..12) == 0 {
            *text += SCRAPS[self.random.usize(..SCRAPS.len())];
        }
    }
}
