//! The cluster and its data: real PostgreSQL servers, filled by pgbench itself, or real MariaDB servers
//! with the same tables.

use std::collections::HashMap;
use std::error::Error;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use test_kit::{MariaDbCluster, PgCluster};

use crate::ledger::Money;
use crate::options::Engine;
use crate::servers::Servers;

type Failed = Box<dyn Error + Send + Sync>;

/// The scale of pgbench's data: as many branches as writing threads, else they wait for each
/// other's row locks.
pub(crate) const SCALE: i32 = 4;
/// How long filling the tables may take.
const LOAD_LIMIT: Duration = Duration::from_secs(120);

/// Starts a writer and two readers. Commits wait for both readers, as they do on Aurora, where
/// an acknowledged write is in the storage that all instances share.
pub(crate) fn start(engine: Engine, aurora: bool) -> Result<Servers, Failed> {
    if engine == Engine::Mysql {
        // An acknowledged write is on one of the readers, which the kit lets the heir have.
        return Ok(Servers::MariaDb(MariaDbCluster::builder().instances(3).start()?));
    }
    let mut builder = PgCluster::builder().instances(3).synchronous(true).aurora(aurora);
    if aurora {
        // What Aurora is told by.
        builder = builder.setting("rds.extensions", "aurora_stat_utils, plpgsql");
    }
    Ok(Servers::Postgres(builder.start()?))
}

/// Fills the tables, and adds the one of the direct probe.
pub(crate) fn load(servers: &Servers) -> Result<(), Failed> {
    match servers {
        Servers::Postgres(kit) => load_postgres(kit),
        Servers::MariaDb(kit) => load_mariadb(kit),
    }
}

/// What `pgbench -i` would make, as far as the demo looks at it.
fn load_mariadb(kit: &MariaDbCluster) -> Result<(), Failed> {
    let mut writer = kit.client(kit.writer())?;
    writer.run(
        "CREATE TABLE pgbench_branches (bid INT PRIMARY KEY, bbalance INT NOT NULL);
         CREATE TABLE pgbench_tellers (tid INT PRIMARY KEY, tbalance INT NOT NULL);
         CREATE TABLE pgbench_accounts (aid INT PRIMARY KEY, abalance INT NOT NULL);
         CREATE TABLE pgbench_history (tid INT NOT NULL, bid INT NOT NULL, aid INT NOT NULL,
             delta INT NOT NULL, mtime TIMESTAMP NOT NULL, filler VARCHAR(22) NOT NULL);
         CREATE TABLE demo_probe (at TIMESTAMP NOT NULL)",
    )?;
    let (branches, tellers) = (SCALE, 10 * SCALE);
    writer.run(&format!("INSERT INTO pgbench_branches SELECT seq, 0 FROM seq_1_to_{branches}"))?;
    writer.run(&format!("INSERT INTO pgbench_tellers SELECT seq, 0 FROM seq_1_to_{tellers}"))?;
    // One after the other: the kit gives a statement 10 s.
    for branch in 0..SCALE {
        let (first, last) = (branch * 100_000 + 1, (branch + 1) * 100_000);
        let rows = format!("INSERT INTO pgbench_accounts SELECT seq, 0 FROM seq_{first}_to_{last}");
        writer.run(&rows)?;
    }
    Ok(kit.await_readers()?)
}

/// Fills the tables with `pgbench -i`, and adds the one of the direct probe.
fn load_postgres(kit: &PgCluster) -> Result<(), Failed> {
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
pub(crate) fn count(servers: &Servers) -> Result<(HashMap<String, u64>, Money), Failed> {
    match servers {
        Servers::Postgres(kit) => count_postgres(kit),
        Servers::MariaDb(kit) => count_mariadb(kit),
    }
}

const IDS: &str = "SELECT rtrim(filler), count(*) FROM pgbench_history GROUP BY 1";
const SUMS: &str = "SELECT (SELECT sum(abalance) FROM pgbench_accounts), \
                    (SELECT sum(tbalance) FROM pgbench_tellers), \
                    (SELECT sum(bbalance) FROM pgbench_branches), \
                    (SELECT coalesce(sum(delta), 0) FROM pgbench_history)";

fn count_postgres(kit: &PgCluster) -> Result<(HashMap<String, u64>, Money), Failed> {
    let mut writer = kit.client(kit.writer())?;
    writer.batch_execute("SET statement_timeout = '60s'")?;
    let mut found = HashMap::new();
    for row in writer.query(IDS, &[])? {
        found.insert(row.try_get(0)?, u64::try_from(row.try_get::<_, i64>(1)?)?);
    }
    let row = writer.query_one(SUMS, &[])?;
    let sum = |column: usize| row.try_get::<_, i64>(column);
    let money = Money { accounts: sum(0)?, tellers: sum(1)?, branches: sum(2)?, history: sum(3)? };
    Ok((found, money))
}

fn count_mariadb(kit: &MariaDbCluster) -> Result<(HashMap<String, u64>, Money), Failed> {
    let mut writer = kit.client(kit.writer())?;
    let mut found = HashMap::new();
    for row in writer.query(IDS)? {
        found.insert(row.at(0).to_owned(), row.at(1).parse()?);
    }
    let rows = writer.query(SUMS)?;
    let row = rows.first().ok_or("the writer tells no sums")?;
    let sum = |column: usize| row.at(column).parse::<i64>();
    let money = Money { accounts: sum(0)?, tellers: sum(1)?, branches: sum(2)?, history: sum(3)? };
    Ok((found, money))
}
