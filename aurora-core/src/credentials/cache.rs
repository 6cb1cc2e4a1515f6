//! Which credentials to log in with, and when to ask for others.
//!
//! Pure: time is an argument, and fetching is somebody else's.

use std::time::{Duration, Instant};

use super::provider::{Credentials, CredentialsError};

/// The first pause before what was refused, or could not be fetched, is tried again; it doubles.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, and that after a login has failed for good.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How many refused credentials are remembered; whoever provides them knows no more versions.
const REMEMBERED: usize = 4;

/// What is known of the credentials of a cluster, or of one address.
#[derive(Debug)]
pub(super) struct Cache {
    /// How long the server and the provider may disagree.
    window: Duration,
    chance: fastrand::Rng,
    current: Option<Held>,
    /// What the server accepted before `current` came.
    proven: Option<Held>,
    is_fetching: bool,
    /// Whether the fetch under way is one more after an earlier one: it gives credentials that
    /// were refused another chance, and nobody waits for it who has been told that they fail.
    is_retry: bool,
    /// Asking again before is of no use.
    retry_at: Option<Instant>,
    pauses: u32,
    failure: Option<CredentialsError>,
    refusal: Option<Refusal>,
    /// Whether the server ever accepted anything.
    has_worked: bool,
    next_serial: u64,
}

#[derive(Clone, Debug)]
struct Held {
    credentials: Credentials,
    serial: u64,
    refresh_at: Option<Instant>,
    is_refused: bool,
    is_proven: bool,
}

/// Since when the server refuses what it used to accept.
#[derive(Debug)]
struct Refusal {
    since: Instant,
    refused: Vec<Credentials>,
    message: String,
}

/// What to do for a login.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Look {
    Use {
        credentials: Credentials,
        serial: u64,
    },
    /// Nothing can be used now; look again at news, or then.
    Wait(Option<Instant>),
    Fail(Hopeless),
}

/// Why a login fails without being tried.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Hopeless {
    /// The provider failed.
    NotProvided(CredentialsError),
    /// The server refused what the provider has; the server's words.
    Refused(String),
}

impl Cache {
    pub(super) fn new(window: Duration, seed: u64) -> Self {
        Self {
            window,
            chance: fastrand::Rng::with_seed(seed),
            current: None,
            proven: None,
            is_fetching: false,
            is_retry: false,
            retry_at: None,
            pauses: 0,
            failure: None,
            refusal: None,
            has_worked: false,
            next_serial: 0,
        }
    }

    /// What to log in with; and whether the caller has to begin a fetch now.
    pub(super) fn look(&mut self, now: Instant) -> (Look, bool) {
        let usable = self.usable(now);
        let wants = match &usable {
            // What is used in its place keeps the logins going meanwhile.
            Some(held) => {
                let is_current = self.current.as_ref().is_some_and(|c| c.serial == held.serial);
                !is_current || held.refresh_at.is_some_and(|at| now >= at)
            }
            None => true,
        };
        let may = !self.is_fetching && self.retry_at.is_none_or(|at| now >= at);
        let begins = wants && may;
        if begins {
            self.is_fetching = true;
            self.is_retry = self.retry_at.is_some();
        }
        let look = match usable {
            Some(Held { credentials, serial, .. }) => Look::Use { credentials, serial },
            None if self.is_fetching => match self.hopeless(now) {
                // It is known to be wrong, and the fetch is only there to notice a change.
                Some(why) if self.is_retry => Look::Fail(why),
                Some(_) | None => Look::Wait(None),
            },
            None => match self.hopeless(now) {
                Some(why) => Look::Fail(why),
                None => Look::Wait(self.retry_at),
            },
        };
        (look, begins)
    }

    /// What the server has refused since it last accepted something.
    pub(super) fn refused_ones(&self) -> Vec<Credentials> {
        self.refusal.as_ref().map_or_else(Vec::new, |refusal| refusal.refused.clone())
    }

    /// What went wrong last, if nothing has gone right since.
    pub(super) fn trouble(&self) -> Option<String> {
        let failure = self.failure.as_ref().map(ToString::to_string);
        failure.or_else(|| self.refusal.as_ref().map(|refusal| refusal.message.clone()))
    }

    /// A fetch has ended.
    pub(super) fn fetched(&mut self, now: Instant, result: Result<Credentials, CredentialsError>) {
        self.is_fetching = false;
        let is_retry = std::mem::take(&mut self.is_retry);
        match result {
            Ok(credentials) => self.arrived(now, credentials, is_retry),
            Err(error) => {
                self.failure = Some(error);
                self.pause(now);
            }
        }
    }

    /// The server let somebody in with them.
    pub(super) fn accepted(&mut self, serial: u64) {
        self.has_worked = true;
        let Some(current) = &mut self.current else { return };
        // An acceptance that is late says nothing against a refusal.
        if current.serial != serial || current.is_proven || current.is_refused {
            return;
        }
        current.is_proven = true;
        self.proven = None;
        self.refusal = None;
        self.retry_at = None;
        self.pauses = 0;
    }

    /// The server refused them; whether that is for good is what the next look says.
    pub(super) fn refused(&mut self, now: Instant, serial: u64, message: &str) {
        if self.proven.as_ref().is_some_and(|proven| proven.serial == serial) {
            return self.proven_refused(now, message);
        }
        let Some(current) = self.current.as_mut() else { return };
        // Of credentials that were replaced meanwhile nothing follows.
        if current.serial != serial || current.is_refused {
            return;
        }
        current.is_refused = true;
        current.is_proven = false;
        let refused = current.credentials.clone();
        let is_first = self.refusal.is_none();
        self.note_refusal(now, refused, message);
        if is_first {
            // The provider is asked at once, whatever was planned.
            self.retry_at = None;
            self.pauses = 0;
        } else {
            self.pause(now);
        }
    }

    /// The server has changed over: the turn of what it refused before.
    fn proven_refused(&mut self, now: Instant, message: &str) {
        let Some(proven) = self.proven.take() else { return };
        self.refusal = None;
        self.note_refusal(now, proven.credentials, message);
        self.retry_at = None;
        self.pauses = 0;
        let serial = self.serial();
        if let Some(current) = self.current.as_mut().filter(|current| current.is_refused) {
            (current.is_refused, current.serial) = (false, serial);
        }
    }

    fn note_refusal(&mut self, now: Instant, refused: Credentials, message: &str) {
        let refusal = self.refusal.get_or_insert_with(|| Refusal {
            since: now,
            refused: Vec::new(),
            message: String::new(),
        });
        message.clone_into(&mut refusal.message);
        refusal.refused.retain(|known| !known.is_same(&refused));
        refusal.refused.push(refused);
        if refusal.refused.len() > REMEMBERED {
            refusal.refused.remove(0);
        }
    }

    fn arrived(&mut self, now: Instant, credentials: Credentials, is_retry: bool) {
        self.failure = None;
        let was_refused = self.refusal.as_ref().is_some_and(|refusal| {
            refusal.refused.iter().any(|refused| refused.is_same(&credentials))
        });
        let refresh_at = credentials.refresh_from(now, self.chance.f64());
        let same = self.current.as_mut().filter(|held| held.credentials.is_same(&credentials));
        match (same, was_refused) {
            (Some(same), false) => {
                // Their life is another one.
                (same.credentials, same.refresh_at) = (credentials, refresh_at);
                self.retry_at = None;
            }
            // The same again is for later.
            (Some(_), true) if !is_retry => self.pause(now),
            (_, _) => {
                let is_refused = was_refused && !is_retry;
                self.replace(Held {
                    credentials,
                    serial: 0,
                    refresh_at,
                    is_refused,
                    is_proven: false,
                });
                if is_refused {
                    self.pause(now);
                } else if !was_refused {
                    self.retry_at = None;
                }
            }
        }
    }

    fn replace(&mut self, held: Held) {
        let serial = self.serial();
        let before = self.current.replace(Held { serial, ..held });
        // A server that is behind the provider still takes what it took.
        if let Some(before) = before.filter(|before| before.is_proven) {
            self.proven = Some(before);
        }
    }

    fn usable(&self, now: Instant) -> Option<Held> {
        let is_usable = |held: &&Held| !held.is_refused && !held.credentials.is_expired(now);
        let current = self.current.as_ref().filter(is_usable);
        current.or(self.proven.as_ref().filter(is_usable)).cloned()
    }

    /// Why nothing is to be expected within a sensible time.
    fn hopeless(&self, now: Instant) -> Option<Hopeless> {
        if let Some(failure) = self.failure.as_ref().filter(|failure| !failure.is_transient()) {
            return Some(Hopeless::NotProvided(failure.clone()));
        }
        let refusal = self.refusal.as_ref()?;
        let was_asked = self.retry_at.is_some();
        (was_asked && self.is_over(refusal, now))
            .then(|| Hopeless::Refused(refusal.message.clone()))
    }

    /// Whether a refusal is for good: what never worked is wrong, and a rotation ends.
    fn is_over(&self, refusal: &Refusal, now: Instant) -> bool {
        !self.has_worked || now >= refusal.since + self.window
    }

    fn pause(&mut self, now: Instant) {
        let is_over = self.refusal.as_ref().is_some_and(|refusal| self.is_over(refusal, now));
        let pause = PAUSE.saturating_mul(1 << self.pauses.min(8)).min(LONGEST_PAUSE);
        self.retry_at = Some(now + if is_over { LONGEST_PAUSE } else { pause });
        self.pauses += 1;
    }

    fn serial(&mut self) -> u64 {
        self.next_serial += 1;
        self.next_serial
    }
}

#[cfg(test)]
mod tests;
