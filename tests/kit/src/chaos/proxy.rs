//! The handle a test holds on one proxy.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::door::Door;
use super::fault::{Greeting, Plan};
use super::mishap::Arsenal;
use super::stats::Tally;
use super::{Aim, Armed, Fault, Loss, Mishap, ProxyStats, Reactor, flow};
use crate::guarded;
use crate::server::START_LIMIT;

/// Between two looks whether a server that is being started listens.
const LOOK: Duration = Duration::from_millis(2);

/// A proxy between clients and one server that disturbs what passes.
///
/// The methods can be called from any thread, inside and outside of asynchronous code; none takes
/// longer than some milliseconds. Dropping it closes its connections.
///
/// Without faults it forwards as it reads. When its server refuses a connection, the client's is
/// reset at once; behind [`PgCluster`](crate::PgCluster) it is refused, as without the proxy.
///
/// ```
/// # use std::{io::ErrorKind, net::{TcpListener, TcpStream}, time::Duration};
/// use test_kit::chaos::{ChaosProxy, Direction, Fault};
/// let server = TcpListener::bind("127.0.0.1:0")?;
/// let proxy = ChaosProxy::start(([127, 0, 0, 1], 0), server.local_addr()?)?;
/// let open = TcpStream::connect(proxy.address())?;
/// proxy.set(Fault::Blackhole(Direction::Both))?;
/// let error = TcpStream::connect_timeout(&proxy.address(), Duration::from_millis(100));
/// assert_eq!(error.unwrap_err().kind(), ErrorKind::TimedOut);
/// proxy.heal()?;
/// TcpStream::connect(proxy.address())?;
/// # drop(open);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ChaosProxy {
    shared: Arc<Shared>,
    reactor: Arc<Reactor>,
}

/// What the connections of a proxy see of it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) plan: watch::Sender<Plan>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) arsenal: Arsenal,
    /// Whether the server speaks the protocol of MySQL.
    pub(crate) mysql: bool,
    random: Mutex<fastrand::Rng>,
    target: Mutex<SocketAddr>,
    door: Door,
    /// What the door does now; held during a change.
    greeting: Mutex<Greeting>,
}

impl ChaosProxy {
    /// Starts a proxy on a thread of its own, which listens at one address and connects to
    /// another. Port 0 is any free one, see [`Self::address`].
    ///
    /// # Errors
    /// When the address is taken, or no thread can be started.
    pub fn start(listen: impl Into<SocketAddr>, target: impl Into<SocketAddr>) -> io::Result<Self> {
        Self::start_on(Arc::new(Reactor::start()?), listen.into(), target.into())
    }

    pub(crate) fn start_on(
        reactor: Arc<Reactor>,
        listen: SocketAddr,
        target: SocketAddr,
    ) -> io::Result<Self> {
        Self::start_any(reactor, listen, target, false)
    }

    /// One before a server of MySQL or MariaDB.
    pub(crate) fn start_mysql(
        reactor: Arc<Reactor>,
        listen: SocketAddr,
        target: SocketAddr,
    ) -> io::Result<Self> {
        Self::start_any(reactor, listen, target, true)
    }

    fn start_any(
        reactor: Arc<Reactor>,
        listen: SocketAddr,
        target: SocketAddr,
        mysql: bool,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            plan: watch::Sender::new(Plan::default()),
            tally: Arc::default(),
            arsenal: Arsenal::default(),
            mysql,
            random: Mutex::new(fastrand::Rng::with_seed(0)),
            target: Mutex::new(target),
            door: Door::open(listen, reactor.handle())?,
            greeting: Mutex::new(Greeting::Accept),
        });
        reactor.handle().spawn(accept(Arc::clone(&shared)));
        Ok(Self { shared, reactor })
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.shared.door.address()
    }

    /// The server that new connections are forwarded to.
    #[must_use]
    pub fn target(&self) -> SocketAddr {
        self.shared.target()
    }

    /// Forwards new connections to another server; open ones stay, as after a change in DNS.
    ///
    /// # Errors
    /// When the proxy cannot listen again at its address.
    pub fn set_target(&self, target: impl Into<SocketAddr>) -> io::Result<()> {
        *guarded(&self.shared.target) = target.into();
        self.change(|plan| plan.absent = false)
    }

    /// Makes this the only fault.
    ///
    /// # Errors
    /// When the proxy cannot listen again at its address, or the kernel goes on answering
    /// connects that a blackhole should swallow.
    pub fn set(&self, fault: Fault) -> io::Result<()> {
        self.change(|plan| plan.faults = vec![fault])
    }

    /// Adds a fault to those that are set.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn add(&self, fault: Fault) -> io::Result<()> {
        self.change(|plan| plan.faults.push(fault))
    }

    /// Ends all faults: what was held back is forwarded, connects are accepted.
    ///
    /// # Errors
    /// When the proxy cannot listen again at its address.
    pub fn heal(&self) -> io::Result<()> {
        self.change(|plan| plan.faults.clear())
    }

    /// Resets every open connection, towards the client and towards the server.
    pub fn reset_all(&self) {
        self.shared.plan.send_modify(|plan| plan.resets += 1);
    }

    /// Ends the answers of every open connection in an orderly way: the client sees the end of
    /// the stream, while what it sends still reaches the server.
    pub fn half_close(&self) {
        self.shared.plan.send_modify(|plan| plan.half_closes += 1);
    }

    /// Lets a mishap happen to the next message, answer or request that meets the aim, once.
    /// Several wait for theirs, the oldest first.
    pub fn arm(&self, mishap: Mishap, aim: Aim) -> Armed {
        self.shared.arsenal.arm(mishap, aim)
    }

    /// Lets the next `COMMIT` take effect and its answer never arrive: the client cannot know.
    pub fn swallow_commit_reply(&self, then: Loss) -> Armed {
        self.arm(Mishap::LoseAnswer(then), Aim::Commit)
    }

    /// What is random about the connections accepted from now on comes from this number; from 0
    /// if it is never set.
    pub fn seed(&self, seed: u64) {
        *guarded(&self.shared.random) = fastrand::Rng::with_seed(seed);
    }

    /// What has passed so far.
    #[must_use]
    pub fn stats(&self) -> ProxyStats {
        self.shared.tally.stats()
    }

    /// Starts to look for new peaks: [`ProxyStats::most_open`] and
    /// [`ProxyStats::most_accepted_in_a_second`].
    pub fn forget_peaks(&self) {
        self.shared.tally.forget_peaks();
    }

    /// The server at this address has ended: refuses connects as it does, if it is ours.
    pub(crate) fn server_ended(&self, server: SocketAddr) -> io::Result<()> {
        if self.target() == server {
            return self.change(|plan| {
                plan.absent = true;
                plan.ends += 1;
            });
        }
        Ok(())
    }

    /// The server is being started: accepts connects as soon as it does.
    pub(crate) fn server_starts(&self) {
        let (shared, handle) = (Arc::clone(&self.shared), self.reactor.handle().clone());
        self.reactor.handle().spawn(async move {
            let (begin, ends) = (Instant::now(), shared.plan.borrow().ends);
            while TcpStream::connect(shared.target()).await.is_err() {
                if begin.elapsed() > START_LIMIT || shared.plan.borrow().closed {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
            // Our own address, which we have listened at before; a failure shows as refusal.
            let _ = shared.change(&handle, |plan| plan.absent &= plan.ends != ends);
        });
    }

    /// The server accepts connections.
    pub(crate) fn server_runs(&self) -> io::Result<()> {
        self.change(|plan| plan.absent = false)
    }

    fn change(&self, change: impl FnOnce(&mut Plan)) -> io::Result<()> {
        self.shared.change(self.reactor.handle(), change)
    }
}

impl Shared {
    pub(crate) fn target(&self) -> SocketAddr {
        *guarded(&self.target)
    }

    /// What is random about one connection.
    pub(crate) fn random(&self) -> fastrand::Rng {
        guarded(&self.random).fork()
    }

    fn change(
        &self,
        handle: &tokio::runtime::Handle,
        change: impl FnOnce(&mut Plan),
    ) -> io::Result<()> {
        let mut greeting = guarded(&self.greeting);
        self.plan.send_modify(change);
        let wanted = self.plan.borrow().greeting();
        if *greeting != wanted {
            self.door.greet(wanted, handle)?;
            *greeting = wanted;
        }
        Ok(())
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.shared.door.close();
        self.shared.plan.send_modify(|plan| plan.closed = true);
    }
}

async fn accept(shared: Arc<Shared>) {
    while let Some(client) = shared.door.accept().await {
        match client {
            Ok(client) => drop(tokio::spawn(flow::serve(client, Arc::clone(&shared)))),
            // The client was gone already, or there are too many open files: the next one may fare
            // better.
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}
