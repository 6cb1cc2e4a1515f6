//! Who follows whom, and for whom a commit waits.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::state::{Presence, Role};
use crate::wait::wait_for;
use crate::{KitError, PgCluster, settings};

/// The longest wait for the writer to let go of commits that wait for a reader that is gone.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

impl PgCluster {
    /// The value of `synchronous_standby_names` for these readers.
    pub(crate) fn names_of(&self, readers: &[usize]) -> String {
        let state = self.read_state();
        let addresses: Vec<Ipv4Addr> =
            readers.iter().map(|index| state.slots[*index].instance.public).collect();
        settings::synchronous(&addresses)
    }

    /// Makes commits wait for exactly the readers that run, and waits until that holds.
    pub(crate) fn adapt(&self) -> Result<(), KitError> {
        if !self.options.synchronous {
            return Ok(());
        }
        let (writer, readers) = (self.writer(), self.readers());
        let instance = self.instance(writer)?;
        instance.set("synchronous_standby_names", self.names_of(&readers));
        if self.look(writer, |slot| slot.presence)? != Presence::Running {
            return instance.apply();
        }
        instance.apply_and_wait()?;
        self.settle(writer, readers.len())
    }

    /// Waits until all readers are synchronous and no commit from before still waits.
    ///
    /// A commit that waits is looked at again only when a reader reports progress. The small
    /// write here makes the readers report, so that commits which waited for a reader that was
    /// taken off the list return now and not with the next chance write.
    fn settle(&self, writer: usize, readers: usize) -> Result<(), KitError> {
        let control = &self.instance(writer)?.control;
        let now = control.rows("SELECT clock_timestamp()")?.concat().concat();
        let question = format!(
            "SELECT pg_logical_emit_message(true, 'kit', ''); \
             SELECT (SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'), \
                    (SELECT count(*) FROM pg_stat_activity \
                      WHERE wait_event = 'SyncRep' AND state_change < '{now}')"
        );
        let expected = vec![readers.to_string(), "0".to_owned()];
        let what = || "the writer knows which readers are synchronous".to_owned();
        wait_for(what, SETTLE_LIMIT, || {
            Ok(control.rows(&question)?.last().is_some_and(|row| *row == expected))
        })
    }

    /// Lets every reader but `writer` itself follow `writer`, without waiting.
    pub(crate) fn repoint(&self, writer: usize) -> Result<(), KitError> {
        let readers: Vec<usize> = self
            .read_state()
            .indices(|slot| slot.role == Role::Reader && slot.presence != Presence::Removed)
            .filter(|index| *index != writer)
            .collect();
        readers.into_iter().try_for_each(|reader| self.point(reader, writer))
    }

    /// Lets one reader follow `writer`, without waiting.
    pub(crate) fn point(&self, reader: usize, writer: usize) -> Result<(), KitError> {
        let (reader, writer) = (self.instance(reader)?, self.instance(writer)?);
        let target = settings::primary_conninfo(writer.address, writer.port, reader.public);
        reader.set("primary_conninfo", target);
        reader.apply()
    }

    /// Waits until these readers stream from the writer; the deadline is an error.
    pub(crate) fn await_followers(
        &self,
        writer: usize,
        readers: &[usize],
        limit: Duration,
    ) -> Result<(), KitError> {
        let what = || format!("readers {readers:?} follow instance {writer}");
        wait_for(what, limit, || Ok(self.laggards(writer, readers)?.is_empty()))
    }

    /// Those of these readers that do not stream from the writer, on its present timeline.
    pub(crate) fn laggards(
        &self,
        writer: usize,
        readers: &[usize],
    ) -> Result<Vec<usize>, KitError> {
        if readers.is_empty() {
            return Ok(Vec::new());
        }
        let writer = self.instance(writer)?;
        let timeline = writer.control.rows(
            "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int",
        )?;
        let known = writer
            .control
            .rows("SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'")?
            .concat();
        // The writer alone is no proof: a reader on an abandoned timeline streams for a moment.
        let question = format!(
            "SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming' \
             AND sender_host = '{}' AND received_tli = {}",
            writer.address,
            timeline.concat().concat()
        );
        let mut missing = Vec::new();
        for reader in readers {
            let instance = self.instance(*reader)?;
            let listed = known.contains(&instance.public.to_string());
            if !listed || instance.control.rows(&question)?.is_empty() {
                missing.push(*reader);
            }
        }
        Ok(missing)
    }

    /// Those of `readers` that received more from a writer that is gone than `candidate` did.
    /// They may have to be rebuilt after `candidate` is promoted.
    pub(crate) fn ahead_of(
        &self,
        candidate: usize,
        readers: &[usize],
    ) -> Result<Vec<usize>, KitError> {
        let limit = self.received(candidate)?;
        let mut ahead = Vec::new();
        for reader in readers {
            if self.received(*reader)? > limit {
                ahead.push(*reader);
            }
        }
        Ok(ahead)
    }

    /// The log position a reader has received, once its stream has ended: what the dead writer
    /// sent last may still be on its way from the reader's socket.
    fn received(&self, reader: usize) -> Result<i64, KitError> {
        let control = &self.instance(reader)?.control;
        let mut position = 0;
        // A stream that does not end belongs to a writer that is paused: nothing comes either.
        let _ = crate::wait_until(Duration::from_millis(100), || {
            let rows = control.rows(
                "SELECT coalesce(pg_last_wal_receive_lsn() - '0/0', 0)::bigint, \
                 (SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming')",
            );
            let Ok(fields) = rows.map(|rows| rows.concat()) else { return true };
            position = fields.first().and_then(|text| text.parse().ok()).unwrap_or(0);
            fields.last().is_some_and(|streams| streams == "0")
        });
        Ok(position)
    }
}
