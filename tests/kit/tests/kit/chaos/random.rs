//! Faults in any order, and what is left of them.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use postgres::{Config, NoTls};
use test_kit::chaos::{Aim, Armed, ChaosProxy, Direction, Fault, Loss, Mishap};
use test_kit::wait_until;

use super::{config, insert, proxied};
use crate::SOON;

/// What every client does in [`faults_in_any_order_leave_no_connection_behind`].
fn work(config: &Config, id: i32) -> Result<(), postgres::Error> {
    let mut client = config.connect(NoTls)?;
    client.batch_execute(&format!("{} ON CONFLICT DO NOTHING", insert(id)))?;
    client.query_one("SELECT count(*), max(repeat('x', 20000)) FROM t", &[]).map(drop)
}

#[test]
fn faults_in_any_order_leave_no_connection_behind() {
    let (cluster, proxy) = proxied(1);
    let mut random = fastrand::Rng::with_seed(42);
    let stop = AtomicBool::new(false);
    let served = AtomicUsize::new(0);
    thread::scope(|scope| {
        for id in 0..8 {
            let mut config = config(&cluster, 0);
            let (stop, served) = (&stop, &served);
            scope.spawn(move || {
                config.connect_timeout(Duration::from_millis(200));
                while !stop.load(Ordering::Relaxed) {
                    served.fetch_add(usize::from(work(&config, id).is_ok()), Ordering::Relaxed);
                }
            });
        }
        let mut armed = Vec::new();
        for _ in 0..80 {
            armed.extend(disturb(&proxy, &mut random));
            let before = served.load(Ordering::Relaxed);
            // Until something gets through, which most faults prevent.
            let _ = wait_until(Duration::from_millis(40), || {
                served.load(Ordering::Relaxed) > before + 1
            });
        }
        armed.iter().for_each(Armed::disarm);
        proxy.heal().expect("healed");
        // Those that a mishap has silenced.
        proxy.reset_all();
        let before = served.load(Ordering::Relaxed);
        let mut direct = cluster.client(0).expect("a connection");
        let all: Vec<i32> = (0..8).collect();
        let recovered = wait_until(SOON, || {
            served.load(Ordering::Relaxed) > before + 20 && crate::ids(&mut direct) == all
        });
        stop.store(true, Ordering::Relaxed);
        let happened = armed.iter().filter(|armed| armed.has_happened()).count();
        println!("{before} served, {happened} of {} mishaps, {:?}", armed.len(), proxy.stats());
        assert!(recovered && happened > 0, "{:?}", proxy.stats());
    });
    assert!(wait_until(SOON, || proxy.stats().open == 0), "{:?}", proxy.stats());
}

/// Sets one of the faults, or does one of the verbs.
fn disturb(proxy: &ChaosProxy, random: &mut fastrand::Rng) -> Option<Armed> {
    let loss = *random.choice([Loss::Reset, Loss::Silence].iter()).expect("not empty");
    let short = Duration::from_millis(5);
    let narrow = NonZeroU32::new(50_000).expect("not zero");
    let mut armed = None;
    let set = match random.u8(0..14) {
        0 => proxy.set(Fault::Blackhole(Direction::Both)),
        1 => proxy.set(Fault::Blackhole(Direction::ToClient)),
        2 => proxy.set(Fault::Refuse),
        3 => proxy.set(Fault::StallHandshake),
        4 => proxy.add(Fault::Latency { delay: short, jitter: short }),
        5 => proxy.add(Fault::Bandwidth { bytes_per_second: narrow }),
        6 => proxy.set(Fault::ForgetIdle { after: short, then: loss }),
        verb => {
            match verb {
                7 => armed = Some(proxy.arm(Mishap::ResetInMessage, Aim::Any)),
                8 => armed = Some(proxy.arm(Mishap::TruncateMessage, Aim::Any)),
                9 => armed = Some(proxy.arm(Mishap::Garbage, Aim::Any)),
                10 => armed = Some(proxy.arm(Mishap::LoseAnswer(loss), Aim::Any)),
                11 => armed = Some(proxy.arm(Mishap::LoseRequest(loss), Aim::Any)),
                12 => proxy.half_close(),
                _ => proxy.reset_all(),
            }
            proxy.heal()
        }
    };
    set.expect("a fault");
    armed
}
