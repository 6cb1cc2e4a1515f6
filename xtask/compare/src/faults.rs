//! What is done to the writer, and to the name of the cluster endpoint.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use test_kit::chaos::{Direction, Fault as Disturbance};

use crate::options::Fault;
use crate::servers::Probe;
use crate::stacks::Failed;
use crate::stand::Stand;

/// How long after the fault the name of the cluster endpoint leads to the new writer.
const NAME_MOVES: Duration = Duration::from_secs(5);
/// The pause between two attempts of the direct probe, and between two looks at a server.
const PAUSE: Duration = Duration::from_millis(1);
/// How long the servers may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A fault that is under way.
#[derive(Debug)]
pub(crate) struct Struck {
    /// Right before anything was done.
    pub(crate) zero: Instant,
    writer_known: Receiver<Instant>,
    done: Receiver<Result<(), Failed>>,
}

impl Struck {
    /// When a direct connection had its first write acknowledged by the new writer.
    ///
    /// # Errors
    /// When something could not be done to the cluster as it should.
    pub(crate) fn writer_known(&self) -> Result<Instant, Failed> {
        let end = Instant::now() + LIMIT;
        let left = || end.saturating_duration_since(Instant::now());
        for _ in 0..2 {
            self.done.recv_timeout(left()).map_err(|_| "the fault is not done in time")??;
        }
        let known = self.writer_known.recv_timeout(left());
        known.map_err(|_| "no direct write reached the new writer".into())
    }
}

/// Begins the fault of the stand; what follows happens on threads of its own.
///
/// # Errors
/// When the future writer cannot be reached.
pub(crate) fn strike(stand: &Arc<Stand>) -> Result<Struck, Failed> {
    let probe = stand.kit.probe(stand.heir, "compare_probe")?;
    let old = OldWriter::of(stand);
    let (known, writer_known) = channel();
    let (sender, done) = channel();
    let zero = Instant::now();
    spawn("direct-probe", move || probe_until_written(probe, zero, &known))?;
    let (servers, outcome) = (Arc::clone(stand), sender.clone());
    spawn("fault", move || drop(outcome.send(hurt(&servers))))?;
    let name = Arc::clone(stand);
    spawn("endpoint", move || drop(sender.send(lead_elsewhere(&name, &old, zero))))?;
    Ok(Struck { zero, writer_known, done })
}

/// What happens to the servers, and to what a connect to the endpoint meets.
fn hurt(stand: &Stand) -> Result<(), Failed> {
    let (kit, endpoint) = (&stand.kit, &stand.endpoint);
    if stand.fault == Fault::Blackhole {
        let dark = Disturbance::Blackhole(Direction::Both);
        kit.disturb(kit.writer(), dark)?;
        endpoint.set(dark)?;
        // Whoever promotes a reader fences the old writer first. Nothing of its end is seen
        // through the dark proxies.
        return Ok(kit.kill_and_promote(stand.heir)?);
    }
    if stand.ends_old_writer() {
        // Where no server listens, the kernel refuses. Connections that are open go on: their ends
        // are the server's.
        endpoint.set(Disturbance::Refuse)?;
    }
    match stand.fault {
        Fault::Switchover => kit.switchover(stand.heir)?,
        Fault::Kill | Fault::Blackhole => kit.kill_and_promote(stand.heir)?,
    }
    Ok(())
}

/// Lets the endpoint be what its present target is, and lead to the new writer when its name
/// moves. Connections that are open stay where they are.
fn lead_elsewhere(stand: &Stand, old: &OldWriter, zero: Instant) -> Result<(), Failed> {
    let mut back = stand.fault != Fault::Switchover || !stand.ends_old_writer();
    while zero.elapsed() < NAME_MOVES {
        if !back && old.is_back(stand) {
            back = true;
            stand.endpoint.heal()?;
        }
        thread::sleep(PAUSE);
    }
    stand.endpoint.set_target(stand.kit.address(stand.heir))?;
    Ok(stand.endpoint.heal()?)
}

/// The process that the writer was when the fault began.
struct OldWriter {
    index: usize,
    process: Option<i32>,
    address: SocketAddr,
}

impl OldWriter {
    fn of(stand: &Stand) -> Self {
        let index = stand.kit.writer();
        Self { index, process: stand.kit.pid(index), address: stand.kit.address(index).into() }
    }

    /// Whether it runs again, as a new process, and accepts connections.
    fn is_back(&self, stand: &Stand) -> bool {
        stand.kit.pid(self.index).is_some_and(|process| Some(process) != self.process)
            && TcpStream::connect_timeout(&self.address, LIMIT).is_ok()
    }
}

/// Tries to write on a connection to the future writer until it is the writer, and tells when.
///
/// The connection was opened before and stays open: a promotion turns its session into one that
/// may write. So this is the earliest moment at which any client could have written.
fn probe_until_written(mut probe: Probe, zero: Instant, known: &Sender<Instant>) {
    while zero.elapsed() < LIMIT {
        if probe() {
            // Nobody listens if the run was given up.
            let _ = known.send(Instant::now());
            return;
        }
        thread::sleep(PAUSE);
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}
