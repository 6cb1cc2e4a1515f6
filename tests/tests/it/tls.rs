//! TLS with libpq's words, for the monitors and for Diesel's connections alike.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use aurora_core::{Cluster, Config, Error, ErrorKind};
use aurora_tests::{LIMIT, Manager, eventually};
use diesel::prelude::*;
use test_kit::PgCluster;

/// An authority, and what it signed for one instance; removed at the end.
pub(crate) struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Signs a certificate for `names` (`IP:…` or `DNS:…`) and leaves the key to the servers' user.
    fn new(kit: &PgCluster, names: &str) -> Self {
        let this = Self::signed(&kit.address(0).0.to_string(), names);
        let postmaster = format!("/proc/{}", kit.pid(0).unwrap());
        let owner = std::fs::metadata(postmaster).unwrap().uid();
        chown(this.path("server.key"), Some(owner), None).unwrap();
        this
    }

    /// Signs a certificate for `names`, in a folder of that name.
    pub(crate) fn signed(folder: &str, names: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("aurora-tls-{}-{folder}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let this = Self { folder };
        let key = ["-newkey", "rsa:2048", "-nodes"];
        for authority in ["ca", "other"] {
            this.openssl(
                &[
                    "req",
                    "-x509",
                    "-days",
                    "2",
                    "-subj",
                    "/CN=an authority",
                    "-keyout",
                    &format!("{authority}.key"),
                    "-out",
                    &format!("{authority}.pem"),
                ],
                &key,
            );
        }
        this.openssl(
            &["req", "-subj", "/CN=an instance", "-keyout", "server.key", "-out", "server.csr"],
            &key,
        );
        this.sign(names);
        this
    }

    /// The path of one of its files, which servers of another user may read.
    pub(crate) fn readable(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Signs another certificate for the same key.
    pub(crate) fn sign(&self, names: &str) {
        std::fs::write(self.path("names"), format!("subjectAltName={names}\n")).unwrap();
        self.openssl(
            &[
                "x509",
                "-req",
                "-days",
                "2",
                "-in",
                "server.csr",
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
                "-extfile",
                "names",
                "-out",
                "server.pem",
            ],
            &[],
        );
    }

    fn openssl(&self, arguments: &[&str], more: &[&str]) {
        let mut openssl = Command::new("openssl");
        let output = openssl.args(arguments).args(more).current_dir(&self.folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Lets the instance speak TLS.
    fn install(&self, kit: &PgCluster) {
        let set =
            |name: &str, value: &Path| kit.set_setting(0, name, value.to_str().unwrap()).unwrap();
        set("ssl_cert_file", &self.path("server.pem"));
        set("ssl_key_file", &self.path("server.key"));
        kit.set_setting(0, "ssl", "on").unwrap();
        let mut client = kit.superuser(0).unwrap();
        eventually("TLS is on", || {
            client.query_one("SHOW ssl", &[]).is_ok_and(|row| row.get::<_, &str>(0) == "on")
        });
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn connect(kit: &PgCluster, sslmode: &str, roots: Option<PathBuf>) -> Result<Cluster, Error> {
    let roots = roots.map(|path| format!("&sslrootcert={}", path.display())).unwrap_or_default();
    Cluster::connect_blocking(Config::from_url(&format!("{}?sslmode={sslmode}{roots}", kit.url()))?)
}

/// Whether the monitor's connection and one of Diesel's are encrypted.
fn encrypted(kit: &PgCluster, cluster: &Cluster) -> (bool, bool) {
    let mut session = Manager::new(cluster.clone()).session();
    let own = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let own = diesel::dsl::sql::<diesel::sql_types::Bool>(&format!("({own})"));
    let diesel = diesel::select(own).get_result(&mut session).unwrap();
    let monitor = "SELECT bool_and(s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name LIKE '%monitor%'";
    let row = kit.superuser(0).unwrap().query_one(monitor, &[]).unwrap();
    (row.get(0), diesel)
}

fn refused(result: Result<Cluster, Error>, remedy: &str) {
    let error = result.expect_err("the connection must be refused");
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert!(error.to_string().contains(remedy), "{error}");
}

#[test]
fn connections_are_as_safe_as_sslmode_says() {
    let kit = PgCluster::builder().start().unwrap();
    assert_eq!(encrypted(&kit, &connect(&kit, "prefer", None).unwrap()), (false, false));
    refused(connect(&kit, "require", None), "does not support TLS");

    let certificates = Certificates::new(&kit, &format!("IP:{}", kit.address(0).0));
    certificates.install(&kit);
    let (ca, other) = (certificates.path("ca.pem"), certificates.path("other.pem"));
    for (sslmode, roots, safe) in [
        ("disable", None, false),
        ("prefer", None, true),
        ("require", None, true),
        ("verify-ca", Some(&ca), true),
        ("verify-full", Some(&ca), true),
    ] {
        let cluster = connect(&kit, sslmode, roots.cloned()).unwrap();
        assert_eq!(encrypted(&kit, &cluster), (safe, safe), "{sslmode}");
        drop(cluster);
        let mut client = kit.superuser(0).unwrap();
        let left =
            "SELECT FROM pg_stat_activity WHERE application_name IN ('aurora', 'aurora monitor')";
        let gone = || client.query(left, &[]).is_ok_and(|rows| rows.is_empty());
        assert!(test_kit::wait_until(LIMIT, gone), "{sslmode}: connections are left");
    }
    refused(connect(&kit, "verify-full", Some(other.clone())), "sslrootcert");
    refused(connect(&kit, "verify-ca", Some(other)), "sslrootcert");
    refused(connect(&kit, "verify-full", None), "sslrootcert");
    refused(connect(&kit, "verify-full", Some(certificates.path("no.pem"))), "no.pem");
}

#[test]
fn a_certificate_of_another_name_is_for_verify_ca_only() {
    let kit = PgCluster::builder().start().unwrap();
    let certificates = Certificates::new(&kit, "DNS:elsewhere.example.com");
    certificates.install(&kit);
    let ca = certificates.path("ca.pem");
    refused(connect(&kit, "verify-full", Some(ca.clone())), "name in the certificate");
    let cluster = connect(&kit, "verify-ca", Some(ca)).unwrap();
    assert_eq!(encrypted(&kit, &cluster), (true, true));
}

/// Each test is a process of its own, so what is installed here is nobody else's.
#[test]
fn the_cryptography_is_what_the_application_installed() {
    const CIPHER: &str = "SELECT DISTINCT s.cipher FROM pg_stat_ssl s JOIN pg_stat_activity a \
                          USING (pid) WHERE a.application_name = 'aurora monitor'";
    let kit = PgCluster::builder().start().unwrap();
    Certificates::new(&kit, &format!("IP:{}", kit.address(0).0)).install(&kit);
    let cipher = |cluster: Cluster| {
        let rows = kit.superuser(0).unwrap().query(CIPHER, &[]).unwrap();
        drop(cluster);
        let left = "SELECT FROM pg_stat_activity WHERE application_name = 'aurora monitor'";
        let gone = || kit.superuser(0).unwrap().query(left, &[]).is_ok_and(|rows| rows.is_empty());
        assert!(test_kit::wait_until(LIMIT, gone), "connections are left");
        rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
    };
    let ours = cipher(connect(&kit, "require", None).unwrap());
    assert_eq!(ours, ["TLS_AES_256_GCM_SHA384"]);

    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites =
        vec![rustls::crypto::ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256];
    provider.install_default().unwrap();
    let theirs = cipher(connect(&kit, "require", None).unwrap());
    assert_eq!(theirs, ["TLS_CHACHA20_POLY1305_SHA256"]);
}
