//! TLS as far as the client library can be told, and never less than was asked for.

use aurora_core::{Cluster, Config};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel::sql_types::Text;
use test_kit::MariaDbCluster;

use super::stand::Manager;
use crate::tls::Certificates;

const CIPHER: &str = "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS \
                      WHERE VARIABLE_NAME = 'Ssl_cipher'";

fn server(folder: &str) -> (Certificates, MariaDbCluster) {
    let certificates = Certificates::signed(folder, "DNS:nobody.example.com");
    let path = |name| certificates.path(name).to_str().unwrap().to_owned();
    // The server runs as another user.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(certificates.path("server.key"), readable).unwrap();
    let kit = MariaDbCluster::builder()
        .setting("ssl_cert", path("server.pem"))
        .setting("ssl_key", path("server.key"))
        .start()
        .unwrap();
    certificates.sign(&format!("IP:{}", kit.address(0).0));
    kit.superuser(0).unwrap().run("FLUSH SSL").unwrap();
    (certificates, kit)
}

/// The cipher of a session, empty without TLS.
fn cipher(kit: &MariaDbCluster, options: &str) -> QueryResult<String> {
    let config = Config::from_url(&format!("{}?{options}&failover_timeout=5s", kit.url())).unwrap();
    let manager = Manager::new(Cluster::connect_blocking(config).unwrap());
    sql::<Text>(CIPHER).get_result(&mut manager.session())
}

/// Of MySQL's own library; MariaDB Connector/C can be told no mode by Diesel.
const KNOWS_MODES: bool = mysqlclient_sys::SUPPORTS_MYSQL_SSL_MODE;

#[test]
fn tls_is_had_as_it_was_asked_for_or_the_error_says_why_not() {
    let (certificates, kit) = server("mysql-diesel");
    let authority = format!("sslrootcert={}", certificates.path("ca.pem").display());
    assert_eq!(cipher(&kit, "sslmode=disable").unwrap(), "");
    for mode in ["verify-ca", "verify-full"] {
        match cipher(&kit, &format!("sslmode={mode}&{authority}")) {
            Ok(cipher) => assert!(KNOWS_MODES && !cipher.is_empty(), "{mode}"),
            Err(error) => {
                assert!(!KNOWS_MODES && error.to_string().contains("bundled"), "{mode}: {error}");
            }
        }
    }
    // Connector/C encrypts only what it can verify, and nobody in the system's list signed this.
    match cipher(&kit, "sslmode=require") {
        Ok(cipher) => assert!(KNOWS_MODES && !cipher.is_empty()),
        Err(error) => assert!(!KNOWS_MODES && error.to_string().contains("TLS"), "{error}"),
    }
}
