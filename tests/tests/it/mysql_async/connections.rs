//! Connections while nobody waits on them, with and without TLS.

use aurora_core::{Cluster, Config};
use aurora_diesel::asynchronous::AuroraConnectionManager;
use diesel::dsl::sql;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;

use super::stand::{ITEMS, Stand, add, eventually, names};
use crate::mysql_core::tls::server;

/// The connections of the application to the writer that run nothing and are no monitor's.
const IDLE: &str = "SELECT GROUP_CONCAT('KILL ', ID SEPARATOR '; ') \
                    FROM information_schema.PROCESSLIST WHERE USER = 'app' AND COMMAND = 'Sleep'";

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_that_its_server_has_closed_serves_nobody() {
    let stand = Stand::new(2, ITEMS).await;
    let session = &mut stand.session();
    for name in ["one", "two", "three"] {
        add(session, name).await.unwrap();
        // The monitor's is closed with it, and is no reason to fail either.
        let kills = stand.ask(0, IDLE);
        stand.kit(|kit| kit.superuser(0).unwrap().run(&kills)).unwrap();
        eventually("they are closed", async || !stand.ask(0, IDLE).contains(&kills)).await;
    }
    assert_eq!(names(session).await, ["one", "two", "three"], "no outcome was unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_with_tls_are_used_again() {
    let (_certificates, kit) =
        tokio::task::spawn_blocking(|| server("mysql-async", None)).await.unwrap();
    let url = format!("{}?sslmode=require", kit.url());
    let cluster = Cluster::connect(Config::from_url(&url).unwrap()).await.unwrap();
    let manager = AuroraConnectionManager::mysql(cluster);
    for _ in 0..20 {
        let cipher = "(SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS \
                       WHERE VARIABLE_NAME = 'Ssl_cipher')";
        let session = &mut manager.session();
        let cipher: String = diesel::select(sql::<Text>(cipher)).get_result(session).await.unwrap();
        assert_ne!(cipher, "");
    }
    let topology = manager.cluster().topology();
    assert_eq!(topology.writer().unwrap().stats().connects(), 1);
    drop(manager);
    tokio::task::spawn_blocking(move || drop(kit)).await.unwrap();
}
