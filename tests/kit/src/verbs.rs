//! What a test does to single instances.

use std::sync::MutexGuard;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;

use crate::state::{Presence, Role};
use crate::volume::{self, TopologyLie};
use crate::wait::wait_for;
use crate::{KitError, PgCluster, guarded};

/// How long a reader that was started may take to follow the writer.
pub(crate) const CATCH_UP_LIMIT: Duration = Duration::from_secs(20);

impl PgCluster {
    /// Stops an instance in an orderly way (`pg_ctl stop -m fast`): sessions are told 57P01.
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

    /// Kills an instance: SIGKILL to the postmaster and all its children.
    ///
    /// # Errors
    /// When the instance does not run.
    pub fn kill(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        self.kill_now(index)?;
        self.adapt()
    }

    /// Hangs an instance: SIGSTOP to the postmaster and all its children. A paused reader no
    /// longer holds up synchronous commits.
    ///
    /// # Errors
    /// When the instance does not run.
    pub fn pause(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        self.require(index, &[Presence::Running])?;
        self.instance(index)?.signal_all(Signal::STOP);
        self.mark(index, Presence::Paused)?;
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

    /// Adds a reader and waits until it follows the writer; returns its index.
    ///
    /// # Errors
    /// When the writer does not run or the reader does not start.
    pub fn add_reader(&self) -> Result<usize, KitError> {
        let _verb = self.begin();
        let index = self.read_state().slots.len();
        let slot = self.new_slot(index)?;
        self.write_state().slots.push(slot);
        let added = self.rebuild(index).and_then(|()| self.adapt());
        if added.is_err() {
            self.mark(index, Presence::Removed)?;
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
        self.mark(index, Presence::Removed)?;
        instance.wipe()
    }

    /// Lets a reader apply every change this much later than the writer committed it.
    ///
    /// # Errors
    /// As [`Self::set_setting`].
    pub fn set_replay_delay(&self, index: usize, delay: Duration) -> Result<(), KitError> {
        let value = format!("{}ms", delay.as_millis());
        self.set_setting(index, "recovery_min_apply_delay", &value)
    }

    /// Stops a reader from applying changes; it still receives them.
    ///
    /// # Errors
    /// When the instance is no reader or does not run.
    pub fn pause_replay(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        self.require(index, &[Presence::Running])?;
        let control = &self.instance(index)?.control;
        control.rows("SELECT pg_wal_replay_pause()")?;
        let what = || format!("instance {index} pauses its replay");
        wait_for(what, CATCH_UP_LIMIT, || {
            Ok(control.rows("SELECT pg_get_wal_replay_pause_state()")?.concat() == ["paused"])
        })
    }

    /// Lets a reader apply changes again.
    ///
    /// # Errors
    /// When the instance is no reader or does not run.
    pub fn resume_replay(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        self.require(index, &[Presence::Running])?;
        self.instance(index)?.control.rows("SELECT pg_wal_replay_resume()").map(drop)
    }

    /// Changes a server setting of one instance and waits until new sessions have it. Settings
    /// that need a restart take effect with the next one.
    ///
    /// # Errors
    /// When the server does not read its settings within 5 s.
    pub fn set_setting(&self, index: usize, name: &str, value: &str) -> Result<(), KitError> {
        let _verb = self.begin();
        let instance = self.instance(index)?;
        instance.set(name, value);
        if self.look(index, |slot| slot.presence)? == Presence::Running {
            instance.apply_and_wait()
        } else {
            instance.apply()
        }
    }

    /// Aurora mode: lets `aurora_replica_status()` lie on every instance, until told otherwise.
    ///
    /// # Errors
    /// When the cluster is not in Aurora mode.
    pub fn lie(&self, lie: TopologyLie) -> Result<(), KitError> {
        let _verb = self.begin();
        if !self.options.aurora {
            return Err(KitError::misuse(0, "the cluster is not in Aurora mode"));
        }
        self.write_state().lie = lie;
        self.publish()
    }

    /// One verb at a time.
    pub(crate) fn begin(&self) -> MutexGuard<'_, ()> {
        guarded(&self.verbs)
    }

    pub(crate) fn require(&self, index: usize, allowed: &[Presence]) -> Result<(), KitError> {
        let presence = self.look(index, |slot| slot.presence)?;
        if allowed.contains(&presence) {
            return Ok(());
        }
        Err(KitError::misuse(index, format!("is {presence:?}, should be one of {allowed:?}")))
    }

    /// Notes what became of an instance, and tells the others in Aurora mode.
    pub(crate) fn mark(&self, index: usize, presence: Presence) -> Result<(), KitError> {
        {
            let mut state = self.write_state();
            let slot = &mut state.slots[index];
            if presence == Presence::Running && slot.presence == Presence::Down {
                slot.session = volume::session();
            }
            if slot.presence == Presence::Running {
                slot.seen = SystemTime::now();
            }
            slot.presence = presence;
        }
        self.publish()
    }

    pub(crate) fn kill_now(&self, index: usize) -> Result<(), KitError> {
        self.require(index, &[Presence::Running, Presence::Paused])?;
        self.instance(index)?.kill();
        self.mark(index, Presence::Down)
    }

    pub(crate) fn stop_now(&self, index: usize) -> Result<(), KitError> {
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
        self.mark(index, Presence::Down)?;
        stopped?;
        self.adapt()
    }

    fn resume_now(&self, index: usize) -> Result<(), KitError> {
        self.require(index, &[Presence::Paused])?;
        self.instance(index)?.signal_all(Signal::CONT);
        self.mark(index, Presence::Running)
    }

    pub(crate) fn start_now(&self, index: usize) -> Result<(), KitError> {
        self.require(index, &[Presence::Down])?;
        self.instance(index)?.start(&self.tools)?;
        self.mark(index, Presence::Running)?;
        self.welcome(index)
    }

    /// After an instance came back: waits for a reader to follow, for a writer to be followed.
    pub(crate) fn welcome(&self, index: usize) -> Result<(), KitError> {
        let writer = self.writer();
        if self.look(writer, |slot| slot.presence)? != Presence::Running {
            return Ok(());
        }
        match self.look(index, |slot| slot.role)? {
            Role::Reader => self.await_followers(writer, &[index], CATCH_UP_LIMIT)?,
            Role::Writer => self.await_followers(writer, &self.readers(), CATCH_UP_LIMIT)?,
            Role::Former => return Ok(()),
        }
        self.adapt()
    }
}
