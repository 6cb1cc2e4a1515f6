//! Where each kind of statement runs.

use sea_orm::ConnectionTrait;

use crate::both::routing::{on, reads_of_every_shape, writes_of_every_shape};
use crate::stand::Stand;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_of_every_shape_run_on_the_reader() {
    let stand = Stand::new(2).await;
    stand
        .seed(
            "INSERT INTO items (name) SELECT 'n' || i FROM generate_series(1, 25) i;
             INSERT INTO notes (item_id, text) SELECT id, 'about ' || name FROM items",
        )
        .await;
    reads_of_every_shape(&stand, "SELECT $1::bigint + 1 AS next").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_of_every_shape_run_on_the_writer() {
    let stand = Stand::new(2).await;
    let db = &stand.db;
    let ran = on(&stand, async {
        writes_of_every_shape(db).await;
        db.execute_unprepared("WITH d AS (DELETE FROM items RETURNING *) SELECT * FROM d")
            .await
            .unwrap();
    })
    .await;
    assert_eq!(ran, (7, 0));
}
