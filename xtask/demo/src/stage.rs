//! The cluster and its data: real PostgreSQL servers, filled by pgbench itself.

use std::collections::HashMap;
use std::error::Error;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use test_kit::PgCluster;

use crate::ledger::Money;

/// The scale of pgbench's data: as many branches as writing threads, else they wait for each
/// other's row locks.
pub(crate) const SCALE: i32 = 4;
/// How long filling the tables may take.
const LOAD_LIMIT: Duration = Duration::from_secs(120);

/// Starts a writer and two readers. Commits wait for both readers, as they do on Aurora, where
/// an acknowledged write is in the storage that all instances share.
pub(crate) fn start(aurora: bool) -> Result<PgCluster, Box<dyn Error + Send + Sync>> {
    let mut builder = PgCluster::builder().instances(3).synchronous(true).aurora(aurora);
    if aurora {
        // What Aurora is told by.
        builder = builder.setting("rds.extensions", "aurora_stat_utils, plpgsql");
    }
    Ok(builder.start()?)
}

/// Fills the tables with `pgbench -i`, and adds the one of the direct probe.
pub(crate) fn load(kit: &PgCluster) -> Result<(), Box<dyn Error + Send + Sync>> {
    let scale = SCALE.to_string();
    // G: the server makes the rows, which takes a third of the time.
    let mut command = kit.pgbench(kit.writer(), &["-i", "-q", "-s", &scale, "-I", "dtGvp"])?;
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let end = Instant::now() + LOAD_LIMIT;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() > end => {
                child.kill()?;
                return Err(format!("pgbench -i: not done within {LOAD_LIMIT:?}").into());
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    };
    if !status.success() {
        return Err(format!("pgbench -i ended with {status}").into());
    }
    let mut writer = kit.client(kit.writer())?;
    writer.batch_execute("CREATE TABLE demo_probe (at timestamptz NOT NULL)")?;
    Ok(())
}

/// What the writer has at the end: how often each identifier, and the four sums.
pub(crate) fn count(
    kit: &PgCluster,
) -> Result<(HashMap<String, u64>, Money), Box<dyn Error + Send + Sync>> {
    let mut writer = kit.client(kit.writer())?;
    writer.batch_execute("SET statement_timeout = '60s'")?;
    let mut found = HashMap::new();
    let ids = "SELECT rtrim(filler), count(*) FROM pgbench_history GROUP BY 1";
    for row in writer.query(ids, &[])? {
        found.insert(row.try_get(0)?, u64::try_from(row.try_get::<_, i64>(1)?)?);
    }
    let row = writer.query_one(
        "SELECT (SELECT sum(abalance) FROM pgbench_accounts), \
                (SELECT sum(tbalance) FROM pgbench_tellers), \
                (SELECT sum(bbalance) FROM pgbench_branches), \
                (SELECT coalesce(sum(delta), 0) FROM pgbench_history)",
        &[],
    )?;
    let sum = |column: usize| row.try_get::<_, i64>(column);
    let money = Money { accounts: sum(0)?, tellers: sum(1)?, branches: sum(2)?, history: sum(3)? };
    Ok((found, money))
}
