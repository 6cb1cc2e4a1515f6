//! Connections are as safe as `sslmode` says.

use std::path::PathBuf;
use std::process::Command;

use aurora_core::{Cluster, Config};
use aurora_seaorm::AuroraConnection;

use crate::stand::one;

/// A server's key, and the authority that signs it; removed at the end.
pub(crate) struct Certificates(PathBuf);

impl Certificates {
    pub(crate) fn new() -> Self {
        let name = format!("aurora-seaorm-tls-{}", std::process::id());
        let this = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&this.0).unwrap();
        this.authority("ca");
        this.openssl(
            "req -subj /CN=instance -newkey rsa:2048 -nodes -keyout server.key -out server.csr",
        );
        this
    }

    /// Makes an authority; `ca` is the one that signs.
    pub(crate) fn authority(&self, name: &str) {
        self.openssl(&format!(
            "req -x509 -days 2 -subj /CN={name} -newkey rsa:2048 -nodes \
             -keyout {name}.key -out {name}.pem"
        ));
    }

    /// Has the authority say that these are the server's names.
    pub(crate) fn sign(&self, names: &str) {
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

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) async fn connect(url: &str, options: &str) -> AuroraConnection {
    let config = Config::from_url(&format!("{url}?{options}")).unwrap();
    AuroraConnection::new(Cluster::connect(config).await.unwrap())
}

/// `cipher` asks for the cipher of the connection, which is empty without TLS.
pub(crate) async fn every_mode_is_as_safe_as_it_says(url: &str, ca: &str, cipher: &str) {
    let ca = format!("&sslrootcert={ca}");
    for (sslmode, roots, safe) in [
        ("disable", "", false),
        ("prefer", "", true),
        ("require", "", true),
        ("verify-ca", ca.as_str(), true),
        ("verify-full", ca.as_str(), true),
    ] {
        let db = connect(url, &format!("sslmode={sslmode}{roots}")).await;
        for cipher in [one::<String>(&db, cipher).await, one(db.writer_database(), cipher).await] {
            assert_eq!(!cipher.is_empty(), safe, "{sslmode}");
        }
    }
}
