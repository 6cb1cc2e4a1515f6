//! What is behind an address belongs to another cluster, for new connections alone.

use std::time::Duration;

use aurora_seaorm::{
    AuroraConnectOptions as _, AuroraConnection, ErrorKind, Outcome, Role, cause, outcome,
};
use sea_orm::{ActiveModelTrait as _, ConnectOptions, Database, EntityTrait as _};
use test_kit::PgCluster;

use crate::engine::TABLES;
use crate::entities::{item, named};
use crate::stand::{Stand, blocking};

/// A cluster behind an address that leads to another cluster by now, and that other one.
async fn moved() -> (Stand, PgCluster) {
    let stand = Stand::with(PgCluster::builder().behind_proxies(), "failover_timeout=1s").await;
    let theirs = blocking(|| {
        let theirs = PgCluster::builder().start().unwrap();
        theirs.client(0).unwrap().batch_execute(TABLES).unwrap();
        theirs
    })
    .await;
    stand.kit.proxy(0).set_target(theirs.address(0)).unwrap();
    (stand, theirs)
}

async fn rows(kit: PgCluster) -> i64 {
    let count = "SELECT count(*) FROM items";
    blocking(move || kit.superuser(0).unwrap().query_one(count, &[]).unwrap().get(0)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_connection_to_another_cluster_is_refused_before_any_statement() {
    let (stand, theirs) = moved().await;
    let db = AuroraConnection::new(stand.cluster.clone());
    let error = named("a").insert(&db).await.unwrap_err();
    assert_eq!(cause(&error).unwrap().kind(), ErrorKind::WrongCluster, "{error}");
    assert_eq!(outcome(&error), Outcome::NotApplied);
    assert!(item::Entity::find().all(&db).await.is_err());
    assert_eq!(rows(theirs).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_does_a_registered_connection_lead_there() {
    let (stand, theirs) = moved().await;
    let mut options = ConnectOptions::for_cluster(&stand.cluster, Role::Writer);
    options.acquire_timeout(Duration::from_secs(1));
    assert!(Database::connect(options).await.is_err());
    assert_eq!(rows(theirs).await, 0);
}
