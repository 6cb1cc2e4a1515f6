//! What a test does to single instances.

use std::sync::MutexGuard;
use std::time::Duration;

use rustix::process::Signal;

use super::MariaDbCluster;
use super::replication::{CATCH_UP_LIMIT, slave_status};
use crate::state::{Presence, Role};
use crate::wait::wait_for;
use crate::{KitError, guarded};

/// A verb under way. At its end Aurora's topology is what it has made of the cluster.
pub(super) struct Verb<'a> {
    cluster: &'a MariaDbCluster,
    _turn: MutexGuard<'a, ()>,
}

impl Drop for Verb<'_> {
    fn drop(&mut self) {
        self.cluster.publish();
    }
}

impl MariaDbCluster {
    /// Stops an instance in an orderly way (SIGTERM): its sessions lose their connections.
    ///
    /// # Errors
    /// When the instance does not run or does not end.
    pub fn stop(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        self.stop_now(index)
    }

    /// Starts an instance that was stopped or killed, in the role it had: a writer that another
    /// one has replaced comes back as a *second* writer (see [`Self::rejoin`]).
    ///
    /// Waits until it accepts connections and, as a reader of a running writer, follows it.
    ///
    /// # Errors
    /// When the instance runs already or does not start.
    pub fn start(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        self.start_now(index)
    }

    /// [`Self::stop`], then [`Self::start`].
    ///
    /// # Errors
    /// As those two.
    pub fn restart(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        self.stop_now(index)?;
        self.start_now(index)
    }

    /// Kills an instance: SIGKILL.
    ///
    /// # Errors
    /// When the instance does not run.
    pub fn kill(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        self.kill_now(index)?;
        self.adapt()
    }

    /// Hangs an instance: SIGSTOP. A paused reader no longer holds up commits.
    ///
    /// # Errors
    /// When the instance does not run.
    pub fn pause(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        self.require(index, &[Presence::Running])?;
        self.instance(index)?.signal(Signal::STOP);
        self.mark(index, Presence::Paused);
        self.adapt()
    }

    /// Lets a paused instance go on; a reader is waited for until it follows the writer again.
    ///
    /// # Errors
    /// When the instance is not paused, or does not follow within 20 s.
    pub fn resume(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        self.resume_now(index)?;
        self.welcome(index)
    }

    /// Adds a reader and waits until it has what the writer has; returns its index.
    ///
    /// # Errors
    /// When the writer does not run or the reader does not start.
    pub fn add_reader(&self) -> Result<usize, KitError> {
        let _verb = self.begin();
        let index = self.read_state().len();
        let slot = self.new_slot(index)?;
        self.write_state().push(slot);
        let added = self.rebuild(index).and_then(|()| self.adapt());
        if added.is_err() {
            self.mark(index, Presence::Removed);
        }
        added.map(|()| index)
    }

    /// Stops a reader in an orderly way and removes its data; its index is not used again.
    ///
    /// # Errors
    /// When the instance is the writer or does not end.
    pub fn remove_reader(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        if self.look(index, |slot| slot.role)? == Role::Writer {
            return Err(KitError::misuse(index, "is the writer"));
        }
        if self.look(index, |slot| slot.presence)? != Presence::Down {
            self.stop_now(index)?;
        }
        let instance = self.instance(index)?;
        self.mark(index, Presence::Removed);
        instance.wipe()
    }

    /// Lets a reader apply every change this much later than the writer committed it. The server
    /// knows whole seconds only: a part of a second counts as one. It ends when the reader is
    /// promoted or rebuilt.
    ///
    /// # Errors
    /// When the instance is no running reader.
    pub fn set_replay_delay(&self, index: usize, delay: Duration) -> Result<(), KitError> {
        let _verb = self.begin();
        self.require_running_reader(index)?;
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        let statements =
            format!("STOP SLAVE; CHANGE MASTER TO MASTER_DELAY = {seconds}; START SLAVE");
        self.instance(index)?.control.run(&statements)?;
        self.welcome(index)
    }

    /// Stops a reader from applying changes; it still receives them.
    ///
    /// # Errors
    /// When the instance is no running reader.
    pub fn pause_replay(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        self.require_running_reader(index)?;
        self.instance(index)?.control.run("STOP SLAVE SQL_THREAD")
    }

    /// Lets a reader apply changes again.
    ///
    /// # Errors
    /// When the instance is no running reader.
    pub fn resume_replay(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        self.require_running_reader(index)?;
        let instance = self.instance(index)?;
        instance.control.run("START SLAVE SQL_THREAD")?;
        let what = || format!("{} applies changes again", instance.name);
        wait_for(what, CATCH_UP_LIMIT, || {
            let state = slave_status(&instance)?;
            Ok(state.is_some_and(|state| state.get("Slave_SQL_Running") == "Yes"))
        })
    }

    /// Waits until all readers that run have applied what the writer has committed by now.
    ///
    /// # Errors
    /// When the writer does not run, or a reader does not get there within 20 s.
    pub fn await_readers(&self) -> Result<(), KitError> {
        let _verb = self.begin();
        let writer = self.writer();
        self.readers().into_iter().try_for_each(|reader| self.await_applied(reader, writer))
    }

    /// Changes a variable of one instance for new sessions, now and after a restart; `value` is
    /// SQL.
    ///
    /// # Errors
    /// When the instance does not run, or refuses the value.
    pub fn set_setting(&self, index: usize, name: &str, value: &str) -> Result<(), KitError> {
        let _verb = self.begin();
        self.require(index, &[Presence::Running])?;
        self.instance(index)?.set_global(name, value)
    }

    /// One verb at a time.
    pub(super) fn begin(&self) -> Verb<'_> {
        Verb { cluster: self, _turn: guarded(&self.verbs) }
    }

    pub(super) fn require(&self, index: usize, allowed: &[Presence]) -> Result<(), KitError> {
        let presence = self.look(index, |slot| slot.presence)?;
        if allowed.contains(&presence) {
            return Ok(());
        }
        Err(KitError::misuse(index, format!("is {presence:?}, should be one of {allowed:?}")))
    }

    pub(super) fn require_running_reader(&self, index: usize) -> Result<(), KitError> {
        self.require(index, &[Presence::Running])?;
        if self.look(index, |slot| slot.role)? == Role::Reader {
            return Ok(());
        }
        Err(KitError::misuse(index, "is no reader"))
    }

    pub(super) fn mark(&self, index: usize, presence: Presence) {
        self.write_state()[index].presence = presence;
    }

    pub(super) fn kill_now(&self, index: usize) -> Result<(), KitError> {
        self.require(index, &[Presence::Running, Presence::Paused])?;
        self.instance(index)?.kill();
        self.mark(index, Presence::Down);
        Ok(())
    }

    pub(super) fn stop_now(&self, index: usize) -> Result<(), KitError> {
        self.require(index, &[Presence::Running, Presence::Paused])?;
        if self.look(index, |slot| slot.presence)? == Presence::Paused {
            self.resume_now(index)?;
        }
        let instance = self.instance(index)?;
        let stopped = instance.stop();
        if stopped.is_err() {
            // Nothing may stay behind half-alive.
            instance.kill();
        }
        self.mark(index, Presence::Down);
        stopped?;
        self.adapt()
    }

    fn resume_now(&self, index: usize) -> Result<(), KitError> {
        self.require(index, &[Presence::Paused])?;
        self.instance(index)?.signal(Signal::CONT);
        self.mark(index, Presence::Running);
        Ok(())
    }

    fn start_now(&self, index: usize) -> Result<(), KitError> {
        self.require(index, &[Presence::Down])?;
        self.instance(index)?.start(self.account, &self.spawner)?;
        self.mark(index, Presence::Running);
        self.welcome(index)
    }

    /// After an instance came back: waits for a reader to follow, for a writer to be followed.
    fn welcome(&self, index: usize) -> Result<(), KitError> {
        let (writer, role) = (self.writer(), self.look(index, |slot| slot.role)?);
        let leaderless = self.look(writer, |slot| slot.presence)? != Presence::Running;
        match role {
            Role::Reader | Role::Writer if leaderless => return Ok(()),
            Role::Reader => self.follow(&[index])?,
            Role::Writer => self.await_followers(writer, &self.readers(), CATCH_UP_LIMIT)?,
            // It may have been promoted over while it was paused.
            Role::Former => {
                return self.instance(index)?.set_global("rpl_semi_sync_master_enabled", "OFF");
            }
        }
        self.adapt()
    }
}
