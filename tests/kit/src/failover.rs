//! What a test does to the cluster as a whole: promotions and returns.

use std::time::Duration;

use crate::account::run;
use crate::settings::primary_conninfo;
use crate::state::{Presence, Role};
use crate::verbs::CATCH_UP_LIMIT;
use crate::wait::wait_for;
use crate::{KitError, PgCluster};

/// The longest wait for a promotion.
const PROMOTION_LIMIT: Duration = Duration::from_secs(30);
/// How long a reader may take to follow a new writer before it is rebuilt from a copy.
const FOLLOW_LIMIT: Duration = Duration::from_secs(3);
/// The same for one that had received more than the new writer: most of those never can.
const DOUBTFUL_LIMIT: Duration = Duration::from_millis(500);

impl PgCluster {
    /// Promotes a reader, whatever the present writer does: one that still runs goes on as a
    /// second writer. Returns when the new writer accepts writes and the other readers follow it.
    ///
    /// A reader that had received more than the new writer is rebuilt from a copy.
    ///
    /// # Errors
    /// When the instance is no running reader, or is not promoted within 30 s.
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

    /// Hands the writer's role to this reader in an orderly way: the writer stops (57P01), the
    /// reader is promoted, the old writer comes back as a reader.
    ///
    /// # Errors
    /// When the writer does not run, the instance is no running reader, or a step takes too long.
    pub fn switchover(&self, to: usize) -> Result<(), KitError> {
        let _verb = self.begin();
        let old = self.writer();
        self.require(old, &[Presence::Running])?;
        self.require_running_reader(to)?;
        self.stop_now(old)?;
        self.promote_now(to)?;
        let instance = self.instance(old)?;
        instance.mark_as_reader(self.tools.account)?;
        self.point(old, to)?;
        instance.start(&self.tools)?;
        self.write_state().slots[old].role = Role::Reader;
        self.mark(old, Presence::Running)?;
        // It ended in an orderly way, so it fits on the new timeline, unless the new writer had
        // not received the end of its log (a paused replay does not matter, a cut stream does).
        let lost = self.stragglers(&[old], FOLLOW_LIMIT);
        self.rebuild_all(&lost)?;
        self.adapt()
    }

    /// Brings an instance back as a reader of the present writer, from a fresh copy: a former
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
        let survivors: Vec<usize> =
            self.readers().into_iter().filter(|reader| *reader != index).collect();
        if self.look(old, |slot| slot.presence)? == Presence::Running {
            // Follow first: then nobody can receive more than the new writer from the old one.
            self.repoint(index)?;
            self.await_cascade(index, &survivors)?;
        }
        let ahead = self.ahead_of(index, &survivors)?;
        let level: Vec<usize> =
            survivors.iter().copied().filter(|reader| !ahead.contains(reader)).collect();
        let candidate = self.instance(index)?;
        if self.options.synchronous {
            // From its very first commit on. Readers that may not be able to follow come later.
            candidate.set("synchronous_standby_names", self.names_of(&level));
        }
        candidate.apply()?;
        candidate.request_promotion()?;
        self.repoint(index)?;
        let what = || format!("instance {index} is promoted; its log: {}", candidate.log_tail());
        wait_for(what, PROMOTION_LIMIT, || candidate.is_in_production())?;
        self.crown(index, old)?;
        let mut lost = self.stragglers(&level, FOLLOW_LIMIT);
        lost.extend(self.stragglers(&ahead, DOUBTFUL_LIMIT));
        self.rebuild_all(&lost)?;
        self.adapt()
    }

    /// Notes who is the writer now; the old one, if it runs, no longer waits for anybody.
    fn crown(&self, new: usize, old: usize) -> Result<(), KitError> {
        {
            let mut state = self.write_state();
            state.slots[old].role = Role::Former;
            state.slots[new].role = Role::Writer;
        }
        self.publish()?;
        let former = self.instance(old)?;
        former.set("synchronous_standby_names", "");
        former.apply()
    }

    /// Waits for readers to stream from `index`, itself still a reader.
    fn await_cascade(&self, index: usize, readers: &[usize]) -> Result<(), KitError> {
        let source = self.instance(index)?;
        let question = format!(
            "SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming' AND sender_host = '{}'",
            source.address
        );
        for reader in readers {
            let control = &self.instance(*reader)?.control;
            // One that cannot is rebuilt after the promotion.
            let _ = crate::wait_until(FOLLOW_LIMIT, || {
                control.rows(&question).is_ok_and(|rows| !rows.is_empty())
            });
        }
        Ok(())
    }

    /// Waits for readers to follow the writer; returns those that do not.
    fn stragglers(&self, readers: &[usize], limit: Duration) -> Vec<usize> {
        let writer = self.writer();
        let mut missing = readers.to_vec();
        let _ = crate::wait_until(limit, || match self.laggards(writer, readers) {
            Ok(laggards) => {
                missing = laggards;
                missing.is_empty()
            }
            Err(_) => false,
        });
        missing
    }

    /// Rebuilds running readers from copies.
    fn rebuild_all(&self, readers: &[usize]) -> Result<(), KitError> {
        if readers.is_empty() {
            return Ok(());
        }
        readers.iter().try_for_each(|reader| self.kill_now(*reader))?;
        // Commits must not wait for them in the meantime.
        self.adapt()?;
        readers.iter().try_for_each(|reader| self.rebuild(*reader))
    }

    /// Replaces the data of an instance that does not run by a copy of the writer's, starts it
    /// as a reader and waits until it follows. The caller adapts the commits.
    pub(crate) fn rebuild(&self, index: usize) -> Result<(), KitError> {
        let writer = self.instance(self.writer())?;
        let instance = self.instance(index)?;
        instance.wipe()?;
        let source = primary_conninfo(writer.address, writer.port, instance.public);
        let program = self.tools.install.program("pg_basebackup");
        let mut command = self.tools.account.command(program);
        command.arg("-D").arg(&instance.data).arg("-d").arg(&source);
        command.args(["--wal-method=stream", "--checkpoint=fast", "--no-sync", "--no-password"]);
        run("pg_basebackup", &mut command)?;
        instance.set("primary_conninfo", source);
        instance.set("synchronous_standby_names", "");
        instance.mark_as_reader(self.tools.account)?;
        instance.start(&self.tools)?;
        self.write_state().slots[index].role = Role::Reader;
        self.mark(index, Presence::Running)?;
        self.await_followers(self.writer(), &[index], CATCH_UP_LIMIT)
    }

    fn require_running_reader(&self, index: usize) -> Result<(), KitError> {
        self.require(index, &[Presence::Running])?;
        if self.look(index, |slot| slot.role)? == Role::Reader {
            return Ok(());
        }
        Err(KitError::misuse(index, "is no reader"))
    }
}
