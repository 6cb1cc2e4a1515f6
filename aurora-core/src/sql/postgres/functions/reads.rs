//! Names in front of a parenthesis that only read: the server's functions, and its syntax.
//!
//! Only matters for whether a read may be run again, and for `unknown_functions_write`: a function
//! that is missing here is taken for one of the user's.

use crate::sql::name_list::{NameList, count};

/// One name per line, sorted. Source: `pg_proc` of PostgreSQL 15 (schema `pg_catalog`) without the
/// functions in `effects.rs` and those called by the server only (type input and output, operators,
/// triggers, handlers). Added by hand, and not checked against a server: functions of PostgreSQL 16
/// to 18 and of common extensions, and the words and types which SQL writes before a parenthesis.
const TEXT: &str = include_str!("reads.txt");

static NAMES: NameList<{ count(TEXT) }> = NameList::new(TEXT);

/// Whether the list has this name, which must be in lower case; `hash` is its [`crate::sql::index::hash`].
pub(super) fn contains(name: &[u8], hash: u32) -> bool {
    NAMES.contains(name, hash)
}

#[cfg(test)]
mod tests {
    use super::super::effects;
    use super::NAMES;
    use crate::sql::index::hash;

    #[test]
    fn no_name_is_in_both_lists() {
        for name in NAMES.checked() {
            let known = effects::of_function(name.as_bytes(), hash(name.as_bytes()));
            assert!(known.is_none(), "{name}");
        }
    }
}
