//! A secret in moto, a door before it, and servers whose password is the secret's.

use aurora_core::{Cluster, Config, ConfigBuilder, SecretsManager};
use aurora_tests::door::Open;
use aurora_tests::doors;
use aurora_tests::eventually;
use aurora_tests::scene::Scene;
use aws_credential_types::Credentials;
use test_kit::PgCluster;
use test_kit::aws::{Front, Moto};
use tokio::task::block_in_place;

/// The name of the secret.
pub(super) const SECRET: &str = "prod/shop";

/// What the password is in the beginning.
pub(super) const FIRST: &str = "planted-0";

/// moto, and the door before it.
pub(super) struct Vault {
    pub(super) front: Front,
    pub(super) moto: Moto,
}

impl Vault {
    /// With the first password in it.
    pub(super) fn open() -> Self {
        block_in_place(|| {
            let moto = Moto::start().unwrap();
            moto.create_secret(SECRET, &json(FIRST)).unwrap();
            Self { front: Front::before(moto.address()).unwrap(), moto }
        })
    }

    /// The real SDK, led to the door.
    pub(super) fn secret(&self) -> SecretsManager {
        SecretsManager::new(SECRET)
            .region(self.moto.region())
            .endpoint_url(self.front.url())
            .aws_credentials(Credentials::new("kit", "kit", None, None, "kit"))
    }

    /// Changes the password in the secret, and then on the servers.
    pub(super) fn rotate(&self, kit: &PgCluster, password: &str) {
        self.moto.put_secret(SECRET, &json(password)).unwrap();
        set_password(kit, password);
    }

    /// Servers, and a cluster that logs in with the secret.
    pub(super) async fn scene(&self, open: Open, instances: usize, options: &str) -> Scene {
        scene(open, instances, options, self.secret()).await
    }
}

/// Servers, and a cluster that logs in as `shop` with what `source` provides.
pub(super) async fn scene(
    open: Open,
    instances: usize,
    options: &str,
    source: impl aurora_core::CredentialsProvider,
) -> Scene {
    let servers = PgCluster::builder().instances(instances);
    Scene::connected(open, servers, |kit| {
        add_user(kit);
        let cluster = connect(config(kit, options).credentials(source)).unwrap();
        eventually("all instances are online", || {
            let topology = cluster.topology();
            topology.writer().is_some() && topology.readers().len() + 1 == kit.len()
        });
        cluster
    })
    .await
}

/// The pools of all adapters on the cluster of the scene.
pub(super) async fn all_doors(scene: &Scene) -> Vec<std::sync::Arc<dyn aurora_tests::door::Door>> {
    let mut all = vec![std::sync::Arc::clone(&scene.pool)];
    for open in [doors::bb8::open, doors::deadpool::open, doors::mobc::open, doors::seaorm::open] {
        all.push(open(scene.cluster.clone(), 8).await);
    }
    all
}

pub(super) fn connect(builder: ConfigBuilder) -> Result<Cluster, aurora_core::Error> {
    Cluster::connect_blocking(builder.build()?)
}

/// What to connect to, without a login.
pub(super) fn config(kit: &PgCluster, options: &str) -> ConfigBuilder {
    let places: Vec<String> = (0..kit.len())
        .map(|index| kit.address(index))
        .map(|(host, port)| format!("{host}:{port}"))
        .collect();
    Config::builder().url(&format!("postgres://{}/app?{options}", places.join(",")))
}

/// A user that may do what `app` may, so that the kit's own logins go on.
pub(super) fn add_user(kit: &PgCluster) {
    let sql = format!("CREATE ROLE shop LOGIN PASSWORD '{FIRST}' IN ROLE app");
    kit.superuser(kit.writer()).unwrap().batch_execute(&sql).unwrap();
    aurora_tests::stand::caught_up(kit);
}

pub(super) fn set_password(kit: &PgCluster, password: &str) {
    let sql = format!("ALTER ROLE shop PASSWORD '{password}'");
    kit.superuser(kit.writer()).unwrap().batch_execute(&sql).unwrap();
}

pub(super) fn json(password: &str) -> String {
    format!(r#"{{"username":"shop","password":"{password}","engine":"postgres"}}"#)
}
