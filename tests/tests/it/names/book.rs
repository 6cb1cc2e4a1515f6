//! A resolver that a test rewrites.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aurora_core::{Cluster, Config, Error, Resolve, Resolving};
use test_kit::{PASSWORD, PgCluster};

/// What becomes of questions, whatever the book says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Answers,
    Fails,
    Silent,
}

#[derive(Debug, Default)]
struct Pages {
    addresses: HashMap<String, Vec<IpAddr>>,
    mood: Mood,
    /// How many questions for a host are under way, and the most there ever were.
    asking: HashMap<String, usize>,
    most: usize,
    refused: usize,
    answered: HashMap<String, usize>,
}

/// Host names and their addresses; clones are the same book.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book(Arc<Mutex<Pages>>);

impl Book {
    /// Lets `host` lead to these addresses from now on.
    pub(crate) fn write(&self, host: &str, addresses: &[IpAddr]) {
        let mut pages = self.pages();
        pages.addresses.insert(host.to_owned(), addresses.to_vec());
        pages.answered.remove(host);
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.pages().mood = mood;
    }

    /// The most questions for one host that were ever under way at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.pages().most
    }

    /// How many questions met a bad mood.
    pub(crate) fn refused(&self) -> usize {
        self.pages().refused
    }

    /// How many questions for `host` were answered since it was last written down.
    pub(crate) fn answered(&self, host: &str) -> usize {
        self.pages().answered.get(host).copied().unwrap_or(0)
    }

    /// Connects to `hosts`, at the port of the kit, with these options of the URL.
    pub(crate) fn connect(
        &self,
        kit: &PgCluster,
        hosts: &[&str],
        options: &str,
    ) -> Result<Cluster, Error> {
        let port = kit.address(0).1;
        let places: Vec<String> = hosts.iter().map(|host| format!("{host}:{port}")).collect();
        let url = format!("postgres://app:{PASSWORD}@{}/app?{options}", places.join(","));
        let config = Config::builder().url(&url).resolver(self.clone()).build()?;
        Cluster::connect_blocking(config)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that is under way.
struct Asking<'a>(&'a Book, &'a str);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        *self.0.pages().asking.entry(self.1.to_owned()).or_default() -= 1;
    }
}

impl Resolve for Book {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        let mut pages = self.pages();
        let asking = pages.asking.entry(host.to_owned()).or_default();
        *asking += 1;
        let now = *asking;
        pages.most = pages.most.max(now);
        let (mood, found) = (pages.mood, pages.addresses.get(host).cloned());
        match mood {
            Mood::Answers => *pages.answered.entry(host.to_owned()).or_default() += 1,
            Mood::Fails | Mood::Silent => pages.refused += 1,
        }
        let asking = Asking(self, host);
        Box::pin(async move {
            let _asking = asking;
            match mood {
                Mood::Answers => found.ok_or_else(|| io::Error::other("no such name (NXDOMAIN)")),
                Mood::Fails => Err(io::Error::other("server failure (SERVFAIL)")),
                Mood::Silent => std::future::pending().await,
            }
        })
    }
}
