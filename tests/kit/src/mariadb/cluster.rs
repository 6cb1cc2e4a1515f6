//! The handle a test holds: addresses, roles, connections.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rustix::process::Signal;

use super::MariaDbBuilder;
use super::client::{self, MariaDbClient};
use super::front::Volume;
use super::instance::Instance;
use crate::account::Account;
use crate::chaos::Reactor;
use crate::guard::Guard;
use crate::home::Home;
use crate::spawner::Spawner;
use crate::state::{Presence, Role};
use crate::{KitError, PASSWORD, process};

/// One instance, and what the kit knows about it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) instance: Arc<Instance>,
    pub(super) role: Role,
    pub(super) presence: Presence,
}

/// A cluster of MariaDB servers; dropping it ends the servers and removes their files.
///
/// Instances are known by their index, from 0. An index is never given to another instance.
/// All methods can be called from several threads; the verbs run one after the other.
///
/// See the documentation of the crate for what MariaDB has in common with Aurora MySQL and what
/// it has not.
pub struct MariaDbCluster {
    /// Held by a verb for its whole duration.
    pub(super) verbs: Mutex<()>,
    pub(super) state: RwLock<Vec<Slot>>,
    pub(super) options: MariaDbBuilder,
    pub(super) account: Account,
    pub(super) spawner: Spawner,
    pub(super) template: PathBuf,
    /// The GTID domain: what the instances of a cluster have in common.
    pub(super) domain: u32,
    /// Moves the bytes of all proxies and fronts; `None` if there are none.
    pub(super) reactor: Option<Arc<Reactor>>,
    /// What Aurora's topology is made of.
    pub(super) volume: Arc<Volume>,
    pub(super) endpoints: AtomicUsize,
    pub(super) home: Home,
    pub(super) _guard: Guard,
}

impl MariaDbCluster {
    /// Describes a cluster to start: one instance, semi-synchronous, port 3306.
    #[must_use]
    pub fn builder() -> MariaDbBuilder {
        MariaDbBuilder::new()
    }

    /// The URL of the database `app` with all instances of the cluster, by index:
    /// `mysql://app:PASSWORD@127.20.3.1:3306,127.20.3.2:3306/app`.
    #[must_use]
    pub fn url(&self) -> String {
        let state = self.read_state();
        let present = state.iter().filter(|slot| slot.presence != Presence::Removed);
        let places: Vec<String> = present.map(|slot| slot.instance.place()).collect();
        format!("mysql://app:{PASSWORD}@{}/app", places.join(","))
    }

    /// The URL of the database `app` on one instance.
    ///
    /// # Panics
    /// If there was never an instance with this index.
    #[must_use]
    pub fn instance_url(&self, index: usize) -> String {
        let place = self.read_state()[index].instance.place();
        format!("mysql://app:{PASSWORD}@{place}/app")
    }

    /// Address and port of one instance, as clients see it.
    ///
    /// # Panics
    /// If there was never an instance with this index.
    #[must_use]
    pub fn address(&self, index: usize) -> (IpAddr, u16) {
        let instance = &self.read_state()[index].instance;
        (instance.public.into(), instance.port)
    }

    /// The identifier of one instance: `127.20.3.1:3306`, in Aurora's words `instance-1`.
    ///
    /// # Panics
    /// If there was never an instance with this index.
    #[must_use]
    pub fn name(&self, index: usize) -> String {
        self.read_state()[index].instance.name.clone()
    }

    /// The number of instances that were not removed.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "the writer is never removed")]
    pub fn len(&self) -> usize {
        self.indices(|slot| slot.presence != Presence::Removed).len()
    }

    /// The index of the writer: the first instance, or the one that was promoted last, also while
    /// it does not run.
    #[must_use]
    pub fn writer(&self) -> usize {
        self.indices(|slot| slot.role == Role::Writer).first().copied().unwrap_or(0)
    }

    /// The indices of the readers that run (and are not paused).
    #[must_use]
    pub fn readers(&self) -> Vec<usize> {
        self.indices(|slot| slot.role == Role::Reader && slot.presence == Presence::Running)
    }

    /// The process number of an instance's server, if it runs.
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

    /// A connection to the database `app` of one instance, as the role `app`: it may do everything
    /// in that database, see all sessions and the state of the replication, and is not exempt from
    /// `read_only`. Given up after 10 s.
    ///
    /// # Errors
    /// When the instance cannot be reached or does not answer in time.
    pub fn client(&self, index: usize) -> Result<MariaDbClient, KitError> {
        self.connect(index, "app")
    }

    /// A connection to the database `app` of one instance, as `kit`, who may do everything, also
    /// on a reader. Given up after 10 s.
    ///
    /// # Errors
    /// When the instance cannot be reached or does not answer in time.
    pub fn superuser(&self, index: usize) -> Result<MariaDbClient, KitError> {
        self.connect(index, "kit")
    }

    fn connect(&self, index: usize, user: &str) -> Result<MariaDbClient, KitError> {
        let instance = self.instance(index)?;
        let opts = client::opts(instance.address, instance.port, user, Some("app"));
        MariaDbClient::connect(opts, &instance.name)
    }

    /// The slot of an instance that does not run yet, with its data as they were in the beginning.
    pub(super) fn new_slot(&self, index: usize) -> Result<Slot, KitError> {
        let full = || KitError::misuse(index, "a cluster has at most 254 instances");
        let address: Ipv4Addr = self.home.address(index).ok_or_else(full)?;
        let way = self.new_way(index, address)?;
        let instance = Instance::new(address, way, self.domain, &self.home.directory);
        for (name, value) in &self.options.settings {
            instance.set(name, value.as_str());
        }
        let role = if index == 0 { Role::Writer } else { Role::Reader };
        Ok(Slot { instance: Arc::new(instance), role, presence: Presence::Down })
    }

    /// Gives an instance that does not run the data of the template.
    pub(super) fn lay_out(&self, instance: &Instance) -> Result<(), KitError> {
        instance.wipe()?;
        crate::template::copy(self.account, &self.template, &instance.data)
    }

    pub(super) fn instance(&self, index: usize) -> Result<Arc<Instance>, KitError> {
        self.look(index, |slot| Arc::clone(&slot.instance))
    }

    pub(super) fn look<T>(
        &self,
        index: usize,
        what: impl FnOnce(&Slot) -> T,
    ) -> Result<T, KitError> {
        let state = self.read_state();
        let slot = state.get(index).filter(|slot| slot.presence != Presence::Removed);
        slot.map(what).ok_or_else(|| KitError::misuse(index, "there is no such instance"))
    }

    pub(super) fn indices(&self, wanted: impl Fn(&Slot) -> bool) -> Vec<usize> {
        let state = self.read_state();
        let found = state.iter().enumerate().filter(|(_, slot)| wanted(slot));
        found.map(|(index, _)| index).collect()
    }

    pub(super) fn read_state(&self) -> RwLockReadGuard<'_, Vec<Slot>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write_state(&self) -> RwLockWriteGuard<'_, Vec<Slot>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MariaDbCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MariaDbCluster")
            .field("network", &self.home)
            .field("state", &self.read_state())
            .finish_non_exhaustive()
    }
}

impl Drop for MariaDbCluster {
    fn drop(&mut self) {
        process::signal_all(&self.home.directory, Signal::KILL);
        for slot in self.read_state().iter() {
            slot.instance.kill();
        }
        // The files go when `home` is dropped.
    }
}
