//! Connections are as safe as `sslmode` says.

use std::os::unix::fs::PermissionsExt as _;

use aurora_seaorm::{ErrorKind, cause};
use sea_orm::ConnectionTrait as _;
use test_kit::MariaDbCluster;

use crate::both::tls::{Certificates, connect, every_mode_is_as_safe_as_it_says};
use crate::stand::blocking;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_as_safe_as_sslmode_says() {
    let (kit, certificates) = blocking(|| {
        let certificates = Certificates::new();
        certificates.sign("DNS:nobody.example.com");
        // The server runs as another user.
        let readable = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(certificates.path("server.key"), readable).unwrap();
        let servers = MariaDbCluster::builder()
            .setting("ssl_cert", certificates.path("server.pem"))
            .setting("ssl_key", certificates.path("server.key"));
        let kit = servers.start().unwrap();
        certificates.sign(&format!("IP:{}", kit.address(0).0));
        kit.superuser(0).unwrap().run("FLUSH SSL").unwrap();
        (kit, certificates)
    })
    .await;
    let (url, ca) = (kit.url(), certificates.path("ca.pem"));
    let cipher = "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS \
                  WHERE VARIABLE_NAME = 'Ssl_cipher'";
    every_mode_is_as_safe_as_it_says(&url, &ca, cipher).await;
    // The monitor keeps its session; a new one is refused, at once and for good.
    let db = connect(&url, &format!("sslmode=verify-full&sslrootcert={ca}")).await;
    let _kept = blocking(move || {
        certificates.sign("DNS:nobody.example.com");
        kit.superuser(0).unwrap().run("FLUSH SSL").unwrap();
        (kit, certificates)
    })
    .await;
    let error = db.execute_unprepared("SELECT 1").await.unwrap_err();
    assert_eq!(cause(&error).map(aurora_seaorm::Error::kind), Some(ErrorKind::Tls), "{error}");
}
