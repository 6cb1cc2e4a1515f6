//! Connections are as safe as `sslmode` says.

use std::os::unix::fs::{MetadataExt as _, chown};

use aurora_core::{Cluster, Config};
use aurora_seaorm::ErrorKind;
use test_kit::PgCluster;

use crate::both::tls::{Certificates, every_mode_is_as_safe_as_it_says};
use crate::stand::{LIMIT, blocking};

/// Certificates for the server's address, which it uses.
fn install(kit: &PgCluster) -> Certificates {
    let certificates = Certificates::new();
    certificates.sign(&format!("IP:{}", kit.address(0).0));
    let postmaster = format!("/proc/{}", kit.pid(0).unwrap());
    let owner = std::fs::metadata(postmaster).unwrap().uid();
    chown(certificates.path("server.key"), Some(owner), None).unwrap();
    kit.set_setting(0, "ssl_cert_file", &certificates.path("server.pem")).unwrap();
    kit.set_setting(0, "ssl_key_file", &certificates.path("server.key")).unwrap();
    kit.set_setting(0, "ssl", "on").unwrap();
    let mut client = kit.superuser(0).unwrap();
    assert!(test_kit::wait_until(LIMIT, || {
        client.query_one("SHOW ssl", &[]).is_ok_and(|row| row.get::<_, &str>(0) == "on")
    }));
    certificates
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_as_safe_as_sslmode_says() {
    let (kit, certificates) = blocking(|| {
        let kit = PgCluster::builder().start().unwrap();
        let certificates = install(&kit);
        certificates.authority("other");
        (kit, certificates)
    })
    .await;
    let cipher = "SELECT CASE WHEN ssl THEN cipher ELSE '' END FROM pg_stat_ssl \
                  WHERE pid = pg_backend_pid()";
    every_mode_is_as_safe_as_it_says(&kit.url(), &certificates.path("ca.pem"), cipher).await;
    let other = certificates.path("other.pem");
    let url = format!("{}?sslmode=verify-full&sslrootcert={other}", kit.url());
    let error = Cluster::connect(Config::from_url(&url).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    blocking(move || drop(kit)).await;
}
