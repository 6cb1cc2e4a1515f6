//! Connections are as safe as `sslmode` says.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::PathBuf;
use std::process::Command;

use aurora_core::{Cluster, Config};
use aurora_seaorm::{AuroraConnection, ErrorKind};
use test_kit::PgCluster;

use crate::stand::{LIMIT, blocking, one};

/// A certificate for this address, and the authority that signed it; removed at the end.
struct Certificates(PathBuf);

impl Certificates {
    fn new(kit: &PgCluster) -> Self {
        let address = kit.address(0).0;
        let name = format!("aurora-seaorm-tls-{}-{address}", std::process::id());
        let this = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&this.0).unwrap();
        for authority in ["ca", "other"] {
            this.openssl(&format!(
                "req -x509 -days 2 -subj /CN={authority} -newkey rsa:2048 -nodes \
                 -keyout {authority}.key -out {authority}.pem"
            ));
        }
        this.openssl(
            "req -subj /CN=instance -newkey rsa:2048 -nodes -keyout server.key -out server.csr",
        );
        std::fs::write(this.0.join("names"), format!("subjectAltName=IP:{address}\n")).unwrap();
        this.openssl(
            "x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
             -extfile names -out server.pem",
        );
        let postmaster = format!("/proc/{}", kit.pid(0).unwrap());
        let owner = std::fs::metadata(postmaster).unwrap().uid();
        chown(this.0.join("server.key"), Some(owner), None).unwrap();
        this
    }

    fn openssl(&self, arguments: &str) {
        let mut openssl = Command::new("openssl");
        let output = openssl.args(arguments.split_whitespace()).current_dir(&self.0).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn install(&self, kit: &PgCluster) {
        let path = |name: &str| self.0.join(name).to_str().unwrap().to_owned();
        kit.set_setting(0, "ssl_cert_file", &path("server.pem")).unwrap();
        kit.set_setting(0, "ssl_key_file", &path("server.key")).unwrap();
        kit.set_setting(0, "ssl", "on").unwrap();
        let mut client = kit.superuser(0).unwrap();
        assert!(test_kit::wait_until(LIMIT, || {
            client.query_one("SHOW ssl", &[]).is_ok_and(|row| row.get::<_, &str>(0) == "on")
        }));
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_as_safe_as_sslmode_says() {
    let (kit, certificates) = blocking(|| {
        let kit = PgCluster::builder().start().unwrap();
        let certificates = Certificates::new(&kit);
        certificates.install(&kit);
        (kit, certificates)
    })
    .await;
    let ca = format!("&sslrootcert={}", certificates.0.join("ca.pem").display());
    for (sslmode, roots, safe) in [
        ("disable", "", false),
        ("prefer", "", true),
        ("require", "", true),
        ("verify-ca", ca.as_str(), true),
        ("verify-full", ca.as_str(), true),
    ] {
        let url = format!("{}?sslmode={sslmode}{roots}", kit.url());
        let cluster = Cluster::connect(Config::from_url(&url).unwrap()).await.unwrap();
        let db = AuroraConnection::new(cluster);
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        for ssl in [one::<bool>(&db, sql).await, one(db.writer_database(), sql).await] {
            assert_eq!(ssl, safe, "{sslmode}");
        }
    }
    let other = certificates.0.join("other.pem");
    let url = format!("{}?sslmode=verify-full&sslrootcert={}", kit.url(), other.display());
    let error = Cluster::connect(Config::from_url(&url).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    blocking(move || drop(kit)).await;
}
