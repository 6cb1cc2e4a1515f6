//! `LAST_INSERT_ID()` belongs to a session of MySQL's, which is a connection. A session of ours
//! changes its connections, so it keeps the number, and tells it to the connection of a statement
//! that asks for it.

use aurora_core::sql::Classification;

use super::Runner;
use crate::statement::{self, Answer, Ask, Statement};

impl Runner {
    /// Tells the connection which number the session's last INSERT was given, if the statement asks
    /// for it. A session that has inserted nothing has 0, as a new one of MySQL's.
    pub(super) async fn recall_insert_id(
        &mut self,
        statement: Statement<'_>,
        classification: &Classification,
    ) -> Result<(), sqlx::Error> {
        if !classification.follows() || !names_insert_id(statement.sql) {
            return Ok(());
        }
        let Some(held) = &mut self.held else { return Ok(()) };
        if classification.leaves_session_state() {
            // `LAST_INSERT_ID(5)`: from here on its connection knows better.
            self.has_own_insert_id = true;
        }
        if self.has_own_insert_id {
            return Ok(());
        }
        let tell = format!("SET LAST_INSERT_ID = {}", self.owner.insert_id());
        statement::put(tell.as_str().into(), Ask::Unprepared, held).await.map(drop)
    }

    /// Keeps the number that the statement has given to a row, if it has.
    pub(super) fn note_insert_id(&self, answer: &Answer) {
        if let Some(id) = answer.insert_id() {
            self.owner.note_insert_id(id);
        }
    }
}

/// Whether a text that tells of an earlier statement may ask for the number; `@@identity` is the
/// same. That it stands in a comment or a literal does no harm.
fn names_insert_id(sql: &str) -> bool {
    ["last_insert_id", "identity"].iter().any(|word| {
        sql.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    })
}
