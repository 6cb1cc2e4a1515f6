//! A run without a fault, in which everything is as bad as it may be: nobody is condemned.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use aurora_core::{Event, Health};
use aurora_tests::doors::bb8;
use aurora_tests::scene::Scene;
use serde_json::{Value, json};
use test_kit::PgCluster;
use test_kit::chaos::{Aim, Fault, Loss, Mishap};
use tokio::task::JoinSet;

/// How long a round trip takes, and three times that.
const USUAL: Duration = Duration::from_millis(2);
/// With the default setting each of three instances is probed every 750 ms or more often: one
/// answer in 5 s is one of twenty.
const STALLS: Duration = Duration::from_secs(5);
/// How long each executor stands still, and how long it then works.
const STANDSTILL: Duration = Duration::from_millis(500);

/// Three times the usual round trip, one of twenty answers to probes lost, and all threads of the
/// program's executor blocked for half a second again and again, for so long.
pub(crate) async fn run(length: Duration) -> Value {
    let servers = PgCluster::builder().instances(3).behind_proxies();
    let scene = Scene::with(bb8::open, servers, "").await;
    let slow = |times: u32| {
        // A round trip passes the proxy twice.
        let latency = Fault::Latency { delay: USUAL * times / 2, jitter: Duration::ZERO };
        (0..3).for_each(|index| scene.kit.proxy(index).set(latency).unwrap());
    };
    slow(1);
    tokio::time::sleep(Duration::from_secs(3)).await;
    slow(3);
    let mut events = scene.cluster.events();
    let restarts = scene.cluster.status().monitor_restarts;
    let (end, mut lost, mut suspect, mut stalled) = (Instant::now() + length, 0, 0, 0);
    let mut standstills = 0;
    while Instant::now() < end {
        stalled += usize::from(stall(&scene, stalled % 3).await);
        block_all().await;
        standstills += 1;
        scene.guest().await.execute("UPDATE items SET name = name WHERE id = 1").await.unwrap();
        while let Some(event) = events.try_next() {
            if let Event::HealthChanged { to, .. } = event {
                lost += usize::from(to == Health::Lost);
                suspect += usize::from(to == Health::Suspect);
            }
        }
    }
    let died = scene.cluster.status().monitor_restarts - restarts;
    json!({
        "steady": "three times the usual round trip, stalled probes, standstills",
        "seconds": length.as_secs(),
        "stalled_answers": stalled,
        "standstills": standstills,
        "suspected": suspect,
        "lost": lost,
        "monitor_restarts": died,
        "verdict": if lost == 0 && died == 0 { "held" } else { "broke" },
    })
}

/// Loses the next answer to a probe of that instance; whether there was one in time.
async fn stall(scene: &Scene, index: usize) -> bool {
    let aim = Aim::Application("aurora monitor".to_owned());
    let armed = scene.kit.proxy(index).arm(Mishap::LoseAnswer(Loss::Silence), aim);
    let until = tokio::time::Instant::now() + STALLS / 3;
    tokio::time::sleep_until(until).await;
    armed.has_happened()
}

/// Blocks every thread of the executor at the same time.
async fn block_all() {
    let threads = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
    let mut blocked = JoinSet::new();
    for _ in 0..threads {
        // On purpose not where blocking is no harm.
        blocked.spawn(async { std::thread::sleep(STANDSTILL) });
    }
    blocked.join_all().await;
}
