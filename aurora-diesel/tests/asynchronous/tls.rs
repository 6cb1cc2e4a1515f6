//! TLS as `sslmode` and `sslrootcert` say, without a connector of the user's own.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::PathBuf;
use std::process::Command;

use aurora_diesel::asynchronous::AuroraConnectionManager;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use test_kit::PgCluster;

/// A certificate that is its own authority, and its key; removed at the end.
struct Certificate(PathBuf);

impl Certificate {
    /// Makes one for the instance, and lets the instance speak TLS with it.
    fn install(kit: &PgCluster) -> Self {
        let (address, process) = (kit.address(0).0, std::process::id());
        let folder = std::env::temp_dir().join(format!("aurora-async-tls-{process}-{address}"));
        std::fs::create_dir_all(&folder).unwrap();
        let this = Self(folder);
        let mut openssl = Command::new("openssl");
        openssl.args("req -x509 -days 2 -newkey rsa:2048 -nodes -subj /CN=instance".split(' '));
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        openssl.args(["-addext", &format!("subjectAltName=IP:{address}")]);
        openssl.args(["-keyout", "server.key", "-out", "server.pem"]).current_dir(&this.0);
        let output = openssl.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let owner = std::fs::metadata(format!("/proc/{}", kit.pid(0).unwrap())).unwrap().uid();
        chown(this.0.join("server.key"), Some(owner), None).unwrap();
        let set = |name: &str, file: &str| {
            kit.set_setting(0, name, this.0.join(file).to_str().unwrap()).unwrap();
        };
        set("ssl_cert_file", "server.pem");
        set("ssl_key_file", "server.key");
        kit.set_setting(0, "ssl", "on").unwrap();
        this
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn is_encrypted(url: String) -> bool {
    let manager = AuroraConnectionManager::from_url(&url).await.unwrap();
    let own = "(SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())";
    let own = diesel::select(diesel::dsl::sql::<Bool>(own));
    own.get_result(&mut manager.session()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_as_safe_as_sslmode_says() {
    let (kit, certificate) = tokio::task::block_in_place(|| {
        let kit = PgCluster::builder().start().unwrap();
        let certificate = Certificate::install(&kit);
        let mut client = kit.superuser(0).unwrap();
        let mut is_on = || client.query_one("SHOW ssl", &[]).unwrap().get::<_, &str>(0) == "on";
        assert!(test_kit::wait_until(crate::stand::LIMIT, &mut is_on));
        (kit, certificate)
    });
    let roots = certificate.0.join("server.pem");
    let full = format!("verify-full&sslrootcert={}", roots.display());
    for (sslmode, safe) in [("disable", false), ("require", true), (full.as_str(), true)] {
        let url = format!("{}?sslmode={sslmode}", kit.url());
        assert_eq!(is_encrypted(url).await, safe, "{sslmode}");
    }
    tokio::task::block_in_place(|| drop((certificate, kit)));
}
