//! bb8, deadpool and mobc: leases return at check-in.

use aurora_diesel::asynchronous::{bb8, deadpool, mobc};
use diesel_async::{AsyncConnection, SimpleAsyncConnection};

use super::stand::{ITEMS, Stand, add, eventually, is_on_reader};

/// A session that was left in the middle of things is as new at the next check-out, and what was
/// clean was kept for others while the pool held the session.
macro_rules! check_in {
    ($stand:expr, $pool:expr) => {{
        let (stand, pool) = (&$stand, &$pool);
        for _ in 0..20 {
            add(&mut pool.get().await.unwrap(), "again").await.unwrap();
        }
        assert_eq!(stand.open(0), 1);
        let mut session = pool.get().await.unwrap();
        session.begin_test_transaction().await.unwrap();
        drop(session);
        let mut session = pool.get().await.unwrap();
        session.batch_execute("ROLLBACK").await.unwrap();
        session.reset();
        session.batch_execute("BEGIN").await.unwrap();
        session.batch_execute("SET SESSION sort_buffer_size = 100000").await.unwrap();
        add(&mut session, "never").await.unwrap();
        drop(session);
        eventually("the transaction is gone", async || stand.busy(0, "") == "0").await;
        let mut session = pool.get().await.unwrap();
        assert!(is_on_reader(&mut session).await, "its writes are forgotten");
        add(&mut session, "one").await.unwrap();
        assert_eq!(stand.ask(0, "SELECT COUNT(*) FROM items"), "21");
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn check_in_gives_everything_back_with_bb8() {
    let stand = Stand::new(2, ITEMS).await;
    let pool = bb8::Pool::builder().max_size(1).build(stand.manager.clone()).await.unwrap();
    check_in!(stand, pool);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_in_gives_everything_back_with_deadpool() {
    let stand = Stand::new(2, ITEMS).await;
    let pool = deadpool::Pool::builder(stand.manager.clone()).max_size(1).build().unwrap();
    check_in!(stand, pool);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_in_gives_everything_back_with_mobc() {
    let stand = Stand::new(2, ITEMS).await;
    let pool = mobc::Pool::builder().max_open(1).build(stand.manager.clone());
    check_in!(stand, pool);
}
