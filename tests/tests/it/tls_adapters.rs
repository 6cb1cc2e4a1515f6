//! What can be wrong with TLS, met by every adapter's own connections: the cluster is there, and
//! the server changes.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::PathBuf;
use std::process::Command;

use aurora_core::{Cluster, Config, Retry};
use aurora_tests::door::{Answer, Open};
use aurora_tests::doors::{bb8, deadpool, diesel_r2d2, mobc, seaorm};
use aurora_tests::eventually;
use aurora_tests::scene::Scene;
use test_kit::PgCluster;
use test_kit::chaos::Fault;
use tokio::task::block_in_place;

const ADAPTERS: [(&str, Open); 5] = [
    ("diesel_r2d2", diesel_r2d2::open),
    ("bb8", bb8::open),
    ("deadpool", deadpool::open),
    ("mobc", mobc::open),
    ("seaorm", seaorm::open),
];

/// Every statement opens a connection.
const ALWAYS_ANEW: &str = "max_idle_per_instance=0&connect_rate=none";

/// An authority, and what it and another one signed; removed at the end.
struct Certificates(PathBuf);

impl Certificates {
    /// `good`, `stranger` (another authority), `other-name` and `ended`.
    fn new(kit: &PgCluster) -> Self {
        let host = kit.address(0).0;
        let name = format!("aurora-tls-adapters-{}-{host}", std::process::id());
        let this = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&this.0).unwrap();
        for authority in ["ca", "stranger-ca"] {
            this.openssl(&format!(
                "req -x509 -days 2 -subj /CN={authority} -newkey rsa:2048 -nodes \
                 -keyout {authority}.key -out {authority}.pem"
            ));
        }
        let here = format!("IP:{host}");
        this.sign("good", "ca", &here, "2");
        this.sign("stranger", "stranger-ca", &here, "2");
        this.sign("other-name", "ca", "DNS:elsewhere.example.com", "2");
        this.sign("ended", "ca", &here, "-1");
        let postmaster = format!("/proc/{}", kit.pid(0).unwrap());
        let owner = std::fs::metadata(postmaster).unwrap().uid();
        for key in ["good", "stranger", "other-name", "ended"] {
            chown(this.0.join(format!("{key}.key")), Some(owner), None).unwrap();
        }
        this
    }

    fn sign(&self, name: &str, authority: &str, names: &str, days: &str) {
        self.openssl(&format!(
            "req -subj /CN={name} -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr"
        ));
        std::fs::write(self.0.join("names"), format!("subjectAltName={names}\n")).unwrap();
        self.openssl(&format!(
            "x509 -req -days {days} -in {name}.csr -CA {authority}.pem -CAkey {authority}.key \
             -CAcreateserial -extfile names -out {name}.pem"
        ));
    }

    fn openssl(&self, arguments: &str) {
        let mut openssl = Command::new("openssl");
        let output = openssl.args(arguments.split_whitespace()).current_dir(&self.0).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Lets the server show this certificate to whoever connects from now on.
    fn install(&self, kit: &PgCluster, name: &str) {
        let path = |kind: &str| self.0.join(format!("{name}.{kind}")).to_str().unwrap().to_owned();
        kit.set_setting(0, "ssl_cert_file", &path("pem")).unwrap();
        kit.set_setting(0, "ssl_key_file", &path("key")).unwrap();
        kit.set_setting(0, "ssl", "on").unwrap();
        let expected = path("pem");
        // A new session sees what new sessions are shown.
        eventually("the certificate is shown", || {
            let asked = kit.superuser(0).map(|mut client| {
                let sql = "SELECT current_setting('ssl_cert_file'), current_setting('ssl')";
                client.query_one(sql, &[]).unwrap()
            });
            asked
                .is_ok_and(|row| row.get::<_, &str>(0) == expected && row.get::<_, &str>(1) == "on")
        });
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server with the right certificate, and a cluster that insists on it.
async fn stand(open: Open, servers: test_kit::Builder, more: &str) -> (Scene, Certificates) {
    let mut made = None;
    let scene = Scene::connected(open, servers, |kit| {
        let certificates = Certificates::new(kit);
        certificates.install(kit, "good");
        let url = format!(
            "{}?{ALWAYS_ANEW}&sslmode=verify-full&sslrootcert={}{more}",
            kit.url(),
            certificates.0.join("ca.pem").display()
        );
        made = Some(certificates);
        Cluster::connect_blocking(Config::from_url(&url).unwrap()).unwrap()
    })
    .await;
    (scene, made.unwrap())
}

/// One statement in a session of its own, so on a connection of its own.
async fn insert(scene: &Scene) -> Answer<()> {
    let mut guest = scene.guest().await;
    let done = guest.execute("INSERT INTO items (name) VALUES ('d')").await;
    block_in_place(|| drop(guest));
    done
}

/// A right certificate, and after that wrong ones: each connect fails at once, for good, in words
/// about the certificate, and nothing is ever sent without encryption.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_certificates_are_refused_by_every_adapter() {
    for (adapter, open) in ADAPTERS {
        let (scene, certificates) = stand(open, PgCluster::builder(), "").await;
        insert(&scene).await.unwrap();
        let own = "SELECT count(*) FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";
        let mut guest = scene.guest().await;
        assert_eq!(guest.number(own).await.unwrap(), 1, "{adapter}");
        block_in_place(|| drop(guest));
        let before = scene.stored("d");
        for wrong in ["stranger", "other-name", "ended"] {
            scene.kit(|kit| certificates.install(kit, wrong));
            let refused = insert(&scene).await;
            let failure = refused.expect_err(&format!("{adapter} accepts {wrong}"));
            let text = failure.text.to_lowercase();
            assert!(text.contains("certificate"), "{adapter}, {wrong}: {failure}");
            assert_eq!(failure.retry, Retry::Never, "{adapter}, {wrong}: {failure}");
        }
        scene.kit(|kit| kit.set_setting(0, "ssl", "off")).unwrap();
        let failure = eventually_refused(&scene).await;
        assert!(failure.to_lowercase().contains("support"), "{adapter}, no TLS: {failure}");
        assert_eq!(scene.stored("d"), before, "{adapter}: nothing was written");
        scene.kit(|kit| certificates.install(kit, "good"));
        insert(&scene).await.unwrap();
        block_in_place(|| drop(certificates));
    }
}

/// The server takes its time to switch TLS off.
async fn eventually_refused(scene: &Scene) -> String {
    let end = std::time::Instant::now() + aurora_tests::LIMIT;
    loop {
        match insert(scene).await {
            Err(failure) if !failure.text.to_lowercase().contains("certificate") => {
                return failure.text;
            }
            Err(_) | Ok(()) if std::time::Instant::now() < end => {}
            other => panic!("not refused in time: {other:?}"),
        }
    }
}

/// A server that says nothing after it was asked for TLS: the statement ends at its deadline.
#[tokio::test(flavor = "multi_thread")]
async fn a_stall_after_the_request_for_tls_ends_at_the_deadline_in_every_adapter() {
    for (adapter, open) in ADAPTERS {
        let servers = PgCluster::builder().behind_proxies();
        let more = "&connect_timeout=1s&failover_timeout=3s";
        let (scene, certificates) = stand(open, servers, more).await;
        insert(&scene).await.unwrap();
        scene.kit(|kit| kit.proxy(0).set(Fault::StallTls)).unwrap();
        let stalled = tokio::time::timeout(aurora_tests::LIMIT, insert(&scene)).await;
        let failure = stalled.expect("it ends").unwrap_err();
        assert_eq!(failure.retry, Retry::AfterTopologyChange, "{adapter}: {failure}");
        scene.kit(|kit| kit.proxy(0).heal()).unwrap();
        aurora_tests::scene::eventually("it is well again", async || insert(&scene).await.is_ok())
            .await;
        block_in_place(|| drop(certificates));
    }
}
