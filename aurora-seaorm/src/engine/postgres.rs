//! PostgreSQL, as sqlx speaks it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use aurora_core::session::Trouble;
use aurora_core::{Cluster, Config, ErrorKind, Instance, Login, Role, RootCertificates, TlsMode};
use sea_orm::{ConnectOptions, DatabaseConnection, DbBackend};
use sea_query_sqlx::SqlxValues;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgPool, PgSeverity, PgSslMode};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Postgres, Row as _};

use super::{Done, Engine, Link, OwnWord, Row};
use crate::follow::Target;
use crate::held::Condition;
use crate::statement::{self, Answer, Ask, Statement};

impl Engine for Postgres {
    fn base(given: Option<PgConnectOptions>, config: &Config) -> PgConnectOptions {
        let application = given.as_ref().and_then(|given| given.get_application_name());
        let application = application.unwrap_or(config.application_name()).to_owned();
        let mut options = match given {
            Some(given) if config.options().is_empty() => given,
            given => {
                let given = given.as_ref().and_then(PgConnectOptions::get_options);
                let given = given.unwrap_or_default();
                with_session_parameters(&format!("{} {given}", config.options()))
            }
        };
        options = options
            .database(config.database())
            .application_name(&application)
            .ssl_mode(ssl_mode(config));
        if let RootCertificates::File(path) = config.sslrootcert() {
            options = options.ssl_root_cert(path);
        }
        if let Some(pem) = config.sslrootcert().built_in() {
            options = options.ssl_root_cert_from_pem(pem.into());
        }
        options
    }

    fn with_login(base: PgConnectOptions, login: &Login) -> PgConnectOptions {
        let base = base.username(login.user());
        match login.password() {
            Some(password) => base.password(password.expose()),
            None => base,
        }
    }

    fn at(base: PgConnectOptions, config: &Config, instance: &Instance) -> PgConnectOptions {
        let base = base.port(instance.address().port());
        match instance.ip() {
            Some(ip) if config.sslmode() != TlsMode::VerifyFull => base.host(&ip.to_string()),
            Some(_) | None => base.host(instance.address().host()),
        }
    }

    async fn ask(connection: &mut PgConnection, cluster: &Cluster) -> Result<OwnWord, sqlx::Error> {
        let question = format!(
            "SELECT pg_catalog.pg_is_in_recovery(), \
             pg_catalog.host(pg_catalog.inet_server_addr()), \
             pg_catalog.inet_client_port(), {}",
            cluster.identity_sql()
        );
        let row = sqlx::raw_sql(AssertSqlSafe(question)).fetch_one(connection).await?;
        let local_port: Option<i32> = row.try_get(2)?;
        Ok(OwnWord {
            takes_writes: !row.try_get::<bool, _>(0)?,
            address: row.try_get(1)?,
            local_port: local_port.and_then(|port| u16::try_from(port).ok()),
            cluster: row.try_get(3)?,
            rolls_back_on_timeout: false,
        })
    }

    fn has_role(word: &OwnWord, role: Role) -> bool {
        word.takes_writes == (role == Role::Writer)
    }

    fn leads_to(word: &OwnWord, instance: &Instance) -> bool {
        let ip = instance.ip().map(|ip| ip.to_string());
        ip.is_some() && ip == word.address
    }

    fn link(connection: PgConnection, _: &OwnWord) -> Link {
        Link::Postgres(connection)
    }

    fn database(pool: PgPool) -> DatabaseConnection {
        pool.into()
    }

    fn pool(database: &DatabaseConnection) -> Option<PgPool> {
        let is_one = database.get_database_backend() == DbBackend::Postgres;
        is_one.then(|| database.get_postgres_connection_pool().clone())
    }

    fn install(options: &mut ConnectOptions, target: &Arc<Target<Self>>) {
        let (first, hooks) = (Arc::clone(target), Arc::clone(target));
        options
            .map_sqlx_postgres_opts(move |given| first.begin(Some(given)))
            .map_sqlx_postgres_pool_opts(move |pool| hooks.hook(pool));
    }

    async fn try_login(cluster: &Cluster, instance: &Instance, deadline: Instant) {
        // Whatever comes of it is noted by the cluster.
        drop(cluster.connect_postgres(instance, deadline).await);
    }
}

/// Session parameters in libpq's form, handed over as they are: only sqlx's URL takes them so.
fn with_session_parameters(text: &str) -> PgConnectOptions {
    let text = text.trim();
    if text.is_empty() {
        return PgConnectOptions::new_without_pgpass();
    }
    let mut url = "postgres://localhost/?options=".to_owned();
    for byte in text.bytes() {
        // Writing to a `String` cannot fail.
        let _ = write!(url, "%{byte:02X}");
    }
    url.parse().unwrap_or_else(|_| PgConnectOptions::new_without_pgpass())
}

fn ssl_mode(config: &Config) -> PgSslMode {
    match config.sslmode() {
        TlsMode::Disable => PgSslMode::Disable,
        TlsMode::Prefer => PgSslMode::Prefer,
        TlsMode::Require => PgSslMode::Require,
        TlsMode::VerifyCa => PgSslMode::VerifyCa,
        TlsMode::VerifyFull => PgSslMode::VerifyFull,
    }
}

/// Puts the statement to the server.
pub(super) async fn run(
    connection: &mut PgConnection,
    statement: Statement<'_>,
    ask: Ask<'_>,
    condition: &mut Condition,
) -> Result<Answer, sqlx::Error> {
    let done = |done| Answer::Done(Done::Postgres(done));
    match ask {
        Ask::All => {
            let rows = connection.fetch_all(query(statement)).await?;
            Ok(Answer::Rows(rows.into_iter().map(Row::Postgres).collect()))
        }
        Ask::Execute => connection.execute(query(statement)).await.map(done),
        // Reads to the end of the statement: only then it is committed.
        Ask::One => {
            let row = connection.fetch_optional(query(statement)).await?;
            Ok(Answer::Row(row.map(Row::Postgres)))
        }
        Ask::Stream(rows) => {
            // A read of a message that is dropped loses nothing of it.
            let between = Condition::Draining;
            statement::stream(connection.fetch(query(statement)), rows, condition, between).await
        }
        Ask::Unprepared => {
            let text = sqlx::raw_sql(AssertSqlSafe(statement.sql));
            text.execute(connection).await.map(done)
        }
    }
}

fn query(statement: Statement<'_>) -> sqlx::query::Query<'_, Postgres, SqlxValues> {
    sqlx::query_with(AssertSqlSafe(statement.sql), statement.values())
}

pub(super) fn trouble(error: &dyn DatabaseError) -> Option<Trouble> {
    let error = error.try_downcast_ref::<PgDatabaseError>()?;
    Some(server_trouble(error.severity(), error.code()))
}

/// Codes: PostgreSQL documentation, appendix A.
fn server_trouble(severity: PgSeverity, code: &str) -> Trouble {
    let ends_session = matches!(severity, PgSeverity::Fatal | PgSeverity::Panic);
    match code {
        // idle_session_timeout, idle_in_transaction_session_timeout: said while no statement ran.
        "57P05" | "25P03" if ends_session => Trouble::NotSent,
        _ if ends_session => Trouble::Lost,
        // read_only_sql_transaction.
        "25006" => Trouble::ReadOnly,
        // serialization_failure, deadlock_detected: on a reader, replay was in the way.
        "40001" | "40P01" => Trouble::Conflict,
        _ => Trouble::Statement,
    }
}

/// Codes: PostgreSQL documentation, appendix A.
pub(super) fn kind(error: &dyn DatabaseError) -> Option<ErrorKind> {
    let error = error.try_downcast_ref::<PgDatabaseError>()?;
    Some(match error.code() {
        // invalid_password, invalid_authorization_specification, invalid_catalog_name.
        "28P01" | "28000" | "3D000" => ErrorKind::Authentication,
        // insufficient_privilege.
        "42501" => ErrorKind::Privilege,
        // too_many_connections.
        "53300" => ErrorKind::TooManyConnections,
        _ => ErrorKind::Statement,
    })
}

/// Codes: PostgreSQL documentation, appendix A, class 28.
pub(super) fn refuses_login(error: &dyn DatabaseError) -> bool {
    let error = error.try_downcast_ref::<PgDatabaseError>();
    error.is_some_and(|error| matches!(error.code(), "28P01" | "28000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(query: &str) -> Config {
        Config::from_url(&format!("postgres://app:secret@a:6543/shop?{query}")).unwrap()
    }

    #[test]
    fn the_configuration_is_handed_over_whole() {
        let config = config("sslmode=require&application_name=web&options=-c%20geqo%3Doff");
        let options = Postgres::base(None, &config);
        assert_eq!(options.get_database(), Some("shop"));
        assert_eq!(options.get_application_name(), Some("web"));
        assert_eq!(options.get_options(), Some("-c geqo=off"));
        assert!(matches!(options.get_ssl_mode(), PgSslMode::Require));
    }

    #[test]
    fn what_the_user_told_seaorm_stays() {
        let given = PgConnectOptions::new_without_pgpass()
            .application_name("mine")
            .options([("statement_timeout", "5000")]);
        let kept = Postgres::base(Some(given.clone()), &config(""));
        assert_eq!(kept.get_application_name(), Some("mine"));
        assert_eq!(kept.get_options(), Some("-c statement_timeout=5000"));
        let both = Postgres::base(Some(given), &config("options=-c%20geqo%3Doff"));
        assert_eq!(both.get_options(), Some("-c geqo=off -c statement_timeout=5000"));
    }

    #[test]
    fn an_error_is_judged_by_its_code_and_by_what_it_does_to_the_session() {
        let error = PgSeverity::Error;
        assert_eq!(server_trouble(error, "25006"), Trouble::ReadOnly);
        assert_eq!(server_trouble(error, "40001"), Trouble::Conflict);
        assert_eq!(server_trouble(error, "23505"), Trouble::Statement);
        assert_eq!(server_trouble(PgSeverity::Fatal, "57P01"), Trouble::Lost);
        assert_eq!(server_trouble(PgSeverity::Fatal, "57P05"), Trouble::NotSent);
        assert_eq!(server_trouble(PgSeverity::Panic, "XX000"), Trouble::Lost);
    }
}
