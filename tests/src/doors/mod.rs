//! The adapters, each behind a door.

mod asynchronous;
pub mod bb8;
mod blocking;
pub mod deadpool;
pub mod diesel_r2d2;
pub mod mobc;
pub mod mysql_bb8;
pub mod mysql_deadpool;
pub mod mysql_mobc;
pub mod mysql_r2d2;
pub mod mysql_seaorm;
pub mod seaorm;

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use crate::door::{Failure, Kind};

/// How long a pool lets somebody wait for a session.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// What all of Diesel's doors migrate; SeaORM's are written the way SeaORM has it.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("src/migrations");

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::DatabaseError(DatabaseErrorKind::ClosedConnection, _) => Kind::Lost,
            Error::DatabaseError(DatabaseErrorKind::UnableToSendCommand, _) => Kind::NotSent,
            Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _) => Kind::ReadOnly,
            Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Kind::Unique,
            _ => Kind::Other,
        };
        Self {
            kind,
            outcome: aurora_diesel::outcome(&error),
            retry: aurora_diesel::retry(&error),
            instance: aurora_diesel::instance(&error).map(ToOwned::to_owned),
            text: error.to_string(),
        }
    }
}
