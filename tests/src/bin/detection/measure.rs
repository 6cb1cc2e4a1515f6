//! One fault after the other, each several times, with the clock in hand.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aurora_core::{Event, Health};
use aurora_tests::LIMIT;
use aurora_tests::door::{Answer, Open};
use aurora_tests::scene::{Scene, eventually};
use serde_json::{Value, json};
use test_kit::chaos::{Direction, Fault as Chaos};
use test_kit::{PacketLoss, PgCluster};
use tokio::task::{JoinHandle, block_in_place};

/// A setting, and how soon silence has to be found out with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    options: &'static str,
    limit: Duration,
}

/// The default, and the one option that is to be tuned.
pub(crate) const SETTINGS: [Setting; 2] = [
    Setting { name: "default", options: "", limit: Duration::from_secs(3) },
    Setting {
        name: "detection_time=1s",
        options: "detection_time=1s",
        limit: Duration::from_millis(1100),
    },
];

/// What is done to the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Blackhole,
    Stop,
    Reset,
    Kill,
}

const FAULTS: [Fault; 4] = [Fault::Blackhole, Fault::Stop, Fault::Reset, Fault::Kill];

/// What a reset or a kill may take until the statement fails: most of it is the time that processes
/// take to die on a busy machine.
const NOTICED: Duration = Duration::from_millis(250);

/// What may pass, on average, from the first error that anyone sees until the statement has failed
/// and an instance that is gone is declared lost.
const CERTAIN: Duration = Duration::from_millis(10);

/// How long an instance has to be well until new trouble is not taken for more of the old one, which
/// is looked into ever more slowly.
const CALM: Duration = Duration::from_secs(11);

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Blackhole => "blackhole",
            Self::Stop => "SIGSTOP",
            Self::Reset => "RST",
            Self::Kill => "SIGKILL",
        }
    }

    fn is_silent(self) -> bool {
        matches!(self, Self::Blackhole | Self::Stop)
    }

    /// Brings it about; what is returned ends it when it is dropped.
    fn strike(self, kit: &PgCluster) -> Option<PacketLoss> {
        match self {
            Self::Blackhole if PacketLoss::why_not().is_none() => {
                return Some(kit.lose_packets(0, Direction::Both).unwrap());
            }
            Self::Blackhole => kit.proxy(0).set(Chaos::Blackhole(Direction::Both)).unwrap(),
            Self::Stop => kit.pause(0).unwrap(),
            Self::Reset => kit.proxy(0).reset_all(),
            Self::Kill => {
                // A crash closes the port as well; the proxy would go on to accept.
                kit.proxy(0).set(Chaos::Refuse).unwrap();
                kit.kill(0).unwrap();
            }
        }
        None
    }

    fn lift(self, kit: &PgCluster) {
        match self {
            Self::Blackhole => kit.proxy(0).heal().unwrap(),
            Self::Stop => kit.resume(0).unwrap(),
            Self::Reset => {}
            Self::Kill => {
                kit.start(0).unwrap();
                kit.proxy(0).heal().unwrap();
            }
        }
    }
}

/// Every fault with this setting: before a statement and 1 s into it.
pub(crate) async fn adapter(
    adapter: &str,
    open: Open,
    setting: &Setting,
    runs: usize,
) -> Vec<Value> {
    let servers = PgCluster::builder().instances(2).synchronous(false).behind_proxies();
    let options = format!("failover_timeout=30s&{}", setting.options);
    let scene = Scene::with(open, servers, &options).await;
    let mut results = Vec::new();
    for fault in FAULTS {
        for delay in [Duration::ZERO, Duration::from_secs(1)] {
            // A connection that was reset or killed while it was idle is replaced unseen.
            if !fault.is_silent() && delay.is_zero() {
                continue;
            }
            let mut taken = Vec::new();
            for _ in 0..runs {
                taken.push(once(&scene, fault, delay).await);
            }
            eprintln!("{adapter}, {}, {}, {delay:?}: {taken:?}", setting.name, fault.name());
            results.push(summary(adapter, setting, fault, delay, &taken));
        }
    }
    results
}

/// The times from the fault on.
#[derive(Clone, Copy, Debug)]
struct Taken {
    /// Until the library told that something is wrong with the instance.
    told: Duration,
    /// Until it told that it is lost.
    lost: Option<Duration>,
    /// Until the statement in flight failed.
    failed: Duration,
}

impl Taken {
    /// From the first error that anyone saw until everything was known.
    fn certain(&self) -> Duration {
        let last = self.failed.max(self.lost.unwrap_or_default());
        last.saturating_sub(self.failed.min(self.told))
    }
}

async fn once(scene: &Scene, fault: Fault, delay: Duration) -> Taken {
    scene.await_roles(0, 1);
    if !fault.is_silent() {
        tokio::time::sleep(CALM).await;
    }
    scene.guest().await.execute("UPDATE items SET name = name").await.unwrap();
    let told = Told::listen(scene);
    let statement = match delay.is_zero() {
        true => None,
        false => Some(begin(scene).await),
    };
    tokio::time::sleep(delay).await;
    let struck = Instant::now();
    let loss = block_in_place(|| fault.strike(&scene.kit));
    let statement = match statement {
        Some(statement) => statement,
        None => begin_now(scene).await,
    };
    let (ended, answer) = tokio::time::timeout(LIMIT, statement).await.unwrap().unwrap();
    answer.expect_err("its instance is gone");
    if fault != Fault::Reset {
        eventually("it is lost", async || told.first(|to| to == Health::Lost).is_some()).await;
    }
    let since = |moment: Instant| moment.saturating_duration_since(struck);
    let noticed = told.first(|to| to != Health::Online);
    let taken = Taken {
        told: noticed.map_or(since(ended), since),
        lost: told.first(|to| to == Health::Lost).map(since),
        failed: since(ended),
    };
    drop(loss);
    block_in_place(|| {
        fault.lift(&scene.kit);
        // What went on sleeping is of no use.
        scene.terminate(0);
    });
    taken
}

type Running = JoinHandle<(Instant, Answer<()>)>;

/// A statement that is not run again, for it writes; it has not ended when the fault happens.
async fn begin_now(scene: &Scene) -> Running {
    const SLEEP: &str = "INSERT INTO items (name) SELECT 'slept' FROM pg_sleep(600)";
    let door = Arc::clone(&scene.pool);
    tokio::spawn(async move {
        let answer = match door.session().await {
            Ok(mut session) => session.execute(SLEEP).await,
            Err(failure) => Err(failure),
        };
        (Instant::now(), answer)
    })
}

/// The same, running on the server.
async fn begin(scene: &Scene) -> Running {
    let running = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    let statement = begin_now(scene).await;
    eventually("it runs", async || scene.ask(0, running) == 1).await;
    statement
}

/// What was told of the writer, and when.
struct Told {
    health: Arc<Mutex<Vec<(Instant, Health)>>>,
    listener: JoinHandle<()>,
}

impl Drop for Told {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Told {
    fn listen(scene: &Scene) -> Self {
        let (writer, mut events) = (scene.id(0), scene.cluster.events());
        let health = Arc::<Mutex<Vec<_>>>::default();
        let log = Arc::clone(&health);
        let listener = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let Event::HealthChanged { instance, to, .. } = event
                    && instance == writer
                {
                    log.lock().unwrap().push((Instant::now(), to));
                }
            }
        });
        Self { health, listener }
    }

    fn first(&self, of: impl Fn(Health) -> bool) -> Option<Instant> {
        let health = self.health.lock().unwrap();
        health.iter().find(|(_, to)| of(*to)).map(|(moment, _)| *moment)
    }
}

fn summary(
    adapter: &str,
    setting: &Setting,
    fault: Fault,
    delay: Duration,
    taken: &[Taken],
) -> Value {
    let figures = |times: Vec<Duration>| match times.len() {
        0 => Value::Null,
        _ => json!({
            "min": millis(times.iter().min().copied().unwrap_or_default()),
            "max": millis(times.iter().max().copied().unwrap_or_default()),
            "avg": millis(average(&times)),
        }),
    };
    let failed: Vec<_> = taken.iter().map(|taken| taken.failed).collect();
    let limit = if fault.is_silent() { setting.limit } else { NOTICED };
    let certain: Vec<_> = taken.iter().map(Taken::certain).collect();
    let is_certain = fault.is_silent() || average(&certain) <= CERTAIN;
    let held = is_certain && failed.iter().all(|failed| *failed <= limit);
    json!({
        "setting": setting.name,
        "fault": fault.name(),
        "adapter": adapter,
        "outage": if delay.is_zero() { "before the statement" } else { "1 s into it" },
        "runs": taken.len(),
        "told_ms": figures(taken.iter().map(|taken| taken.told).collect()),
        "lost_ms": figures(taken.iter().filter_map(|taken| taken.lost).collect()),
        "failed_ms": figures(failed),
        "certain_us": micros(average(&certain)),
        "certain_limit_us": (!fault.is_silent()).then(|| micros(CERTAIN)),
        "limit_ms": millis(limit),
        "verdict": if held { "held" } else { "broke" },
    })
}

/// Of at least one time.
fn average(times: &[Duration]) -> Duration {
    times.iter().sum::<Duration>() / u32::try_from(times.len().max(1)).unwrap_or(u32::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
