//! bb8, deadpool and mobc: leases return at check-in.

use aurora_diesel::asynchronous::{bb8, deadpool, mobc};
use aurora_diesel::aurora_core::Instance;
use diesel_async::{AsyncConnection, SimpleAsyncConnection};

use crate::stand::{ITEMS, Stand, add, eventually, is_on_reader};

/// A session that was left in the middle of things is as new at the next check-out, and what was
/// clean was kept for others while the pool held the session.
macro_rules! check_in {
    ($stand:expr, $pool:expr) => {{
        let (stand, pool) = (&$stand, &$pool);
        let idle = |index: usize| stand.open(index);
        let mut session = pool.get().await.unwrap();
        add(&mut session, "one").await.unwrap();
        drop(session);
        eventually("the connection is back", async || idle(0) == 1).await;
        for _ in 0..20 {
            add(&mut pool.get().await.unwrap(), "again").await.unwrap();
        }
        assert_eq!(stand.opened(0), 1);
        let mut session = pool.get().await.unwrap();
        session.begin_test_transaction().await.unwrap();
        drop(session);
        let mut session = pool.get().await.unwrap();
        session.batch_execute("ROLLBACK").await.unwrap();
        session.reset();
        session.batch_execute("BEGIN").await.unwrap();
        session.batch_execute("SET LOCAL work_mem = '1MB'").await.unwrap();
        add(&mut session, "never").await.unwrap();
        drop(session);
        eventually("the transaction is gone", async || {
            stand.ask(0, "SELECT count(*) FROM pg_stat_activity WHERE state LIKE '%transaction%'")
                == 0
        })
        .await;
        let mut session = pool.get().await.unwrap();
        assert!(is_on_reader(&mut session).await, "its writes are forgotten");
        add(&mut session, "two").await.unwrap();
        assert_eq!(stand.ask(0, "SELECT count(*) FROM items"), 22);
    }};
}

impl Stand {
    /// How many connections to an instance are open.
    fn open(&self, index: usize) -> u64 {
        self.instance(index).stats().connections()
    }

    /// How many connections to an instance were opened so far.
    fn opened(&self, index: usize) -> u64 {
        self.instance(index).stats().connects()
    }

    fn instance(&self, index: usize) -> Instance {
        let topology = self.cluster().topology();
        topology.instance(&self.kit.name(index).into()).unwrap().clone()
    }
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
