//! The run: faults one after the other under load, and the last look at everything.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aurora_tests::doors::{PATIENCE, bb8, diesel_r2d2, seaorm};
use aurora_tests::load::Load;
use aurora_tests::scene::Scene;
use futures_util::FutureExt as _;
use postgres::fallible_iterator::FallibleIterator as _;
use test_kit::PgCluster;
use tokio::task::{block_in_place, spawn_blocking};

use crate::Failed;
use crate::fault::{Cast, Step};
use crate::ledger::{Ledger, Verdict};
use crate::perform::{Done, perform, readers};
use crate::plan::{Plan, Strike};
use crate::progress::Progress;
use crate::report::Report;
use crate::score::{Episode, RECOVERY, Score};

/// What differs from the defaults: no operation is to wait longer than a fault may take here.
const OPTIONS: &str = "failover_timeout=10s";
/// The pause between two looks at what the workers did.
const TICK: Duration = Duration::from_millis(200);
/// How long it may take until all servers are known in their roles.
const WHOLE: Duration = Duration::from_secs(20);
/// What a busy machine may add to the deadline of an operation.
const SLACK: Duration = Duration::from_secs(3);

/// The cluster, the load, and what is known of both.
struct Soak<'p> {
    scene: Arc<Scene>,
    load: Load,
    workers: usize,
    ledger: Ledger,
    score: Score,
    episodes: Vec<Episode>,
    start: Instant,
    length: Duration,
    progress: &'p mut Progress,
}

/// Lets the plan happen for so long, and judges.
///
/// # Errors
/// When the servers could not be started, or something could not be done to them.
pub(crate) async fn run(
    plan: Plan,
    length: Duration,
    progress: &mut Progress,
) -> Result<Report, Failed> {
    let mut soak = Soak::start(length, progress).await?;
    for strike in plan {
        let last = soak.episodes.last().map_or(soak.start, |episode| episode.struck);
        let next = last + strike.pause;
        if next > soak.start + length {
            break;
        }
        soak.ticks_until(next).await;
        soak.strike(strike).await?;
    }
    soak.ticks_until(soak.start + length).await;
    soak.finish().await
}

impl<'p> Soak<'p> {
    async fn start(length: Duration, progress: &'p mut Progress) -> Result<Self, Failed> {
        let servers = PgCluster::builder().instances(3).behind_proxies();
        let scene = Arc::new(Scene::with(diesel_r2d2::open, servers, OPTIONS).await);
        let cluster = &scene.cluster;
        let doors = [
            Arc::clone(&scene.pool),
            bb8::open(cluster.clone(), 8).await,
            seaorm::open(cluster.clone(), 8).await,
        ];
        let load = Load::through(&scene, &doors).await;
        // The workers look at their own rows, of which there are going to be millions.
        scene.kit(|kit| -> Result<(), Failed> {
            Ok(kit.superuser(kit.writer())?.batch_execute("CREATE INDEX ON deeds (id)")?)
        })?;
        let config = cluster.config();
        let waits = PATIENCE + config.failover_timeout() + config.connect_timeout();
        let deadline = waits + config.detection_time() + SLACK;
        let (start, workers) = (Instant::now(), load.log.successes().len());
        progress
            .line(format!("{workers} workers, 3 instances; an operation may take {deadline:?}"));
        let (ledger, score) = (Ledger::new(start), Score::new(start, workers, deadline));
        let episodes = Vec::new();
        Ok(Self { scene, load, workers, ledger, score, episodes, start, length, progress })
    }

    async fn strike(&mut self, strike: Strike) -> Result<(), Failed> {
        let kit = &self.scene.kit;
        let (writer, [reader, other]) = (kit.writer(), readers(kit, strike.pick)?);
        let script = strike.fault.script(Cast { writer, reader, other, hold: strike.hold });
        self.look();
        self.episodes.push(Episode::new(strike, self.workers));
        let done = self.perform(script.fault).await?;
        if let Some(episode) = self.episodes.last_mut() {
            episode.lift(done.at, done.mishaps);
        }
        self.ticks_until(done.at + RECOVERY).await;
        self.perform(script.repair).await?;
        self.await_whole().await?;
        let episode = self.episodes.last().map(ToString::to_string).unwrap_or_default();
        self.progress.line(format!("{:7.1} s  {episode}", self.start.elapsed().as_secs_f64()));
        Ok(())
    }

    async fn perform(&mut self, steps: Vec<Step>) -> Result<Done, Failed> {
        let scene = Arc::clone(&self.scene);
        let mut job = spawn_blocking(move || perform(&scene.kit, &steps));
        loop {
            match tokio::time::timeout(TICK, &mut job).await {
                Ok(done) => return done?,
                Err(_) => self.look(),
            }
        }
    }

    async fn ticks_until(&mut self, moment: Instant) {
        while let Some(left) = moment.checked_duration_since(Instant::now()) {
            tokio::time::sleep(left.min(TICK)).await;
            self.look();
        }
    }

    /// Waits until the library knows every server in its role.
    async fn await_whole(&mut self) -> Result<(), Failed> {
        let end = Instant::now() + WHOLE;
        loop {
            let topology = self.scene.cluster.topology();
            let writer = self.scene.id(self.scene.kit.writer());
            let right = topology.writer().is_some_and(|known| *known.id() == writer);
            if right && topology.readers().len() + 1 == self.scene.kit.len() {
                return Ok(());
            }
            if Instant::now() > end {
                let whole = format!("not within {WHOLE:?}: all servers are known, writer {writer}");
                return Err(format!("{whole}; but {topology:#?}").into());
            }
            self.ticks_until(Instant::now() + TICK).await;
        }
    }

    /// Takes note of what the workers did since the last time.
    fn look(&mut self) {
        for operation in self.load.log.take_operations() {
            self.ledger.note(&operation);
            self.score.take(&operation, self.episodes.last_mut());
        }
        let (seconds, of) = (self.start.elapsed().as_secs(), self.length.as_secs());
        let now = self.episodes.last().filter(|episode| episode.lifted.is_none());
        let now = now.map(|episode| format!(" | {}", episode.strike)).unwrap_or_default();
        let faults = self.episodes.len();
        let line = format!("{seconds} of {of} s | {faults} faults | {}{now}", self.score);
        self.progress.live(line);
    }

    async fn finish(mut self) -> Result<Report, Failed> {
        let hanging = self.load.stop().await;
        self.look();
        let verdict = self.compare()?;
        let mut problems = Vec::new();
        let last = async {
            self.scene.assert_usable().await;
            self.scene.assert_clean().await;
            self.scene.assert_no_leak().await;
        };
        if let Err(panic) = AssertUnwindSafe(last).catch_unwind().await {
            let text = panic.downcast_ref::<String>().cloned();
            problems.push(text.unwrap_or_else(|| "the last look failed".to_owned()));
        }
        let length = self.start.elapsed();
        Ok(Report {
            verdict,
            score: self.score,
            episodes: self.episodes,
            hanging,
            length,
            problems,
        })
    }

    /// Compares all claims with what the writer holds.
    fn compare(&mut self) -> Result<Verdict, Failed> {
        let (kit, ledger) = (&self.scene.kit, &mut self.ledger);
        block_in_place(|| {
            let mut writer = kit.superuser(kit.writer())?;
            let nothing: [i32; 0] = [];
            let mut rows = writer.query_raw("SELECT id, session FROM deeds", nothing)?;
            while let Some(row) = rows.next()? {
                ledger.found(row.try_get(0)?, row.try_get(1)?);
            }
            Ok(ledger.verdict())
        })
    }
}
