//! What a test does to the cluster as a whole: promotions and returns.

use super::MariaDbCluster;
use super::replication::{CATCH_UP_LIMIT, Following};
use crate::state::{Presence, Role};
use crate::wait::wait_for;
use crate::{KitError, home, server};

/// What a server does when it starts, before it lets anybody in.
const GATE: &str = "kit-gate.sql";

const SHUT: &str = "SET sql_log_bin = 0;\nALTER USER app@'%' ACCOUNT LOCK;\n";

const OPEN: &str = "SET sql_log_bin = 0; ALTER USER app@'%' ACCOUNT UNLOCK; SET sql_log_bin = 1";

impl MariaDbCluster {
    /// Promotes a reader, whatever the present writer does: one that still runs goes on as a
    /// second writer. Returns when the new writer accepts writes and the other readers follow it.
    ///
    /// First the reader receives what any other running reader has received: only one of them
    /// needs to have an acknowledged write.
    ///
    /// # Errors
    /// When the instance is no running reader, or a step takes more than 20 s.
    pub fn promote(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        self.promote_now(index)
    }

    /// Kills the writer and promotes this reader at once, as a failover does.
    ///
    /// # Errors
    /// As [`Self::promote`], and when the writer does not run.
    pub fn kill_and_promote(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        self.require_running_reader(index)?;
        self.kill_now(self.writer())?;
        self.promote_now(index)
    }

    /// Hands the writer's role to this reader in an orderly way: the writer becomes read-only,
    /// the reader receives everything and is promoted, the old writer follows it.
    ///
    /// No server stops: sessions on the old writer stay connected, and what they want to write
    /// is refused with `ERROR 1290`. That is what failover managers do; Aurora restarts the old
    /// writer, as [`Self::restart`] does afterwards.
    ///
    /// # Errors
    /// When the writer does not run, the instance is no running reader, or a step takes too long.
    pub fn switchover(&self, to: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        let old = self.writer();
        self.require(old, &[Presence::Running])?;
        self.require_running_reader(to)?;
        let others: Vec<usize> =
            self.readers().into_iter().filter(|reader| *reader != to).collect();
        self.instance(old)?.set_global("read_only", "ON")?;
        self.drain_delay(to)?;
        self.await_applied(to, old)?;
        self.crown(to, !others.is_empty())?;
        self.write_state()[old].role = Role::Reader;
        self.instance(old)?.set_global("rpl_semi_sync_master_enabled", "OFF")?;
        self.follow(&[&[old], others.as_slice()].concat())?;
        self.adapt()
    }

    /// Brings an instance back as a reader of the present writer, from the beginning: a former
    /// writer, dead or alive, or a reader that has lost the thread.
    ///
    /// # Errors
    /// When the instance is the writer, or does not follow within 20 s.
    pub fn rejoin(&self, index: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        if self.look(index, |slot| slot.role)? == Role::Writer {
            return Err(KitError::misuse(index, "is the writer"));
        }
        if self.look(index, |slot| slot.presence)? != Presence::Down {
            self.kill_now(index)?;
            self.adapt()?;
        }
        self.rebuild(index)?;
        self.adapt()
    }

    fn promote_now(&self, index: usize) -> Result<(), KitError> {
        self.require_running_reader(index)?;
        let old = self.writer();
        let readers = self.readers();
        readers.iter().try_for_each(|reader| self.drain(*reader))?;
        self.collect(index, &readers)?;
        let others: Vec<usize> = readers.into_iter().filter(|reader| *reader != index).collect();
        self.crown(index, !others.is_empty())?;
        self.write_state()[old].role = Role::Former;
        let former = self.instance(old)?;
        if self.look(old, |slot| slot.presence)? == Presence::Running {
            former.set_global("rpl_semi_sync_master_enabled", "OFF")?;
        } else {
            former.set("rpl_semi_sync_master_enabled", "OFF");
        }
        self.follow(&others)?;
        self.adapt()
    }

    /// Ends the delay of a reader, if it has one.
    fn drain_delay(&self, reader: usize) -> Result<(), KitError> {
        self.drain(reader)?;
        self.point(reader, self.writer())
    }

    /// Lets a reader receive what the one that received most has. None of them has a writer now.
    fn collect(&self, index: usize, readers: &[usize]) -> Result<(), KitError> {
        let own = self.applied(index)?;
        let mut most = (own, index);
        for reader in readers {
            most = most.max((self.applied(*reader)?, *reader));
        }
        if most.0 == own {
            return Ok(());
        }
        self.point(index, most.1)?;
        self.await_applied(index, most.1)
    }

    /// Makes a reader the writer.
    fn crown(&self, index: usize, others: bool) -> Result<(), KitError> {
        let instance = self.instance(index)?;
        instance.control.run("STOP SLAVE; RESET SLAVE ALL")?;
        if self.options.synchronous {
            // From its very first commit on.
            let wait = if others { "ON" } else { "OFF" };
            instance.set_global("rpl_semi_sync_master_enabled", wait)?;
        }
        self.write_state()[index].role = Role::Writer;
        instance.set_global("read_only", "OFF")
    }

    /// Lets running readers follow the writer and waits for them. One that had received what the
    /// writer never did is made anew.
    pub(super) fn follow(&self, readers: &[usize]) -> Result<(), KitError> {
        let writer = self.writer();
        for reader in readers {
            self.point(*reader, writer)?;
        }
        for reader in readers {
            let mut diverged = false;
            let what = || format!("reader {reader} follows instance {writer}");
            wait_for(what, CATCH_UP_LIMIT, || {
                let following = self.following(*reader, writer)?;
                diverged = following == Following::Never;
                Ok(following != Following::No)
            })?;
            if diverged {
                self.kill_now(*reader)?;
                self.rebuild(*reader)?;
            }
        }
        Ok(())
    }

    /// Makes an instance that does not run a reader, from the template and the writer's log, and
    /// waits until it has what the writer has. Until then it lets no client in: one that is made of
    /// a backup has had its tables from the beginning. The caller adapts the commits.
    pub(super) fn rebuild(&self, index: usize) -> Result<(), KitError> {
        let instance = self.instance(index)?;
        self.lay_out(&instance)?;
        let gate = instance.data.join(GATE);
        home::replace(&gate, SHUT)?;
        instance.set("init_file", gate.display().to_string());
        instance.set("read_only", "ON");
        instance.set("rpl_semi_sync_master_enabled", "OFF");
        instance.start(self.account, &self.spawner)?;
        {
            let mut state = self.write_state();
            state[index].role = Role::Reader;
            state[index].presence = Presence::Running;
        }
        let writer = self.writer();
        self.point(index, writer)?;
        self.await_followers(writer, &[index], server::START_LIMIT)?;
        self.await_applied(index, writer)?;
        home::replace(&gate, "")?;
        instance.control.run(OPEN)
    }
}
