//! Whatever happens in whatever order, the invariants hold.

use std::time::Duration;

use super::server::{Server, State, listed, suggested};
use super::world::World;
use super::{defaults, ms, secs};
use crate::engine::{Complaint, FailureKind, Input, Members, ProbeFailure};

const STEPS: usize = 3000;

const KINDS: [FailureKind; 8] = [
    FailureKind::Authentication,
    FailureKind::NotReady,
    FailureKind::Other,
    FailureKind::Privilege,
    FailureKind::Refused,
    FailureKind::Reset,
    FailureKind::Silent,
    FailureKind::TooManyConnections,
];

fn members(rng: &mut fastrand::Rng) -> Members {
    match rng.u8(..6) {
        0 => listed(&["a", "b", "c", "d"]),
        1 => listed(&["b", "a"]),
        2 => Members::Listed(Vec::new()),
        3 => Members::Refused("nonsense".into()),
        4 => suggested(&["d", "10.0.0.2", "second", "nowhere"]),
        _ => Members::Unlisted,
    }
}

fn disturb_server(world: &mut World, host: &str, rng: &mut fastrand::Rng) {
    let (kind, timeline) = (KINDS[rng.usize(..KINDS.len())], rng.u64(1..6));
    let members = members(rng);
    let server = world.server(host);
    match rng.u8(..13) {
        0 => server.promote(timeline),
        1 => server.rejoin(),
        2 => server.restart(),
        3 => server.state = State::Fails(kind),
        4 => server.state = State::Hung,
        5 => server.state = State::MonitorStuck,
        6 => server.members = members,
        7 => server.position = Some(rng.u64(..1000)),
        8 => server.latency = ms(rng.u64(..1500)),
        9 => server.hangs_up = rng.bool(),
        10 => server.cluster = if rng.u8(..4) == 0 { Some("8") } else { Some("7") },
        11 => server.lag = rng.bool().then(|| ms(rng.u64(..9000))),
        _ => server.state = State::Up,
    }
}

fn disturb(world: &mut World, rng: &mut fastrand::Rng) {
    let host = ["a", "b", "c", "d"][rng.usize(..4)];
    let id = world.find(host).map(|instance| (instance.id().to_string(), instance.epoch()));
    match rng.u8(..10) {
        0 => world.crash(host),
        1 => world.hang_up(host),
        2 => {
            let to = ["a", "b", "c", "d"][rng.usize(..4)];
            world.dns.insert(["second", "a", "d"][rng.usize(..3)].to_owned(), to);
        }
        3 => {
            let complaint = match rng.bool() {
                true => Complaint::ConnectionLost,
                false => Complaint::WrongRole,
            };
            if let Some((id, epoch)) = id {
                world.complain(&id, epoch - u64::from(rng.bool()), complaint);
            }
        }
        4 => {
            if let Some((id, _)) = id {
                let online = rng.u8(..3) > 0;
                world.handle(Input::SetOnline { instance: id.into(), online });
            }
        }
        5 => {
            let slot = crate::engine::Slot(rng.u32(..8));
            let failure = ProbeFailure { kind: KINDS[rng.usize(..8)], message: "late".into() };
            let asked_at = world.now - ms(rng.u64(..3000));
            let at = world.now + ms(rng.u64(..3000));
            world.tell_later(at, Input::Unreachable { slot, asked_at, failure });
        }
        6 => {
            let slot = crate::engine::Slot(rng.u32(..8));
            world.handle(Input::MonitorDied { slot, reason: "chance".to_owned() });
        }
        _ => disturb_server(world, host, rng),
    }
}

/// A life of `STEPS` disturbances. The world checks what must hold after every one of them.
fn live(seed: u64, named: bool) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut settings = defaults();
    if named {
        settings.instance_host_pattern = "?".parse().ok();
    }
    let mut world = World::seeded(settings, &["a", "b", "c", "second"], seed);
    for (ip, host) in (1..).zip(["a", "b", "c", "d"]) {
        let server = if named { Server::aurora(host, ip) } else { Server::postgres(ip) };
        world.serve(host, server);
    }
    world.dns.insert("second".to_owned(), "a");
    world.server("a").promote(1);
    for _ in 0..STEPS {
        disturb(&mut world, &mut rng);
        let (probes, snapshots) = (world.probes.len(), world.snapshots.len());
        let pause = ms(if rng.u8(..10) == 0 { rng.u64(..8000) } else { rng.u64(..100) });
        world.advance(pause);
        progress(&world, pause, world.probes.len() - probes, world.snapshots.len() - snapshots);
    }
    super::events::replay(&world);
    heal(&mut world, named);
}

/// Nothing spins: at most a hundred probes a second of each address, and as many snapshots as
/// there are facts about them.
fn progress(world: &World, pause: Duration, probes: usize, snapshots: usize) {
    let instances = world.topology().instances().len() + 4;
    let most = instances * (pause.as_millis() as usize / 10 + 4);
    assert!(probes <= most, "{probes} probes in {pause:?}");
    assert!(snapshots <= 4 * most, "{snapshots} snapshots in {pause:?}");
}

/// Once everything works again, so does the cluster, without a restart of ours.
fn heal(world: &mut World, named: bool) {
    for (ip, host) in (1..).zip(["a", "b", "c", "d"]) {
        world.dns.insert(host.to_owned(), host);
        let server = world.server(host);
        *server = Server { name: server.name.clone(), ..Server::postgres(ip) };
        server.process = format!("last run of {host}");
        if named {
            server.members = listed(&["b", "a", "c", "d"]);
        }
    }
    world.server("b").promote(1000);
    // Whose cluster it is was decided by the first one that answered.
    let cluster = world.topology().cluster().map(str::to_owned);
    for host in ["a", "b", "c", "d"] {
        world.server(host).cluster =
            if cluster.as_deref() == Some("8") { Some("8") } else { Some("7") };
    }
    // An address that is not shown now may be an instance again in a while, as it was left.
    world.advance(secs(15));
    for instance in world.topology().instances().to_vec() {
        world.handle(Input::SetOnline { instance: instance.id().clone(), online: true });
    }
    world.advance(secs(15));
    // It may be known under its second name.
    let writer = world.topology().writer().and_then(|writer| writer.ip());
    assert_eq!(writer, world.server("b").report().ip, "{:#?}", world.topology());
    // Where names are listed, everybody is found again.
    let least = if named { 3 } else { 2 };
    assert!(world.topology().readers().len() >= least, "{:#?}", world.topology());
    let before = world.topology().generation();
    world.advance(secs(30));
    assert_eq!(world.topology().generation(), before, "calm");
}

#[test]
fn a_postgres_cluster_in_chaos() {
    (0..12).for_each(|seed| live(seed, false));
}

#[test]
fn an_aurora_cluster_in_chaos() {
    (100..112).for_each(|seed| live(seed, true));
}
