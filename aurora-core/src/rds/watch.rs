//! Asks the API before the cluster begins, and in the background from then on.
//!
//! Nothing waits for it but a start that knows no address, or that is led to a custom endpoint.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout, timeout_at};

use super::api::Api;
use super::described::Described;
use super::pace::Pace;
use super::target::Target;
use super::told::{Failure, FailureKind, Told};
use crate::background::Background;
use crate::config::Config;
use crate::driver::Shared;
use crate::engine::Input;
use crate::error::{Error, ErrorKind};

/// How long all calls of one question may take; each has limits of its own.
const QUESTION_LIMIT: Duration = Duration::from_secs(60);

/// The pause between two tries to find the cluster.
const RETRY: Duration = Duration::from_millis(500);

/// Who asks the API about one cluster; nobody where nothing tells which cluster it is.
#[derive(Debug)]
pub(crate) struct Watch(Option<Watcher>);

#[derive(Debug)]
struct Watcher {
    api: Arc<Api>,
    interval: Duration,
    known: Described,
    /// What became of the first question, if it was waited for.
    first: Option<Result<(), Failure>>,
}

impl Watch {
    /// Finds the addresses if the configuration has none, and the members of a custom endpoint.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the API refuses to tell the addresses,
    /// [`ErrorKind::Deadline`] when it does not tell them in time.
    pub(crate) async fn begin(
        config: Config,
        background: &Background,
    ) -> Result<(Config, Self), Error> {
        let mut tasks = JoinSet::new();
        tasks.spawn_on(begin(config), background.handle());
        match tasks.join_next().await {
            Some(Ok(begun)) => begun,
            Some(Err(_)) | None => Err(interrupted()),
        }
    }

    /// The same, on the calling thread.
    pub(crate) fn begin_blocking(
        config: Config,
        background: &Background,
    ) -> Result<(Config, Self), Error> {
        let (sender, receiver) = std::sync::mpsc::channel();
        background.handle().spawn(async move {
            // Whoever waits is still there.
            let _ = sender.send(begin(config).await);
        });
        // It keeps its deadlines itself.
        receiver.recv().unwrap_or_else(|_| Err(interrupted()))
    }

    /// Tells what is known, and goes on asking until the cluster is closed. Told before the driver
    /// begins, no statement is routed without it.
    pub(crate) fn start(self, background: &Background, shared: &Arc<Shared>) {
        if let Some(watcher) = self.0 {
            shared.tell(Input::Described(Arc::new(watcher.known.clone())));
            background.handle().spawn(watch(watcher, Arc::clone(shared)));
        }
    }
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Closed, "asking the API of RDS was interrupted")
}

async fn begin(config: Config) -> Result<(Config, Watch), Error> {
    let Some(target) = Target::of(&config) else { return Ok((config, Watch(None))) };
    let api = Arc::new(Api::new(&config, target));
    let config = if config.addresses().is_empty() {
        let limit = config.failover_timeout().max(config.connect_timeout());
        config.with_addresses(discover(&api, Instant::now() + limit).await?)
    } else {
        config
    };
    let Some(interval) = config.rds_refresh() else { return Ok((config, Watch(None))) };
    let mut watcher = Watcher { api, interval, known: Described::default(), first: None };
    if watcher.api.has_custom_endpoint() {
        // Worth a short wait: until its members are known, reads go to everybody.
        let told = ask(&watcher.api, config.connect_timeout()).await;
        let (known, failure) = told.onto(&watcher.known);
        watcher.known = known;
        watcher.first = Some(failure.map_or(Ok(()), Err));
    }
    Ok((config, Watch(Some(watcher))))
}

/// The addresses of the cluster; what may pass is tried again until the deadline.
async fn discover(api: &Api, deadline: Instant) -> Result<Vec<crate::Address>, Error> {
    let error = |kind, failure: &Failure| {
        Error::new(kind, format!("the cluster cannot be found: {failure}"))
    };
    let mut last = Failure::passing("the API of RDS does not answer in time");
    loop {
        match timeout_at(deadline.into(), api.discover()).await {
            Ok(Ok(addresses)) => return Ok(addresses),
            Ok(Err(failure)) if failure.kind == FailureKind::Refused => {
                return Err(error(ErrorKind::Configuration, &failure));
            }
            Ok(Err(failure)) => last = failure,
            Err(_) => {}
        }
        if Instant::now() + RETRY >= deadline {
            return Err(error(ErrorKind::Deadline, &last));
        }
        sleep(RETRY).await;
    }
}

/// Asks on a task of its own: a bug in there is a failure like others.
async fn ask(api: &Arc<Api>, limit: Duration) -> Told {
    let mut tasks = JoinSet::new();
    let api = Arc::clone(api);
    tasks.spawn(async move { api.describe().await });
    match timeout(limit, tasks.join_next()).await {
        Ok(Some(Ok(told))) => told,
        Ok(Some(Err(_)) | None) => Told::nothing(Failure::passing("a bug while asking the API")),
        Err(_) => Told::nothing(Failure::passing("the API of RDS does not answer in time")),
    }
}

async fn watch(mut watcher: Watcher, shared: Arc<Shared>) {
    let mut pace = Pace::new(watcher.interval);
    let mut published = watcher.known.clone();
    loop {
        let failure = match watcher.first.take() {
            Some(first) => first.err(),
            None => tokio::select! {
                told = ask(&watcher.api, QUESTION_LIMIT) => {
                    let (known, failure) = told.onto(&watcher.known);
                    watcher.known = known;
                    failure
                }
                () = shared.commands.closed() => return,
            },
        };
        if watcher.known != published {
            published = watcher.known.clone();
            shared.tell(Input::Described(Arc::new(published.clone())));
        }
        let pause = pace.after(failure.as_ref().map(|failure| failure.kind), fastrand::f64());
        note(&shared, failure.as_ref());
        tokio::select! {
            () = sleep(pause) => {}
            () = shared.commands.closed() => return,
        }
    }
}

/// Shows what is wrong in `status()`; the log hears of it when it changes.
fn note(shared: &Shared, failure: Option<&Failure>) {
    let problem = failure.map(ToString::to_string);
    let mut shown = shared.rds_problem.lock().unwrap_or_else(PoisonError::into_inner);
    if *shown == problem {
        return;
    }
    match &problem {
        Some(problem) => tracing::warn!(target: "aurora", "the API of RDS: {problem}"),
        None => tracing::info!(target: "aurora", "the API of RDS answers again"),
    }
    *shown = problem;
}
