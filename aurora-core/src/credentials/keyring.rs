//! The credentials of a cluster: asked by every connection, fetched in the background.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use event_listener::{Event, EventListener, Listener as _};
use tokio::runtime::Handle;

use super::cache::{Cache, Hopeless, Look};
use super::provider::{
    Credentials, CredentialsError, CredentialsProvider, CredentialsRequest, CredentialsScope,
};
use crate::config::{Address, Config, Secret};
use crate::error::{Error, ErrorKind, Outcome};

/// How long a provider may take.
const FETCH_LIMIT: Duration = Duration::from_secs(30);

/// Where the connections of one cluster get their credentials.
pub(crate) struct Keyring {
    user: String,
    password: Option<Secret>,
    provider: Option<Arc<dyn CredentialsProvider>>,
    caches: Mutex<HashMap<Option<Address>, Cache>>,
    /// Rung when there is something new to look at.
    news: Event,
    runtime: Handle,
}

/// What one connection logs in with.
///
/// Say what became of it with [`Cluster::login_accepted`](crate::Cluster::login_accepted) or
/// [`Cluster::login_refused`](crate::Cluster::login_refused).
#[derive(Clone)]
pub struct Login {
    user: String,
    password: Option<Secret>,
    /// Which cache it is from, and which credentials of it; none of a fixed password.
    origin: Option<(Option<Address>, u64)>,
}

impl Login {
    /// The user.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password; none where the server asks for none.
    #[must_use]
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Fetches on `runtime`.
    pub(crate) fn new(config: &Config, runtime: Handle) -> Arc<Self> {
        Arc::new(Self {
            user: config.user().to_owned(),
            password: config.password().cloned(),
            provider: config.credentials(),
            caches: Mutex::default(),
            news: Event::new(),
            runtime,
        })
    }

    /// Whether the credentials may change.
    pub(crate) fn is_fixed(&self) -> bool {
        self.provider.is_none()
    }

    /// What to log in with at `address`, waiting for it until a little before `deadline`: whoever
    /// ends everything then shall hear first that it is not the server that is late.
    pub(crate) async fn login(
        self: &Arc<Self>,
        address: &Address,
        deadline: Instant,
    ) -> Result<Login, Error> {
        let deadline = a_little_before(deadline);
        loop {
            let news = self.news.listen();
            match self.look(address)? {
                Found::Login(login) => return Ok(login),
                Found::Wait(until) => {
                    let until = until.map_or(deadline, |until| until.min(deadline));
                    self.sleep(news, until).await;
                    self.check(address, deadline)?;
                }
            }
        }
    }

    /// The same, on the calling thread.
    pub(crate) fn login_blocking(
        self: &Arc<Self>,
        address: &Address,
        deadline: Instant,
    ) -> Result<Login, Error> {
        let deadline = a_little_before(deadline);
        loop {
            let news = self.news.listen();
            match self.look(address)? {
                Found::Login(login) => return Ok(login),
                Found::Wait(until) => {
                    news.wait_deadline(until.map_or(deadline, |until| until.min(deadline)));
                    self.check(address, deadline)?;
                }
            }
        }
    }

    /// What to log in with if that is known now.
    pub(crate) fn login_now(self: &Arc<Self>, address: &Address) -> Option<Login> {
        match self.look(address) {
            Ok(Found::Login(login)) => Some(login),
            Ok(Found::Wait(_)) | Err(_) => None,
        }
    }

    /// A connection with this login was let in.
    pub(crate) fn accepted(&self, login: &Login) {
        let Some((key, serial)) = &login.origin else { return };
        self.with(key, |cache| cache.accepted(*serial));
    }

    /// The server refused the login, with these words. Whoever wants to know what is to be done
    /// asks for a login again, unless the result is an error: then the refusal is for good.
    pub(crate) fn refused(&self, login: &Login, message: &str) -> Result<(), Error> {
        let Some((key, serial)) = &login.origin else {
            return Err(Error::new(ErrorKind::Authentication, message));
        };
        tracing::info!(target: "aurora", user = login.user, "login refused, asking for credentials");
        self.with(key, |cache| cache.refused(Instant::now(), *serial, message));
        self.news.notify(usize::MAX);
        Ok(())
    }

    /// Rings when there may be another login.
    pub(crate) fn changed(&self) -> EventListener {
        self.news.listen()
    }

    fn look(self: &Arc<Self>, address: &Address) -> Result<Found, Error> {
        let Some(provider) = &self.provider else {
            let (user, password) = (self.user.clone(), self.password.clone());
            return Ok(Found::Login(Login { user, password, origin: None }));
        };
        let key = self.key(address);
        let now = Instant::now();
        let (look, fetch) = self.with(&key, |cache| {
            let (look, begins) = cache.look(now);
            (look, begins.then(|| cache.refused_ones()))
        });
        if let Some(refused) = fetch {
            self.fetch(Arc::clone(provider), key.clone(), address.clone(), refused);
        }
        match look {
            Look::Use { credentials, serial } => {
                let user = credentials.user().unwrap_or(&self.user).to_owned();
                if user.is_empty() {
                    return Err(self.nameless());
                }
                let password = Some(credentials.password().clone());
                Ok(Found::Login(Login { user, password, origin: Some((key, serial)) }))
            }
            Look::Wait(until) => Ok(Found::Wait(until)),
            Look::Fail(why) => Err(self.hopeless(why)),
        }
    }

    fn key(&self, address: &Address) -> Option<Address> {
        match self.provider.as_ref()?.scope() {
            CredentialsScope::Address => Some(address.clone()),
            CredentialsScope::Cluster => None,
        }
    }

    fn fetch(
        self: &Arc<Self>,
        provider: Arc<dyn CredentialsProvider>,
        key: Option<Address>,
        address: Address,
        refused: Vec<Credentials>,
    ) {
        let keyring = Arc::clone(self);
        let asking = self.runtime.spawn(async move {
            let user = &keyring.user;
            let request = CredentialsRequest { address: &address, user, refused: &refused };
            let provided = tokio::time::timeout(FETCH_LIMIT, provider.provide(request)).await;
            provided.unwrap_or_else(|_| {
                Err(CredentialsError::transient(format!("no answer within {FETCH_LIMIT:?}")))
            })
        });
        let keyring = Arc::clone(self);
        self.runtime.spawn(async move {
            let answer = asking.await.unwrap_or_else(|_| {
                Err(CredentialsError::transient("it panicked, or the runtime has ended"))
            });
            keyring.arrived(&key, answer);
        });
    }

    fn arrived(&self, key: &Option<Address>, answer: Result<Credentials, CredentialsError>) {
        match &answer {
            Ok(_) => tracing::debug!(target: "aurora", source = self.describe(), "credentials"),
            Err(error) => {
                tracing::warn!(target: "aurora", source = self.describe(), %error, "no credentials");
            }
        }
        self.with(key, |cache| cache.fetched(Instant::now(), answer));
        self.news.notify(usize::MAX);
    }

    fn with<R>(&self, key: &Option<Address>, work: impl FnOnce(&mut Cache) -> R) -> R {
        let mut caches: MutexGuard<'_, _> =
            self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cache) = caches.get_mut(key) {
            return work(cache);
        }
        let window = self.provider.as_ref().map_or(Duration::ZERO, |p| p.rotation_window());
        let cache = caches.entry(key.clone());
        work(cache.or_insert_with(|| Cache::new(window, fastrand::u64(..))))
    }

    /// Waits for news, on a timer of the background runtime: the caller's may have none.
    async fn sleep(&self, news: EventListener, until: Instant) {
        let timer = async move { tokio::time::sleep_until(until.into()).await };
        let mut timer = Timer(self.runtime.spawn(timer));
        tokio::select! {
            () = news => {}
            _ = &mut timer.0 => {}
        }
    }

    fn check(&self, address: &Address, deadline: Instant) -> Result<(), Error> {
        if Instant::now() < deadline {
            return Ok(());
        }
        let last = self.with(&self.key(address), |cache| cache.trouble());
        let last = last.map(|last| format!(": {last}")).unwrap_or_default();
        let text = format!("no credentials in time from {}{last}", self.describe());
        Err(Error::new(ErrorKind::Credentials, text).with_outcome(Outcome::NotApplied))
    }

    fn hopeless(&self, why: Hopeless) -> Error {
        let source = self.describe();
        match why {
            Hopeless::NotProvided(error) => {
                let text = format!("no credentials from {source}: {error}");
                Error::new(ErrorKind::Configuration, text).caused_by(error)
            }
            Hopeless::Refused(words) => {
                let text = format!(
                    "the server refuses the credentials from {source}: {words}; compare what \
                     stands there with the password and the rights of the user in the database"
                );
                Error::new(ErrorKind::Authentication, text)
            }
        }
    }

    fn nameless(&self) -> Error {
        let source = self.describe();
        let text = format!("the credentials from {source} name no user: write one in the URL");
        Error::new(ErrorKind::Configuration, text)
    }

    fn describe(&self) -> String {
        self.provider.as_ref().map_or_else(|| "the configuration".to_owned(), |p| p.describe())
    }
}

/// A tenth of the time that is left, or 100 ms, before `deadline`.
fn a_little_before(deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(Instant::now());
    deadline.checked_sub((left / 10).min(Duration::from_millis(100))).unwrap_or(deadline)
}

enum Found {
    Login(Login),
    Wait(Option<Instant>),
}

/// A timer that must not outlive the one who waits for it.
struct Timer(tokio::task::JoinHandle<()>);

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("source", &self.describe()).finish_non_exhaustive()
    }
}
