//! What an error of the server tells.

use super::reader::Try;
use crate::Truth;

/// The numbers of MariaDB's `errmsg-utf8.txt`.
pub(super) fn of_error(sql: &str, code: u16, words: &str, commands: &[String]) -> Try {
    let why = format!("{code}: {words} {commands:?}");
    let truth = match code {
        // ER_OPTION_PREVENTS_STATEMENT for --read-only, ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION,
        // ER_READ_ONLY_MODE
        1290 if !words.contains("read-only") && !words.contains("read_only") => Truth::Unclear,
        1290 | 1792 | 1836 if is_hidden(sql) => Truth::Hidden,
        1290 | 1792 | 1836 => Truth::Refused,
        // ER_UNKNOWN_STMT_HANDLER; of an XA transaction: ER_XAER_NOTA, ER_XAER_RMFAIL
        1243 | 1397 | 1399 => Truth::NeedsSession,
        1109 if words.ends_with("in HANDLER") => Truth::NeedsSession,
        // ER_SP_DOES_NOT_EXIST
        1305 if words.starts_with("SAVEPOINT") => Truth::NeedsSession,
        _ => Truth::Unclear,
    };
    Try { truth, why }
}

/// Whether what the server refused is not in the text: a query (not one that names a sequence's
/// function) is refused for what a function of the user or a view does.
pub(super) fn is_hidden(sql: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    let word = sql.trim_start_matches(|c: char| !c.is_alphabetic());
    let query = ["select", "with", "values", "do", "show", "explain", "analyze"]
        .iter()
        .any(|command| word.starts_with(command));
    // Whole words: a function of the user may be called `f1_simple_insert`.
    let visible =
        ["nextval", "setval", "value", "insert", "update", "delete", "replace", "into", "lastval"];
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    query && !sql.split(|c| !is_part(c)).any(|word| visible.contains(&word))
}

/// Whether the locks that a query took are not in the text: a function of the user has taken them.
pub(super) fn hides_locks(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    is_hidden(sql) && !["lock", "share", "update"].iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::{hides_locks, is_hidden};

    #[test]
    fn locks_that_a_text_does_not_speak_of_are_hidden() {
        assert!(hides_locks("select f3()"));
        for visible in
            ["SELECT GET_LOCK('a', 1)", "SELECT 1 FROM t FOR UPDATE", "LOCK TABLE t READ"]
        {
            assert!(!hides_locks(visible), "{visible}");
        }
    }

    #[test]
    fn what_a_function_of_the_user_does_is_hidden_whatever_its_name() {
        assert!(is_hidden("SELECT f1_simple_insert(1) FROM t1"));
        assert!(is_hidden("SELECT * FROM writing_view"));
        for visible in [
            "SELECT NEXT VALUE FOR s",
            "SELECT nextval(s)",
            "SELECT s.nextval",
            "WITH a AS (SELECT 1) DELETE FROM t",
            "SELECT 1 INTO @a",
            "EXPLAIN/**/INSERT INTO t VALUES (1)",
            "INSERT INTO t SELECT 1",
        ] {
            assert!(!is_hidden(visible), "{visible}");
        }
    }
}
