//! Connections are as safe as `sslmode` says.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use aurora_core::{Cluster, Config};
use aurora_seaorm::{AuroraConnection, ErrorKind, cause};
use sea_orm::ConnectionTrait as _;
use test_kit::MariaDbCluster;

use crate::stand::{blocking, one};

/// A server's certificate, and the authority that signed it; removed at the end.
struct Certificates(PathBuf);

impl Certificates {
    fn new() -> Self {
        let name = format!("aurora-seaorm-mysql-tls-{}", std::process::id());
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
        this.sign("DNS:nobody.example.com");
        // The server runs as another user.
        let readable = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(this.0.join("server.key"), readable).unwrap();
        this
    }

    /// Signs for somebody else.
    fn sign(&self, names: &str) {
        std::fs::write(self.0.join("names"), format!("subjectAltName={names}\n")).unwrap();
        self.openssl(
            "x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
             -extfile names -out server.pem",
        );
    }

    fn openssl(&self, arguments: &str) {
        let mut openssl = Command::new("openssl");
        let output = openssl.args(arguments.split_whitespace()).current_dir(&self.0).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn connect(kit: &MariaDbCluster, options: &str) -> AuroraConnection {
    let config = Config::from_url(&format!("{}?{options}", kit.url())).unwrap();
    AuroraConnection::new(Cluster::connect(config).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_as_safe_as_sslmode_says() {
    let (kit, certificates) = blocking(|| {
        let certificates = Certificates::new();
        let servers = MariaDbCluster::builder()
            .setting("ssl_cert", certificates.path("server.pem"))
            .setting("ssl_key", certificates.path("server.key"));
        let kit = servers.start().unwrap();
        certificates.sign(&format!("IP:{}", kit.address(0).0));
        kit.superuser(0).unwrap().run("FLUSH SSL").unwrap();
        (kit, certificates)
    })
    .await;
    let ca = format!("&sslrootcert={}", certificates.path("ca.pem"));
    for (sslmode, roots, safe) in [
        ("disable", "", false),
        ("prefer", "", true),
        ("require", "", true),
        ("verify-ca", ca.as_str(), true),
        ("verify-full", ca.as_str(), true),
    ] {
        let db = connect(&kit, &format!("sslmode={sslmode}{roots}")).await;
        let cipher = "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS \
                      WHERE VARIABLE_NAME = 'Ssl_cipher'";
        for cipher in [one::<String>(&db, cipher).await, one(db.writer_database(), cipher).await] {
            assert_eq!(!cipher.is_empty(), safe, "{sslmode}");
        }
    }
    // The monitor keeps its session; a new one is refused, at once and for good.
    let db = connect(&kit, &format!("sslmode=verify-full{ca}")).await;
    let _kept = blocking(move || {
        certificates.sign("DNS:nobody.example.com");
        kit.superuser(0).unwrap().run("FLUSH SSL").unwrap();
        (kit, certificates)
    })
    .await;
    let error = db.execute_unprepared("SELECT 1").await.unwrap_err();
    assert_eq!(cause(&error).map(aurora_seaorm::Error::kind), Some(ErrorKind::Tls), "{error}");
}
