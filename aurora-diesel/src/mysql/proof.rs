//! What a new connection is asked.

use aurora_core::Cluster;
use diesel::RunQueryDsl as _;
use diesel::dsl::sql;
use diesel::mysql::MysqlConnection;
use diesel::result::QueryResult;
use diesel::sql_types::{Bool, Nullable, Text};

/// What the server says of itself and of the connection.
pub(super) struct OwnWord {
    pub(super) takes_writes: bool,
    pub(super) identity: Option<String>,
    /// The port at which the server sees the client.
    pub(super) client_port: Option<u16>,
    pub(super) is_encrypted: bool,
}

/// The client's address as the server sees it, `host:port`. Everybody may see their own session
/// (MySQL manual, "The INFORMATION_SCHEMA PROCESSLIST Table").
const CLIENT: &str = "(SELECT HOST FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID())";

/// Empty without TLS. MySQL and MariaDB keep it in different schemas; each skips the other's comment.
const CIPHER: &str = "(SELECT VARIABLE_VALUE FROM /*!50700 performance_schema.session_status */ \
     /*M! information_schema.SESSION_STATUS */ WHERE VARIABLE_NAME = 'Ssl_cipher')";

type Columns = (Nullable<Bool>, Nullable<Text>, Nullable<Text>, Nullable<Text>);
type Answer = (Option<bool>, Option<String>, Option<String>, Option<String>);

pub(super) fn ask(connection: &mut MysqlConnection, cluster: &Cluster) -> QueryResult<OwnWord> {
    let question = format!("{}, {CLIENT}, {CIPHER}", cluster.mysql_proof_sql());
    let answer: Answer = sql::<Columns>(&question).get_result(connection)?;
    let (writes, identity, client, cipher) = answer;
    let port = client.as_deref().and_then(|client| client.rsplit_once(':'));
    Ok(OwnWord {
        takes_writes: writes == Some(true),
        identity,
        client_port: port.and_then(|(_, port)| port.parse().ok()),
        is_encrypted: cipher.is_some_and(|cipher| !cipher.is_empty()),
    })
}
