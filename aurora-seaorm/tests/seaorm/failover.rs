//! A writer that falls silent.

use std::time::Duration;

use test_kit::PgCluster;

use crate::both::failover::statements_on_a_writer_that_hangs;
use crate::stand::Stand;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_on_a_writer_that_hangs_fail_in_time() {
    let stand = Stand::with(PgCluster::builder().instances(3), "").await;
    statements_on_a_writer_that_hangs(&stand, Duration::from_millis(3500)).await;
}
