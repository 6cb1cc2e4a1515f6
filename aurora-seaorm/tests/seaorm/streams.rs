//! Rows as they arrive.

use crate::both::streams;
use crate::stand::Stand;

const MANY: &str =
    "INSERT INTO items (name) SELECT repeat('x', 100) FROM generate_series(1, 20000)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_reaches_whoever_takes_the_rows() {
    let failing = "SELECT 10 / (i - 50) AS n FROM generate_series(1, 100) i";
    streams::an_error_reaches_whoever_takes_the_rows(failing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_run_again_before_its_first_row_and_never_after() {
    let stand = Stand::new(3).await;
    // More than all buffers on the way can hold.
    stand.seed(&MANY.replace("100)", "3000)")).await;
    let end = "SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_activity \
               WHERE usename = 'app' AND application_name = 'aurora' AND query LIKE '%items%'";
    let cut = async || {
        for reader in [1, 2] {
            stand.ask(reader, end).await;
        }
    };
    for _ in 0..2 {
        streams::is_run_again_before_its_first_row_alone(&stand, 20_000, cut).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_behind_a_stream_of_its_transaction_does_not_wait_for_ever() {
    let servers = test_kit::PgCluster::builder().instances(1);
    let stand = Stand::with(servers, "failover_timeout=300ms").await;
    stand.seed(MANY).await;
    streams::a_statement_behind_a_stream_does_not_wait(&stand, 20_000).await;
}
