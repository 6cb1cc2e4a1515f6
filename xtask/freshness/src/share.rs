//! How many reads of a session that writes are served by readers, beside the usual rule.

use std::time::{Duration, Instant};

use aurora_tests::doors::bb8;
use aurora_tests::stand::connect;
use tokio::task::{JoinSet, block_in_place};

use crate::Failed;
use crate::stage::{Stage, queries};

/// How far the readers are behind.
pub(crate) const LAG: Duration = Duration::from_millis(20);
/// What proxies and frameworks do: after a write, so long to the writer.
pub(crate) const STICK: Duration = Duration::from_secs(2);
/// Writes of a session per second.
const RATES: [u32; 3] = [1, 10, 100];
/// How long reads wait for a reader.
const WAITS: [u32; 3] = [0, 10, 50];
/// How many sessions, each with a pause between two reads.
const SESSIONS: usize = 4;
const PAUSE: Duration = Duration::from_millis(4);

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) writes_per_second: u32,
    /// `freshness_wait`, in milliseconds.
    pub(crate) wait: u32,
    /// Of a hundred reads so many were served by readers.
    pub(crate) ours: f64,
    /// The same by the usual rule.
    pub(crate) stick: f64,
    /// How long a read took, in the mean.
    pub(crate) mean: Duration,
    pub(crate) stale: usize,
}

/// What a session counts.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    reads: u32,
    stick: u32,
    writes: u64,
    stale: usize,
    took: Duration,
}

/// Measures every row for so long.
pub(crate) async fn table(stage: &Stage, length: Duration) -> Result<Vec<Row>, Failed> {
    block_in_place(|| -> Result<(), Failed> {
        let readers = stage.kit.readers();
        Ok(readers.iter().try_for_each(|reader| stage.kit.set_replay_delay(*reader, LAG))?)
    })?;
    let mut rows = Vec::new();
    for wait in WAITS {
        for writes_per_second in RATES {
            rows.push(row(stage, writes_per_second, wait, length).await?);
        }
    }
    Ok(rows)
}

async fn row(stage: &Stage, rate: u32, wait: u32, length: Duration) -> Result<Row, Failed> {
    let options = format!("freshness_wait={wait}ms");
    let cluster = block_in_place(|| connect(&*stage.kit, &options));
    let door = bb8::open(cluster.clone(), SESSIONS).await;
    let mut sessions = JoinSet::new();
    for number in 0..SESSIONS {
        let door = std::sync::Arc::clone(&door);
        sessions.spawn(async move {
            let session = door.session().await.map_err(|failure| failure.to_string())?;
            live(session, number, rate, length).await.map_err(|failure| failure.to_string())
        });
    }
    let mut all = Count::default();
    while let Some(ended) = sessions.join_next().await {
        let one = ended??;
        all.reads += one.reads;
        all.stick += one.stick;
        all.writes += one.writes;
        all.stale += one.stale;
        all.took += one.took;
    }
    let (_, by_readers) = queries(&cluster);
    let reads = f64::from(all.reads.max(1));
    Ok(Row {
        writes_per_second: rate,
        wait,
        ours: by_readers as f64 / reads * 100.0,
        stick: f64::from(all.stick) / reads * 100.0,
        mean: all.took / all.reads.max(1),
        stale: all.stale,
    })
}

/// A session that reads all the time, and writes now and then.
async fn live(
    mut session: aurora_tests::door::Guest,
    number: usize,
    rate: u32,
    length: Duration,
) -> Result<Count, aurora_tests::door::Failure> {
    let (mut count, start) = (Count::default(), Instant::now());
    let read = format!("SELECT n FROM marks WHERE id = {number}");
    let mut written = session.number(&format!("/*@fresh strong*/ {read}")).await?;
    let mut last_write = None;
    while start.elapsed() < length {
        let due = u64::from(rate) * start.elapsed().as_millis() as u64 / 1000 + 1;
        if count.writes < due {
            count.writes += 1;
            written += 1;
            let write = format!("UPDATE marks SET n = {written} WHERE id = {number}");
            session.execute(&write).await?;
            last_write = Some(Instant::now());
        }
        let began = Instant::now();
        let found = session.number(&read).await?;
        count.took += began.elapsed();
        count.reads += 1;
        count.stale += usize::from(found < written);
        count.stick += u32::from(last_write.is_none_or(|at: Instant| began - at > STICK));
        tokio::time::sleep(PAUSE).await;
    }
    Ok(count)
}
