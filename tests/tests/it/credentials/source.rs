//! A provider of the test's own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aurora_core::{Credentials, CredentialsProvider, CredentialsRequest, Providing};

/// Gives the user `shop` whatever password it was told last, and counts.
#[derive(Clone, Default)]
pub(super) struct Source {
    password: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    window: Duration,
}

impl Source {
    pub(super) fn of(password: &str) -> Self {
        let this = Self::default();
        this.set(password);
        this
    }

    /// What it provides may be behind for that long.
    pub(super) fn with_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    pub(super) fn set(&self, password: &str) {
        password.clone_into(&mut self.password.lock().unwrap());
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl CredentialsProvider for Source {
    fn provide<'a>(&'a self, _: CredentialsRequest<'a>) -> Providing<'a> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let password = self.password.lock().unwrap().clone();
        Box::pin(async move { Ok(Credentials::new(password).with_user("shop")) })
    }

    fn describe(&self) -> String {
        "the test's own source".to_owned()
    }

    fn rotation_window(&self) -> Duration {
        self.window
    }
}
