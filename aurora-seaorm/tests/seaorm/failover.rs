//! A writer that falls silent.

use std::time::Duration;

use test_kit::PgCluster;

use crate::both::failover::{
    NOTHING_IDLE, a_connect_to_a_writer_that_hangs, statements_on_a_writer_that_hangs,
};
use crate::engine;
use crate::stand::Stand;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_on_a_writer_that_hangs_fail_in_time() {
    let stand = Stand::with(PgCluster::builder().instances(3), "").await;
    statements_on_a_writer_that_hangs(&stand, Duration::from_millis(3500)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connect_to_a_writer_that_hangs_is_given_up_for_the_next_one() {
    let stand = Stand::with(engine::servers(3), NOTHING_IDLE).await;
    a_connect_to_a_writer_that_hangs(&stand).await;
}
