//! Recognises the socket of a connection that mysql_async has opened and gives nobody.

use std::net::SocketAddr;

use aurora_core::{Config, Instance, OwnSocket};
use diesel::QueryResult;
use diesel::result::OptionalExtension as _;
use diesel::sql_types::Text;
use diesel_async::{AsyncMysqlConnection, RunQueryDsl as _};

/// Where the server sees the client, as `address:port`. Every user sees his own sessions (MySQL
/// manual, "The INFORMATION_SCHEMA PROCESSLIST Table").
const CLIENT: &str = "SELECT HOST FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()";

/// The connection's socket, if it can be told from all others; bounded as the configuration says.
///
/// By the port at which the server sees the client. Something on the way may change ports: then the
/// socket is the one with that peer that nobody has bounded yet, if there is one only.
pub(super) async fn found(
    connection: &mut AsyncMysqlConnection,
    instance: &Instance,
    config: &Config,
) -> QueryResult<Option<OwnSocket>> {
    let Some(ip) = instance.ip() else { return Ok(None) };
    let peer = SocketAddr::new(ip, instance.address().port());
    let client: Option<String> =
        diesel::dsl::sql::<Text>(CLIENT).get_result(connection).await.optional()?;
    let port = client.as_deref().and_then(port_of);
    let found = the_one(OwnSocket::connected_to(peer), port);
    OwnSocket::bound(peer, port, config);
    Ok(found)
}

/// Of the sockets that lead there, that of a new connection.
fn the_one(mut sockets: Vec<OwnSocket>, port: Option<u16>) -> Option<OwnSocket> {
    if sockets.iter().any(|socket| socket.local_port() == port) {
        sockets.retain(|socket| socket.local_port() == port);
    } else {
        sockets.retain(|socket| socket.user_timeout().is_none_or(|time| time.is_zero()));
    }
    // Two that look the same: better none than the wrong one.
    if sockets.len() == 1 { sockets.pop() } else { None }
}

fn port_of(client: &str) -> Option<u16> {
    client.rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_stands_behind_the_last_colon() {
        assert_eq!(port_of("10.0.0.1:51234"), Some(51234));
        assert_eq!(port_of("::1:51234"), Some(51234));
        assert_eq!(port_of("localhost"), None);
        assert_eq!(port_of(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_is_found_by_its_port_or_by_being_the_only_new_one() {
        use std::net::{TcpListener, TcpStream};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        let [one, _two] = [(); 2].map(|()| TcpStream::connect(peer).unwrap());
        let port = one.local_addr().unwrap().port();
        let find = |port| the_one(OwnSocket::connected_to(peer), port);
        assert_eq!(find(Some(port)).unwrap().local_port(), Some(port));
        assert!(find(Some(1)).is_none() && find(None).is_none(), "either could be it");
        let config = Config::from_url("postgres://app@db/app?tcp_user_timeout=2s").unwrap();
        OwnSocket::bound(peer, Some(port), &config);
        assert_ne!(find(Some(1)).unwrap().local_port(), Some(port), "that one is not new");
    }
}
