//! Markers in the words of MySQL and MariaDB.
//!
//! They differ from those of PostgreSQL in three ways:
//!
//! * A transaction writes its marker also when it has changed nothing: MySQL does not tell an
//!   ordinary user whether it has.
//! * Nothing returns what an `INSERT` has met, so the resolver's row, and what is there then, are
//!   two statements. A row that is there stays there, so nothing can come between them but the
//!   pruning of a row that is old.
//! * An `UPDATE` that changes nothing is not logged, and so not replicated: `asked` counts, so that
//!   the acknowledgement of the resolver's statement promises what that of the COMMIT would have.

use super::{KEEP, MarkerId, MarkerTable};

/// The statement that creates the default table of markers, `aurora_transactions` in the present
/// database, in MySQL and MariaDB.
///
/// The users that run transactions need `SELECT`, `INSERT`, `UPDATE` and `DELETE` on the table. It
/// has to be one of InnoDB: elsewhere a row outlives the transaction that wrote it.
pub const CREATE_TABLE_MYSQL: &str = "CREATE TABLE IF NOT EXISTS `aurora_transactions` (\
    id BINARY(16) NOT NULL PRIMARY KEY, \
    committed BOOLEAN NOT NULL, \
    asked INT UNSIGNED NOT NULL DEFAULT 0, \
    at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP) ENGINE = InnoDB";

/// How many markers are removed by one statement.
pub(crate) const BATCH: usize = 1000;

/// A table of markers in a database.
#[derive(Debug)]
pub(crate) struct MySqlMarkers<'a> {
    database: &'a str,
    table: &'a str,
}

impl<'a> MySqlMarkers<'a> {
    /// The table; `database` is that of the URL.
    pub(crate) fn new(table: &'a MarkerTable, database: &'a str) -> Self {
        Self { database: table.schema.as_deref().unwrap_or(database), table: &table.table }
    }

    pub(crate) fn create_sql(&self) -> String {
        CREATE_TABLE_MYSQL.replacen("`aurora_transactions`", &self.name(), 1)
    }

    /// What a transaction runs before its COMMIT.
    pub(crate) fn mark_sql(&self, id: MarkerId) -> String {
        format!("INSERT INTO {} (id, committed) VALUES ({}, 1)", self.name(), key(id))
    }

    /// Tells the storage engine of the table, if there is one.
    pub(crate) fn engine_sql(&self) -> String {
        format!(
            "SELECT ENGINE FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
            text(self.database),
            text(self.table)
        )
    }

    /// Writes a row of the same key as the transaction, and waits for it to end if it still runs.
    pub(crate) fn claim_sql(&self, id: MarkerId) -> String {
        format!(
            "INSERT INTO {} (id, committed) VALUES ({}, 0) \
             ON DUPLICATE KEY UPDATE asked = asked + 1",
            self.name(),
            key(id)
        )
    }

    /// Tells whose row is there: `t` for the transaction's.
    pub(crate) fn owner_sql(&self, id: MarkerId) -> String {
        let name = self.name();
        format!("SELECT IF(committed, 't', 'f') FROM {name} WHERE id = {}", key(id))
    }

    /// The next keys, in hexadecimal, of markers that nobody asks for any more, beyond `after`. A
    /// plain read: it locks nothing, and so waits for nobody.
    pub(crate) fn old_sql(&self, after: &str) -> String {
        format!(
            "SELECT HEX(id) FROM {} WHERE id > X'{after}' \
             AND at < CURRENT_TIMESTAMP - INTERVAL {} SECOND ORDER BY id LIMIT {BATCH}",
            self.name(),
            KEEP.as_secs()
        )
    }

    /// Removes the markers of these keys. By their keys alone, so that no gap between them is
    /// locked, into which a transaction may want to write its own.
    pub(crate) fn remove_sql(&self, keys: &[String]) -> String {
        let keys: Vec<String> = keys.iter().map(|key| format!("X'{key}'")).collect();
        format!("DELETE FROM {} WHERE id IN ({})", self.name(), keys.join(", "))
    }

    /// The name as it stands in SQL. Backticks quote whatever `sql_mode` says.
    fn name(&self) -> String {
        format!("{}.{}", quoted(self.database), quoted(self.table))
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text of any letters, whatever `sql_mode` says of backslashes.
fn text(value: &str) -> String {
    let bytes: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("_utf8mb4 X'{bytes}'")
}

fn key(id: MarkerId) -> String {
    let bytes: String = id.0.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("X'{bytes}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys_are_quoted_whatever_is_in_them() {
        let table = MarkerTable::new("a`b", "C d\\'");
        let markers = MySqlMarkers::new(&table, "unused");
        let id = MarkerId::of([0xff; 16]);
        let mark = "INSERT INTO `a``b`.`C d\\'` (id, committed) \
                    VALUES (X'ffffffffffff4fffbfffffffffffffff', 1)";
        assert_eq!(markers.mark_sql(id), mark);
        assert!(!markers.engine_sql().contains('`'), "{}", markers.engine_sql());
        assert!(markers.engine_sql().contains("X'432064"), "{}", markers.engine_sql());
    }

    #[test]
    fn by_default_it_is_in_the_database_of_the_url() {
        let table = MarkerTable::default();
        let create = MySqlMarkers::new(&table, "shop").create_sql();
        let expected = "CREATE TABLE IF NOT EXISTS `shop`.`aurora_transactions` (id BINARY(16)";
        assert!(create.starts_with(expected), "{create}");
        assert_eq!(table.to_string(), r#""public"."aurora_transactions""#);
    }
}
