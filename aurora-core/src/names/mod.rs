//! From host names to addresses: one lookup per name at a time, and a memory that makes do when
//! the resolver fails or is silent.

mod memory;
mod openings;
mod reach;
mod resolve;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use self::memory::Memory;
use self::openings::Openings;
pub(crate) use self::reach::reach;
pub use self::resolve::{Resolve, Resolving};
use crate::config::Address;
use crate::endpoint::{Endpoint, EndpointKind};
use crate::engine::FailureKind;
use crate::probe::Failure;
use crate::topology::{Health, Topology};

/// When a lookup by a resolver of the user's is given up. The operating system's own is not: it
/// cannot be interrupted, and another one beside it would take another thread.
const LONGEST: Duration = Duration::from_secs(30);

/// How long ago the last question for a name may be, also while all is well. Source: the time to
/// live of Amazon Aurora's records.
const PAUSE: Duration = Duration::from_secs(5);

/// How long a name must have led elsewhere before it is followed.
const SETTLED: Duration = Duration::from_secs(5);

/// The same two while there is no writer: a name that moves may be the way to the new one.
const PAUSE_WITHOUT_WRITER: Duration = Duration::from_secs(1);
const SETTLED_WITHOUT_WRITER: Duration = Duration::ZERO;

/// The names of one cluster.
#[derive(Clone)]
pub(crate) struct Names(Arc<Inner>);

struct Inner {
    resolver: Option<Arc<dyn Resolve>>,
    /// How long to wait for a fresh answer where an old one is known.
    late: Duration,
    /// [`LONGEST`], but for tests.
    longest: Duration,
    has_writer: AtomicBool,
    known: Mutex<HashMap<String, Name>>,
    openings: Mutex<Openings>,
}

#[derive(Default)]
struct Name {
    memory: Memory,
    lookup: Option<Lookup>,
}

/// A lookup under way; the receiver gets its end.
#[derive(Clone)]
struct Lookup {
    began: Instant,
    end: watch::Receiver<Option<Result<(), Arc<str>>>>,
}

impl Names {
    /// Names that are looked up with `resolver`, or by the operating system; `late` is how long
    /// to wait for a fresh answer where an old one is known.
    pub(crate) fn new(resolver: Option<Arc<dyn Resolve>>, late: Duration) -> Self {
        Self(Arc::new(Inner {
            resolver,
            late,
            longest: LONGEST,
            has_writer: AtomicBool::new(false),
            known: Mutex::default(),
            openings: Mutex::default(),
        }))
    }

    /// The addresses of `host` within `timeout`, in the order in which to try them: fresh ones, or
    /// where the lookup fails or is late those that were answered before.
    pub(crate) async fn resolve(
        &self,
        host: &str,
        timeout: Duration,
    ) -> Result<Vec<IpAddr>, Failure> {
        if let Ok(ip) = host.parse() {
            return Ok(vec![ip]);
        }
        let Lookup { began, mut end } = self.look_up(host);
        let until = match self.remembered(host).is_empty() {
            true => Instant::now() + timeout,
            // Whoever comes while it is late does not wait again.
            false => (began + self.0.late).min(Instant::now() + timeout),
        };
        let ended = tokio::time::timeout_at(until.into(), end.wait_for(Option::is_some)).await;
        let failure = match ended {
            Ok(Ok(end)) => match &*end {
                Some(Err(why)) => Failure::new(
                    FailureKind::Other,
                    format!("cannot resolve {host}: {why}; check the host name"),
                ),
                Some(Ok(())) | None => return Ok(self.remembered(host)),
            },
            // The task that looks it up always says how it ended, unless the runtime does.
            Ok(Err(_)) => Failure::new(FailureKind::Other, "the background runtime ended"),
            Err(_) => Failure::new(
                FailureKind::Silent,
                format!(
                    "cannot resolve {host}: the resolver has not answered for {timeout:?}; check it, or write an IP address instead of the name"
                ),
            ),
        };
        let remembered = self.remembered(host);
        if remembered.is_empty() {
            return Err(failure.for_certain());
        }
        tracing::debug!(target: "aurora", host, "not resolved now: the last addresses are used");
        Ok(remembered)
    }

    /// Notes that somebody answered at `ip`, over a new monitoring connection to `address`.
    pub(crate) fn reached(&self, address: &Address, ip: IpAddr) {
        if let Some(name) = self.known().get_mut(address.host()) {
            name.memory.reached(ip);
        }
        self.openings().opened(address, Instant::now());
    }

    /// Notes whether there is a writer, and which addresses lead to another cluster: that may
    /// change for new connections first.
    pub(crate) fn note(&self, topology: &Topology) {
        self.0.has_writer.store(topology.writer().is_some(), Ordering::Relaxed);
        for instance in topology.instances().iter().filter(|i| i.health() == Health::Foreign) {
            self.openings().doubt(instance.address(), PAUSE);
        }
    }

    /// Notes that a new connection to `address` leads elsewhere than the monitoring connection.
    pub(crate) fn doubt(&self, address: &Address) {
        self.openings().doubt(address, PAUSE_WITHOUT_WRITER);
    }

    /// Whether to connect to `address` anew, beside the open connection to `ip`: the name leads
    /// elsewhere by now, or what is behind the address may have moved.
    pub(crate) fn look_again(&self, address: &Address, ip: IpAddr) -> bool {
        let has_writer = self.0.has_writer.load(Ordering::Relaxed);
        let always = (!has_writer).then_some(PAUSE);
        let is_due = self.has_left(address.host(), ip)
            || self.openings().take_due(address, always, Instant::now());
        // Last: each probe comes here, and to read a name takes longer than all before.
        is_due && !stands_for_many(address.host())
    }

    /// Whether `host` leads elsewhere by now than to `ip`, where it led before. Looks the name up
    /// from time to time, without waiting for it.
    fn has_left(&self, host: &str, ip: IpAddr) -> bool {
        if host.parse::<IpAddr>().is_ok() {
            return false;
        }
        let (pause, settled) = match self.0.has_writer.load(Ordering::Relaxed) {
            true => (PAUSE, SETTLED),
            false => (PAUSE_WITHOUT_WRITER, SETTLED_WITHOUT_WRITER),
        };
        let now = Instant::now();
        let (is_due, has_left) = match self.known().get(host) {
            Some(Name { memory, .. }) => {
                (memory.is_due(pause, now), memory.has_left(ip, settled, now))
            }
            None => (true, false),
        };
        if is_due && !stands_for_many(host) {
            let _ = self.look_up(host);
        }
        has_left
    }

    /// The lookup of `host` that is under way, or a new one.
    fn look_up(&self, host: &str) -> Lookup {
        let mut known = self.known();
        let name = known.entry(host.to_owned()).or_default();
        if let Some(lookup) = &name.lookup {
            return lookup.clone();
        }
        let (tell, end) = watch::channel(None);
        let lookup = Lookup { began: Instant::now(), end };
        name.memory.asked(lookup.began);
        name.lookup = Some(lookup.clone());
        drop(known);
        let (names, host) = (self.clone(), host.to_owned());
        tokio::spawn(async move {
            // In a task of its own, so that a resolver that panics has failed, and no more.
            let asked = tokio::spawn(ask(Arc::clone(&names.0), host.clone()));
            let answer = asked.await.unwrap_or_else(|_| Err(io::Error::other("it panicked")));
            let end = names.end(&host, answer);
            // Nobody may wait any more.
            let _ = tell.send(Some(end));
        });
        lookup
    }

    /// Takes in the end of a lookup.
    fn end(&self, host: &str, answer: io::Result<Vec<IpAddr>>) -> Result<(), Arc<str>> {
        let mut known = self.known();
        let name = known.entry(host.to_owned()).or_default();
        name.lookup = None;
        match answer {
            Ok(addresses) if addresses.is_empty() => Err("it has no address".into()),
            Ok(addresses) => {
                name.memory.answered(addresses, Instant::now());
                Ok(())
            }
            Err(error) => Err(error.to_string().into()),
        }
    }

    fn remembered(&self, host: &str) -> Vec<IpAddr> {
        self.known().get(host).map(|name| name.memory.addresses()).unwrap_or_default()
    }

    fn openings(&self) -> MutexGuard<'_, Openings> {
        self.0.openings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Name>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(inner: Arc<Inner>, host: String) -> io::Result<Vec<IpAddr>> {
    let Some(resolver) = &inner.resolver else { return resolve::system(&host).await };
    let asked = tokio::time::timeout(inner.longest, resolver.resolve(&host)).await;
    asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Whether a name leads to several servers in turn, and so never leaves one for another.
fn stands_for_many(host: &str) -> bool {
    match Endpoint::parse(host).kind() {
        EndpointKind::CustomCluster
        | EndpointKind::Limitless
        | EndpointKind::Proxy
        | EndpointKind::ProxyEndpoint
        | EndpointKind::ReaderCluster => true,
        EndpointKind::Global
        | EndpointKind::Instance
        | EndpointKind::Ip
        | EndpointKind::Other
        | EndpointKind::WriterCluster => false,
    }
}
