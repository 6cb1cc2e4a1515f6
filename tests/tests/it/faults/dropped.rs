//! G4: everything is dropped in the middle of something.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aurora_core::{Cluster, Health};
use aurora_tests::LIMIT;
use aurora_tests::door::{Answer, Door};
use aurora_tests::scene::eventually;
use aurora_tests::servers::{Servers, Setup};
use aurora_tests::stand::{caught_up, connect};
use aurora_tests::trial::Case;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinSet, block_in_place};

/// How many tasks are in the middle of something.
const TASKS: usize = 4;
/// What a drop may take, and as much again as a busy machine may need.
const PROMPT: Duration = Duration::from_secs(2);

/// The state in which everything is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A server does not answer who connects.
    Connecting,
    /// A server hangs in the middle of a statement.
    InStatement,
    InTransaction,
    /// There is no writer.
    WaitingForWriter,
    /// A server has refused a connection, and is left alone for a while.
    BackingOff,
}

const STATES: [State; 5] = [
    State::Connecting,
    State::InStatement,
    State::InTransaction,
    State::WaitingForWriter,
    State::BackingOff,
];

/// Closes the cluster and drops all futures, sessions, pools and handles: everything ends at once,
/// also calls that block, and no connection is left.
pub(super) async fn everything<K: Servers>(case: Case) {
    let mut longest = Duration::ZERO;
    // A call that blocks cannot be dropped: how it ends with its instance is B1's.
    let is_left_out = |state| case.blocks() && state == State::InStatement;
    for state in STATES.into_iter().filter(|state| !is_left_out(*state)) {
        let took = drop_in::<K>(state, case).await;
        println!("{state:?}: {took:?}");
        longest = longest.max(took);
    }
    case.held(longest);
}

async fn drop_in<K: Servers>(state: State, case: Case) -> Duration {
    let (kit, cluster) = block_in_place(|| {
        let kit = K::started(&Setup::of(2).synchronous(false));
        kit.run(0, K::TEXTS.items);
        caught_up(&kit);
        // Longer than the test may take: nothing ends by a deadline of its own.
        let cluster = connect(&kit, "failover_timeout=10m&connect_timeout=10m&detection_time=10m");
        (kit, cluster)
    });
    let door = (case.open)(cluster.clone(), TASKS).await;
    let filled = (state == State::BackingOff).then(|| block_in_place(|| kit.fill()));
    let (mut tasks, leave) = enter(state, &kit, &cluster, &door).await;
    let began = Instant::now();
    cluster.close();
    leave.add_permits(TASKS);
    tasks.abort_all();
    drop((door, cluster));
    let ended = tokio::time::timeout(LIMIT, async { while tasks.join_next().await.is_some() {} });
    ended.await.unwrap_or_else(|_| panic!("{state:?}: {} tasks go on", tasks.len()));
    let took = began.elapsed();
    assert!(took < PROMPT, "{state:?}: it took {took:?} to end");
    block_in_place(|| {
        filled.into_iter().for_each(|filled| kit.make_room(filled));
        leave_nothing(state, &kit);
    });
    took
}

/// Brings tasks into that state. Those that do not wait for anybody leave it with the permits.
async fn enter<K: Servers>(
    state: State,
    kit: &K,
    cluster: &Cluster,
    door: &Arc<dyn Door>,
) -> (JoinSet<Answer<()>>, Arc<Semaphore>) {
    match state {
        State::Connecting => block_in_place(|| kit.pause(0).unwrap()),
        State::WaitingForWriter => {
            block_in_place(|| kit.kill(0).unwrap());
            let is_lost =
                || cluster.topology().instances().iter().any(|i| i.health() == Health::Lost);
            eventually("it is lost", async || is_lost()).await;
        }
        State::InStatement | State::InTransaction | State::BackingOff => {}
    }
    let (mut tasks, leave) = (JoinSet::new(), Arc::new(Semaphore::new(0)));
    let mut entered = Vec::new();
    for _ in 0..TASKS {
        let (tell, told) = oneshot::channel();
        tasks.spawn(work::<K>(state, Arc::clone(door), tell, Arc::clone(&leave)));
        entered.push(told);
    }
    for told in entered {
        told.await.unwrap();
    }
    await_state(state, kit, cluster).await;
    (tasks, leave)
}

async fn work<K: Servers>(
    state: State,
    door: Arc<dyn Door>,
    tell: oneshot::Sender<()>,
    leave: Arc<Semaphore>,
) -> Answer<()> {
    let mut session = door.session().await?;
    if state == State::InTransaction {
        session.execute("BEGIN; INSERT INTO items (name) VALUES ('half')").await?;
        tell.send(()).unwrap();
        leave.acquire().await.unwrap().forget();
        return Ok(());
    }
    tell.send(()).unwrap();
    session.execute(K::TEXTS.late_write).await
}

async fn await_state<K: Servers>(state: State, kit: &K, cluster: &Cluster) {
    let writer = |what: fn(&aurora_core::InstanceStats) -> u64| {
        let topology = cluster.topology();
        topology.writer().map_or(0, |writer| what(writer.stats()))
    };
    let is_there = async || match state {
        State::InStatement => {
            block_in_place(|| kit.numbers(0, K::TEXTS.sleeping)) == [TASKS as i64]
        }
        State::BackingOff => writer(aurora_core::InstanceStats::failed_connects) > 0,
        State::Connecting | State::InTransaction | State::WaitingForWriter => true,
    };
    eventually("all are in that state", is_there).await;
    if state == State::InStatement {
        block_in_place(|| kit.pause(0).unwrap());
    }
}

/// Servers that hang go on, and then have no connection of the library's and no row of a
/// transaction that did not end.
fn leave_nothing<K: Servers>(state: State, kit: &K) {
    match state {
        State::Connecting | State::InStatement => kit.resume(0).unwrap(),
        State::WaitingForWriter => kit.start(0).unwrap(),
        State::InTransaction | State::BackingOff => {}
    }
    for index in 0..2 {
        let open = || kit.numbers(index, K::TEXTS.left) != [0];
        aurora_tests::eventually("no connection is left", || !open());
        assert_eq!(kit.numbers(index, "SELECT count(*) FROM items"), [0], "{state:?}");
    }
}
