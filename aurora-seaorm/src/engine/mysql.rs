//! MySQL and MariaDB, as sqlx speaks it.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use aurora_core::session::Trouble;
use aurora_core::{
    Cluster, Config, ErrorKind, Instance, Login, OwnSocket, Role, RootCertificates, TlsMode,
};
use futures_util::TryStreamExt as _;
use sea_orm::{ConnectOptions, DatabaseConnection, DbBackend};
use sea_query_sqlx::SqlxValues;
use sqlx::error::DatabaseError;
use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlPool, MySqlSslMode};
use sqlx::{AssertSqlSafe, Executor as _, MySql, MySqlConnection, Row as _};

use super::{Aftermath, Done, Engine, Link, OwnWord, Row};
use crate::follow::Target;
use crate::held::Condition;
use crate::statement::{self, Answer, Ask, Statement};

/// A connection to a server of MySQL or MariaDB.
pub(crate) struct MySqlLink {
    connection: MySqlConnection,
    rolls_back_on_timeout: bool,
}

impl Engine for MySql {
    fn base(given: Option<MySqlConnectOptions>, config: &Config) -> MySqlConnectOptions {
        let mut options = given.map_or_else(MySqlConnectOptions::new, without_socket);
        options = options
            .database(config.database())
            .ssl_mode(ssl_mode(config))
            // Only a server that was verified may ask for the password itself (IAM).
            .enable_cleartext_plugin(config.sslmode().verifies());
        if let RootCertificates::File(path) = config.sslrootcert() {
            options = options.ssl_ca(path);
        }
        if let Some(pem) = config.sslrootcert().built_in() {
            options = options.ssl_ca_from_pem(pem.into());
        }
        options
    }

    fn with_login(base: MySqlConnectOptions, login: &Login) -> MySqlConnectOptions {
        let base = base.username(login.user());
        match login.password() {
            Some(password) => base.password(password.expose()),
            None => base,
        }
    }

    fn at(base: MySqlConnectOptions, config: &Config, instance: &Instance) -> MySqlConnectOptions {
        let base = base.port(instance.address().port());
        match instance.ip() {
            Some(ip) if !config.sslmode().verifies() => base.host(&ip.to_string()),
            Some(_) | None => base.host(instance.address().host()),
        }
    }

    /// The port is that of the client (MySQL manual, "The INFORMATION_SCHEMA PROCESSLIST Table"):
    /// everybody sees their own connections there.
    async fn ask(
        connection: &mut MySqlConnection,
        cluster: &Cluster,
    ) -> Result<OwnWord, sqlx::Error> {
        let question = format!(
            "{}, @@GLOBAL.innodb_rollback_on_timeout, \
             (SELECT HOST FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID())",
            cluster.mysql_proof_sql()
        );
        let row = sqlx::raw_sql(AssertSqlSafe(question)).fetch_one(connection).await?;
        // Unchecked, for servers differ in what they call a text or a number.
        let is_true = |index: usize| {
            row.try_get_unchecked::<Option<i64>, _>(index).map(|value| value == Some(1))
        };
        let client: Option<String> = row.try_get_unchecked(3)?;
        let port = client.as_deref().and_then(|client| client.rsplit_once(':'));
        Ok(OwnWord {
            takes_writes: is_true(0)?,
            address: None,
            local_port: port.and_then(|(_, port)| port.parse().ok()),
            cluster: row.try_get_unchecked(1)?,
            rolls_back_on_timeout: is_true(2)?,
        })
    }

    /// A reader that is not forbidden to write is a reader, too.
    fn has_role(word: &OwnWord, role: Role) -> bool {
        word.takes_writes || role != Role::Writer
    }

    /// No server tells its own address, so the socket is looked for.
    fn leads_to(word: &OwnWord, instance: &Instance) -> bool {
        let (Some(ip), Some(port)) = (instance.ip(), word.local_port) else { return false };
        OwnSocket::at_port((ip, instance.address().port()).into(), Some(port)).is_some()
    }

    fn link(connection: MySqlConnection, word: &OwnWord) -> Link {
        let rolls_back_on_timeout = word.rolls_back_on_timeout;
        Link::MySql(MySqlLink { connection, rolls_back_on_timeout })
    }

    fn database(pool: MySqlPool) -> DatabaseConnection {
        pool.into()
    }

    fn pool(database: &DatabaseConnection) -> Option<MySqlPool> {
        let is_one = database.get_database_backend() == DbBackend::MySql;
        is_one.then(|| database.get_mysql_connection_pool().clone())
    }

    fn install(options: &mut ConnectOptions, target: &Arc<Target<Self>>) {
        let (first, hooks) = (Arc::clone(target), Arc::clone(target));
        options
            .map_sqlx_mysql_opts(move |given| first.begin(Some(given)))
            .map_sqlx_mysql_pool_opts(move |pool| hooks.hook(pool));
    }

    async fn try_login(cluster: &Cluster, instance: &Instance, deadline: Instant) {
        // Whatever comes of it is noted by the cluster.
        drop(cluster.connect_mysql(instance, deadline).await);
    }
}

/// The options without a socket file, which would be preferred to every address, and which cannot
/// be taken back.
fn without_socket(given: MySqlConnectOptions) -> MySqlConnectOptions {
    if given.get_socket().is_none() {
        return given;
    }
    let options = MySqlConnectOptions::new().charset(given.get_charset());
    match given.get_collation() {
        Some(collation) => options.collation(collation),
        None => options,
    }
}

/// sqlx trusts the authorities of the operating system as well, whatever it is told. Without a look
/// at the name anybody's certificate of one of those would do, so the name is checked in every mode
/// that checks the authority.
fn ssl_mode(config: &Config) -> MySqlSslMode {
    match config.sslmode() {
        TlsMode::Disable => MySqlSslMode::Disabled,
        TlsMode::Prefer => MySqlSslMode::Preferred,
        TlsMode::Require => MySqlSslMode::Required,
        TlsMode::VerifyCa | TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
    }
}

impl MySqlLink {
    /// Puts the statement to the server.
    pub(super) async fn run(
        &mut self,
        statement: Statement<'_>,
        ask: Ask<'_>,
        condition: &mut Condition,
    ) -> Result<Answer, sqlx::Error> {
        let connection = &mut self.connection;
        let done = |done| Answer::Done(Done::MySql(done));
        match ask {
            Ask::All => {
                let rows = connection.fetch_all(query(statement)).await?;
                Ok(Answer::Rows(rows.into_iter().map(Row::MySql).collect()))
            }
            Ask::Execute => connection.execute(query(statement)).await.map(done),
            Ask::One => {
                // sqlx's own `fetch_optional` leaves the rest of the answer, and with it an error,
                // to the next statement.
                let mut rows = connection.fetch(query(statement));
                let first = rows.try_next().await?;
                while rows.try_next().await?.is_some() {}
                Ok(Answer::Row(first.map(Row::MySql)))
            }
            Ask::Stream(rows) => {
                // sqlx forgets the head of a packet when a read of its body is dropped.
                let between = Condition::Busy;
                let answer = connection.fetch(query(statement));
                statement::stream(answer, rows, condition, between).await
            }
            Ask::Unprepared => {
                let text = sqlx::raw_sql(AssertSqlSafe(statement.sql));
                text.execute(connection).await.map(done)
            }
        }
    }

    pub(super) fn aftermath(&self, error: &dyn DatabaseError) -> Aftermath {
        let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() else {
            return Aftermath::Nothing;
        };
        let (number, state) = (error.number(), error.code().unwrap_or_default());
        if Trouble::ends_mysql_transaction(number, state, self.rolls_back_on_timeout) {
            return Aftermath::RolledBack;
        }
        Aftermath::Nothing
    }
}

fn query(statement: Statement<'_>) -> sqlx::query::Query<'_, MySql, SqlxValues> {
    sqlx::query_with(AssertSqlSafe(statement.sql), statement.values())
}

pub(super) fn trouble(error: &dyn DatabaseError) -> Option<Trouble> {
    let error = error.try_downcast_ref::<MySqlDatabaseError>()?;
    let state = error.code().unwrap_or_default();
    Some(Trouble::of_mysql(error.number(), state, error.message()))
}

pub(super) fn kind(error: &dyn DatabaseError) -> Option<ErrorKind> {
    let error = error.try_downcast_ref::<MySqlDatabaseError>()?;
    let state = error.code().unwrap_or_default();
    Some(ErrorKind::of_mysql(error.number(), state, error.message()))
}

pub(super) fn refuses_login(error: &dyn DatabaseError) -> bool {
    let error = error.try_downcast_ref::<MySqlDatabaseError>();
    error.is_some_and(|error| ErrorKind::mysql_refuses_login(error.number()))
}

impl fmt::Debug for MySqlLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlLink")
            .field("rolls_back_on_timeout", &self.rolls_back_on_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(query: &str) -> MySqlConnectOptions {
        let url = format!("mysql://app:secret@a:3307/shop?{query}");
        MySql::base(None, &Config::from_url(&url).unwrap())
    }

    #[test]
    fn what_verifies_checks_the_name_as_well() {
        let mode = |query| format!("{:?}", base(query).get_ssl_mode());
        assert_eq!(mode("sslmode=disable"), "Disabled");
        assert_eq!(mode("sslmode=prefer"), "Preferred");
        assert_eq!(mode("sslmode=require"), "Required");
        assert_eq!(mode("sslmode=verify-ca&sslrootcert=/ca.pem"), "VerifyIdentity");
        assert_eq!(mode("sslmode=verify-full"), "VerifyIdentity");
        assert_eq!(base("").get_database(), Some("shop"));
    }

    #[test]
    fn a_socket_file_of_the_users_is_no_address() {
        let given = MySqlConnectOptions::new().socket("/tmp/s").charset("latin1");
        let config = Config::from_url("mysql://app@a/shop").unwrap();
        let options = MySql::base(Some(given), &config);
        assert_eq!((options.get_socket(), options.get_charset()), (None, "latin1"));
    }
}
