//! What differs between sqlx's engines. Which one it is follows from the cluster's URL, and is
//! decided once for each connection, when it is opened.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod values;

use std::sync::Arc;
use std::time::Instant;

use aurora_core::session::Trouble;
use aurora_core::{Cluster, Config, ErrorKind, Family, Instance, Login, Role};
use futures_util::future::BoxFuture;
use sea_orm::{ConnectOptions, DatabaseConnection, DbBackend};
use sqlx::error::DatabaseError;
use sqlx::{Connection, Database, Pool};

#[cfg(feature = "mysql")]
pub(crate) use self::mysql::MySqlLink;
pub(crate) use self::values::{Done, Row};
use crate::follow::Target;
use crate::held::Condition;
use crate::statement::{Answer, Ask, Statement};

/// How connections of an engine are made.
pub(crate) type OptionsOf<E> = <<E as Database>::Connection as Connection>::Options;

/// Prepares a new physical connection.
pub(crate) type OnConnect<E> = dyn for<'c> Fn(&'c mut <E as Database>::Connection) -> BoxFuture<'c, Result<(), sqlx::Error>>
    + Send
    + Sync;

/// One of sqlx's engines.
pub(crate) trait Engine: Database {
    /// Everything but the address and the login; `given` is what SeaORM has made of the user's own
    /// options.
    fn base(given: Option<OptionsOf<Self>>, config: &Config) -> OptionsOf<Self>;

    /// The user and the password.
    fn with_login(base: OptionsOf<Self>, login: &Login) -> OptionsOf<Self>;

    /// The address: the one at which the monitor reached the instance, unless the certificate must
    /// name the host, which sqlx compares with what it connects to.
    fn at(base: OptionsOf<Self>, config: &Config, instance: &Instance) -> OptionsOf<Self>;

    /// Asks what has to be known of a new connection.
    fn ask(
        connection: &mut Self::Connection,
        cluster: &Cluster,
    ) -> impl Future<Output = Result<OwnWord, sqlx::Error>> + Send;

    /// Whether a server that says this may be one of the role.
    fn has_role(word: &OwnWord, role: Role) -> bool;

    /// Whether the connection leads to the instance.
    fn leads_to(word: &OwnWord, instance: &Instance) -> bool;

    /// The connection, as the pools hold it.
    fn link(connection: Self::Connection, word: &OwnWord) -> Link;

    /// SeaORM's connection with that pool.
    fn database(pool: Pool<Self>) -> DatabaseConnection;

    /// The pool of SeaORM's connection; `None` if it is one of another engine.
    fn pool(database: &DatabaseConnection) -> Option<Pool<Self>>;

    /// Has a pool that SeaORM will make follow the target.
    fn install(options: &mut ConnectOptions, target: &Arc<Target<Self>>);

    /// Logs in once, for the cluster to notice a refused password.
    fn try_login(
        cluster: &Cluster,
        instance: &Instance,
        deadline: Instant,
    ) -> impl Future<Output = ()> + Send;
}

/// What a server says of itself and of the connection.
#[derive(Debug)]
pub(crate) struct OwnWord {
    pub(crate) takes_writes: bool,
    /// The address at which it was reached.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "MySQL does not tell it"))]
    pub(crate) address: Option<String>,
    /// Where it sees the connection's other end.
    pub(crate) local_port: Option<u16>,
    /// Which cluster it belongs to.
    pub(crate) cluster: Option<String>,
    /// Whether a wait for a lock that lasts too long undoes all of its transaction.
    #[cfg_attr(
        not(feature = "mysql"),
        expect(dead_code, reason = "PostgreSQL has no such choice")
    )]
    pub(crate) rolls_back_on_timeout: bool,
}

/// A connection of one of the engines.
#[derive(Debug)]
pub(crate) enum Link {
    #[cfg(feature = "mysql")]
    MySql(MySqlLink),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgConnection),
}

impl Link {
    /// Puts the statement to the server.
    pub(crate) async fn run(
        &mut self,
        statement: Statement<'_>,
        ask: Ask<'_>,
        condition: &mut Condition,
    ) -> Result<Answer, sqlx::Error> {
        match self {
            #[cfg(feature = "mysql")]
            Self::MySql(link) => link.run(statement, ask, condition).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => {
                postgres::run(connection, statement, ask, condition).await
            }
        }
    }

    /// What an error of the server's has done to the transaction around its statement.
    pub(crate) fn aftermath(&self, error: &sqlx::Error) -> Aftermath {
        let sqlx::Error::Database(error) = error else { return Aftermath::Nothing };
        match self {
            #[cfg(feature = "mysql")]
            Self::MySql(link) => link.aftermath(&**error),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => {
                // It is rolled back, or goes on from a savepoint.
                let _ = error;
                Aftermath::Aborted
            }
        }
    }

    /// Whether a transaction is certainly over when its COMMIT was refused.
    pub(crate) fn ends_by_refused_commit(&self) -> bool {
        match self {
            #[cfg(feature = "mysql")]
            Self::MySql(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => true,
        }
    }
}

/// What an error has done to the transaction around its statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aftermath {
    /// The server refuses everything until it is rolled back, or until a savepoint.
    #[cfg(feature = "postgres")]
    Aborted,
    /// It is open as before.
    Nothing,
    /// There is none any more: what comes would be committed by itself.
    #[cfg(feature = "mysql")]
    RolledBack,
}

/// SeaORM's name of a family.
pub(crate) fn backend(config: &Config) -> DbBackend {
    match config.family() {
        Family::MySql => DbBackend::MySql,
        _ => DbBackend::Postgres,
    }
}

/// What a server's error means for the statement that met it.
pub(crate) fn trouble(error: &dyn DatabaseError) -> Trouble {
    #[cfg(feature = "mysql")]
    if let Some(trouble) = mysql::trouble(error) {
        return trouble;
    }
    #[cfg(feature = "postgres")]
    if let Some(trouble) = postgres::trouble(error) {
        return trouble;
    }
    // None of these engines' errors.
    let _ = error;
    Trouble::Statement
}

/// What a server's error means for somebody who wants to connect.
pub(crate) fn kind(error: &dyn DatabaseError) -> ErrorKind {
    #[cfg(feature = "mysql")]
    if let Some(kind) = mysql::kind(error) {
        return kind;
    }
    #[cfg(feature = "postgres")]
    if let Some(kind) = postgres::kind(error) {
        return kind;
    }
    let _ = error;
    ErrorKind::Statement
}

/// Whether the server did not let us in, and may take another login.
pub(crate) fn refuses_login(error: &dyn DatabaseError) -> bool {
    #[cfg(feature = "mysql")]
    if mysql::refuses_login(error) {
        return true;
    }
    #[cfg(feature = "postgres")]
    if postgres::refuses_login(error) {
        return true;
    }
    let _ = error;
    false
}

/// What begins a transaction with that isolation level and that access mode, as SQL says them.
pub(crate) fn begin_sql(family: Family, level: Option<String>, access: Option<String>) -> String {
    let level = level.map(|level| format!(" ISOLATION LEVEL {level}"));
    let access = access.map(|access| format!(" {access}")).unwrap_or_default();
    if family != Family::MySql {
        return format!("BEGIN{}{access}", level.unwrap_or_default());
    }
    // The level is for the next transaction of the session: one that is open cannot change it.
    let set = level.map(|level| format!("SET TRANSACTION{level}; ")).unwrap_or_default();
    format!("{set}START TRANSACTION{access}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_begins_a_transaction_in_its_own_words() {
        let (level, access) = (Some("SERIALIZABLE".to_owned()), Some("READ ONLY".to_owned()));
        let begin = |family| begin_sql(family, level.clone(), access.clone());
        let postgres = "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY";
        assert_eq!(begin(Family::Postgres), postgres);
        let mysql = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION READ ONLY";
        assert_eq!(begin(Family::MySql), mysql);
        assert_eq!(begin_sql(Family::Postgres, None, None), "BEGIN");
        assert_eq!(begin_sql(Family::MySql, None, None), "START TRANSACTION");
    }
}
