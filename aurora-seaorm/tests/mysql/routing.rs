//! Where each kind of statement runs.

use crate::both::routing::{self, on, reads_of_every_shape, writes_of_every_shape};
use crate::stand::{Stand, one};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_of_every_shape_run_on_the_reader() {
    let stand = Stand::new(2).await;
    stand
        .seed(
            "INSERT INTO items (name) SELECT CONCAT('n', seq) FROM seq_1_to_25;
             INSERT INTO notes (item_id, text) SELECT id, CONCAT('about ', name) FROM items",
        )
        .await;
    reads_of_every_shape(&stand, "SELECT CAST(? + 1 AS SIGNED) AS next").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_of_every_shape_run_on_the_writer() {
    let stand = Stand::new(2).await;
    let db = &stand.db;
    let ran = on(&stand, async {
        writes_of_every_shape(db).await;
        let returned: i32 = one(db, "INSERT INTO items (name) VALUES ('e') RETURNING id").await;
        assert!(returned > 4);
    })
    .await;
    assert_eq!(ran, (7, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_writes_is_found_out_and_remembered() {
    let stand = Stand::new(2).await;
    let function = "CREATE FUNCTION make() RETURNS INT DETERMINISTIC SQL SECURITY INVOKER \
                    BEGIN INSERT INTO items (name) VALUES ('made'); RETURN 1; END";
    stand.seed(function).await;
    // The reader is asked once, and refuses.
    for expected in [(1, 1), (1, 0)] {
        let ran = on(&stand, async {
            assert_eq!(one::<i32>(&stand.db, "SELECT make()").await, 1);
        });
        assert_eq!(ran.await, expected);
    }
    assert_eq!(stand.ask(0, "SELECT COUNT(*) FROM items").await, "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_line_connects() {
    routing::one_line_connects(&Stand::new(2).await).await;
}
