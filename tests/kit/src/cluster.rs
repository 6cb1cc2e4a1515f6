//! The handle a test holds: addresses, roles, connections.

use std::fmt;
use std::net::IpAddr;
use std::process::Command;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use postgres::Client;

use crate::chaos::Reactor;
use crate::guard::Guard;
use crate::home::Home;
use crate::instance::{Instance, Tools};
use crate::state::{Presence, Role, Slot, State};
use crate::{Builder, KitError, PASSWORD, control, process, volume};

/// A cluster of PostgreSQL servers; dropping it ends the servers and removes their files.
///
/// Instances are known by their index, from 0. An index is never given to another instance.
/// All methods can be called from several threads; the verbs run one after the other.
pub struct PgCluster {
    /// Held by a verb for its whole duration.
    pub(crate) verbs: Mutex<()>,
    pub(crate) state: RwLock<State>,
    /// Moves the bytes of the proxies, if there are any.
    pub(crate) reactor: Option<Arc<Reactor>>,
    /// How many have been started.
    pub(crate) endpoints: AtomicUsize,
    pub(crate) options: Builder,
    pub(crate) tools: Tools,
    pub(crate) home: Home,
    pub(crate) _guard: Guard,
}

impl PgCluster {
    /// Describes a cluster to start: one instance, synchronous, plain PostgreSQL, port 5432.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The URL of the database `app` with all instances of the cluster, by index:
    /// `postgres://app:PASSWORD@127.20.3.1:5432,127.20.3.2:5432/app`.
    #[must_use]
    pub fn url(&self) -> String {
        let state = self.read_state();
        let instances = state.present().map(|index| &state.slots[index].instance);
        let places: Vec<String> =
            instances.map(|instance| format!("{}:{}", instance.public, instance.port)).collect();
        format!("postgres://app:{PASSWORD}@{}/app", places.join(","))
    }

    /// The URL of the database `app` on one instance.
    ///
    /// # Panics
    /// If there was never an instance with this index.
    #[must_use]
    pub fn instance_url(&self, index: usize) -> String {
        let (address, port) = self.address(index);
        format!("postgres://app:{PASSWORD}@{address}:{port}/app")
    }

    /// The URL of the database `app` on one instance, past its proxy if it has one.
    ///
    /// # Panics
    /// If there was never an instance with this index.
    #[must_use]
    pub fn direct_url(&self, index: usize) -> String {
        let instance = &self.read_state().slots[index].instance;
        format!("postgres://app:{PASSWORD}@{}:{}/app", instance.address, instance.port)
    }

    /// Address and port of one instance, where clients connect.
    ///
    /// # Panics
    /// If there was never an instance with this index.
    #[must_use]
    pub fn address(&self, index: usize) -> (IpAddr, u16) {
        let instance = &self.read_state().slots[index].instance;
        (instance.public.into(), instance.port)
    }

    /// The identifier of one instance: `127.20.3.1:5432`, or `instance-1` in Aurora mode.
    ///
    /// # Panics
    /// If there was never an instance with this index.
    #[must_use]
    pub fn name(&self, index: usize) -> String {
        self.read_state().slots[index].instance.name.clone()
    }

    /// The number of instances that were not removed.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "the writer is never removed")]
    pub fn len(&self) -> usize {
        self.read_state().present().count()
    }

    /// The index of the writer: the first instance, or the one that was promoted last, also while
    /// it does not run.
    #[must_use]
    pub fn writer(&self) -> usize {
        self.read_state().indices(|slot| slot.role == Role::Writer).next().unwrap_or(0)
    }

    /// The indices of the readers that run (and are not paused).
    #[must_use]
    pub fn readers(&self) -> Vec<usize> {
        self.read_state().readers()
    }

    /// The process number of an instance's postmaster, if it runs.
    #[must_use]
    pub fn pid(&self, index: usize) -> Option<i32> {
        self.instance(index).ok()?.pid().map(|pid| pid.as_raw_nonzero().get())
    }

    /// The last lines of an instance's server log, to explain a failed test.
    ///
    /// # Errors
    /// [`KitError::Misuse`] when there is no such instance.
    pub fn log_tail(&self, index: usize) -> Result<String, KitError> {
        Ok(self.instance(index)?.log_tail())
    }

    /// A connection to the database `app` of one instance, as the role `app`: owner of that
    /// database, member of `pg_monitor`, no superuser. Given up after 5 s.
    ///
    /// # Errors
    /// When the instance cannot be reached or does not answer in time.
    pub fn client(&self, index: usize) -> Result<Client, KitError> {
        self.connect(index, "app")
    }

    /// A connection to the database `app` of one instance, as the superuser `kit`. Given up
    /// after 5 s.
    ///
    /// # Errors
    /// When the instance cannot be reached or does not answer in time.
    pub fn superuser(&self, index: usize) -> Result<Client, KitError> {
        self.connect(index, "kit")
    }

    /// `pgbench` with these arguments, ready to be run against the database `app` of one instance,
    /// past its proxy if it has one.
    ///
    /// # Errors
    /// [`KitError::Misuse`] when there is no such instance.
    pub fn pgbench(&self, index: usize, arguments: &[&str]) -> Result<Command, KitError> {
        let instance = self.instance(index)?;
        let mut command = Command::new(self.tools.install.program("pgbench"));
        command
            .env("PGHOST", instance.address.to_string())
            .env("PGPORT", instance.port.to_string())
            .envs([("PGUSER", "app"), ("PGPASSWORD", PASSWORD), ("PGDATABASE", "app")])
            .args(arguments);
        Ok(command)
    }

    fn connect(&self, index: usize, user: &str) -> Result<Client, KitError> {
        let instance = self.instance(index)?;
        let config = control::settings(instance.address, instance.port, user, "app");
        control::connect(config, &instance.name)
    }

    pub(crate) fn instance(&self, index: usize) -> Result<Arc<Instance>, KitError> {
        self.look(index, |slot| Arc::clone(&slot.instance))
    }

    pub(crate) fn look<T>(
        &self,
        index: usize,
        what: impl FnOnce(&Slot) -> T,
    ) -> Result<T, KitError> {
        let state = self.read_state();
        let slot = state.slots.get(index).filter(|slot| slot.presence != Presence::Removed);
        slot.map(what).ok_or_else(|| KitError::misuse(index, "there is no such instance"))
    }

    pub(crate) fn read_state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write_state(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Aurora mode: tells all instances about the present state.
    pub(crate) fn publish(&self) -> Result<(), KitError> {
        if !self.options.aurora {
            return Ok(());
        }
        volume::publish(&self.home.directory, &self.read_state())
    }
}

impl fmt::Debug for PgCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgCluster")
            .field("network", &self.home)
            .field("state", &self.read_state())
            .finish_non_exhaustive()
    }
}

impl Drop for PgCluster {
    fn drop(&mut self) {
        process::signal_all(&self.home.directory, rustix::process::Signal::KILL);
        for slot in &self.read_state().slots {
            slot.instance.kill();
        }
        // The files go when `home` is dropped.
    }
}
