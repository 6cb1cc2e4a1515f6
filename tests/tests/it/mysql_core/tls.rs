//! TLS with libpq's words, for monitors and adapters alike.

use std::path::PathBuf;
use std::time::Instant;

use aurora_core::{Cluster, Config, Error, ErrorKind};
use aurora_tests::LIMIT;
use mysql_async::prelude::Queryable as _;
use test_kit::MariaDbCluster;

use crate::tls::Certificates;

/// A server whose certificate names its address, or something else.
pub(crate) fn server(folder: &str, names: Option<&str>) -> (Certificates, MariaDbCluster) {
    let certificates = Certificates::signed(folder, "DNS:nobody.example.com");
    let kit = MariaDbCluster::builder()
        .setting("ssl_cert", certificates.readable("server.pem"))
        .setting("ssl_key", certificates.readable("server.key"))
        .start()
        .unwrap();
    let address = format!("IP:{}", kit.address(0).0);
    certificates.sign(names.unwrap_or(&address));
    kit.superuser(0).unwrap().run("FLUSH SSL").unwrap();
    (certificates, kit)
}

fn connect(kit: &MariaDbCluster, sslmode: &str, roots: Option<PathBuf>) -> Result<Cluster, Error> {
    let roots = roots.map(|path| format!("&sslrootcert={}", path.display())).unwrap_or_default();
    Cluster::connect_blocking(Config::from_url(&format!("{}?sslmode={sslmode}{roots}", kit.url()))?)
}

/// Whether the monitor's session, and one of an adapter, are encrypted.
fn encrypted(kit: &MariaDbCluster, cluster: &Cluster) -> (bool, bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cipher = "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS \
                  WHERE VARIABLE_NAME = 'Ssl_cipher'";
    let adapter: String = runtime.block_on(async {
        let topology = cluster.topology();
        let writer = topology.writer().unwrap();
        let (mut conn, _) = cluster.connect_mysql(writer, Instant::now() + LIMIT).await.unwrap();
        conn.query_first(cipher).await.unwrap().unwrap()
    });
    // Nobody else has finished a TLS handshake but the two.
    let accepts = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS \
                   WHERE VARIABLE_NAME = 'Ssl_finished_accepts'";
    let finished: u32 = kit.superuser(0).unwrap().column(accepts).unwrap()[0].parse().unwrap();
    let adapter = !adapter.is_empty();
    (finished > u32::from(adapter), adapter)
}

#[test]
fn the_modes_mean_what_they_mean_for_libpq() {
    let (certificates, kit) = server("mysql", None);
    let authority = || Some(certificates.path("ca.pem"));
    let plain = connect(&kit, "disable", None).unwrap();
    assert_eq!(encrypted(&kit, &plain), (false, false));
    drop(plain);
    for (mode, roots) in [
        ("prefer", None),
        ("require", None),
        ("verify-ca", authority()),
        ("verify-full", authority()),
    ] {
        let cluster = connect(&kit, mode, roots).unwrap();
        assert_eq!(encrypted(&kit, &cluster), (true, true), "{mode}");
    }
    for mode in ["verify-ca", "verify-full"] {
        let error = connect(&kit, mode, Some(certificates.path("other.pem"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{mode}: {error}");
        assert!(error.to_string().contains("sslrootcert"), "{error}");
    }
}

#[test]
fn only_verify_full_looks_at_the_name() {
    let (certificates, kit) = server("mysql-name", Some("DNS:somebody.example.com"));
    let authority = || Some(certificates.path("ca.pem"));
    // The monitor's connection is good. The driver of adapters looks at the name as well: it knows
    // no mode between.
    let cluster = connect(&kit, "verify-ca", authority()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let topology = cluster.topology();
    let writer = topology.writer().unwrap();
    let opened = runtime.block_on(cluster.connect_mysql(writer, Instant::now() + LIMIT));
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Tls);
    let error = connect(&kit, "verify-full", authority()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
}

#[test]
fn without_tls_prefer_goes_on() {
    let kit = MariaDbCluster::builder().start().unwrap();
    let cluster = connect(&kit, "prefer", None).unwrap();
    assert_eq!(encrypted(&kit, &cluster), (false, false));
}
