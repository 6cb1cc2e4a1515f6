//! Who follows whom, how far, and whether a commit waits.

use std::time::Duration;

use super::MariaDbCluster;
use super::client::Record;
use super::instance::Instance;
use crate::state::Presence;
use crate::wait::wait_for;
use crate::{KitError, PASSWORD};

/// The longest wait for the writer and its readers to agree on what a commit waits for.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);
/// How long a reader that was started or promoted may take to catch up.
pub(super) const CATCH_UP_LIMIT: Duration = Duration::from_secs(20);
/// `ER_MASTER_FATAL_ERROR_READING_BINLOG`: the writer does not have what the reader had last.
const DIVERGED: &str = "1236";

impl MariaDbCluster {
    /// Lets one reader follow `writer`, from where it is, without waiting.
    pub(super) fn point(&self, reader: usize, writer: usize) -> Result<(), KitError> {
        let (reader, writer) = (self.instance(reader)?, self.instance(writer)?);
        // The position is set because a former writer's own changes are in no other place.
        reader.control.run(&format!(
            "STOP SLAVE; SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_binlog_pos; \
             CHANGE MASTER TO MASTER_HOST = '{}', MASTER_PORT = {}, MASTER_USER = 'kit', \
             MASTER_PASSWORD = '{PASSWORD}', MASTER_USE_GTID = slave_pos, \
             MASTER_CONNECT_RETRY = 1, MASTER_HEARTBEAT_PERIOD = 1; START SLAVE",
            writer.address, writer.port
        ))
    }

    /// Makes commits wait if there is a reader to wait for, and waits until that holds and one
    /// reader has everything that was committed before.
    pub(super) fn adapt(&self) -> Result<(), KitError> {
        if !self.options.synchronous {
            return Ok(());
        }
        let (writer, readers) = (self.instance(self.writer())?, self.readers());
        let wanted = if readers.is_empty() { "OFF" } else { "ON" };
        if self.look(self.writer(), |slot| slot.presence)? != Presence::Running {
            writer.set("rpl_semi_sync_master_enabled", wanted);
            return Ok(());
        }
        let before = status(&writer, "Rpl_semi_sync_master_status")?;
        if before != wanted {
            writer.set_global("rpl_semi_sync_master_enabled", wanted)?;
        }
        let mut instances = Vec::new();
        for reader in readers {
            instances.push(self.instance(reader)?);
        }
        for reader in &instances {
            if status(reader, "Rpl_semi_sync_slave_status")? != "ON" {
                // Only a new connection asks the writer to wait for it.
                reader.control.run("STOP SLAVE IO_THREAD; START SLAVE IO_THREAD")?;
            }
        }
        self.settle(&writer, &instances)
    }

    fn settle(&self, writer: &Instance, readers: &[impl AsRef<Instance>]) -> Result<(), KitError> {
        if readers.is_empty() {
            return Ok(());
        }
        let target = applied(writer)?;
        let what = || format!("the readers of {} acknowledge its commits", writer.name);
        wait_for(what, SETTLE_LIMIT, || {
            let mut received = false;
            for reader in readers {
                if status(reader.as_ref(), "Rpl_semi_sync_slave_status")? != "ON" {
                    return Ok(false);
                }
                received |= received_by(reader.as_ref())? >= target;
            }
            Ok(received)
        })
    }

    /// Waits until these readers are connected to the writer; the deadline is an error.
    pub(super) fn await_followers(
        &self,
        writer: usize,
        readers: &[usize],
        limit: Duration,
    ) -> Result<(), KitError> {
        let what = || format!("readers {readers:?} follow instance {writer}");
        wait_for(what, limit, || {
            let mut all = true;
            for reader in readers {
                all &= self.following(*reader, writer)? == Following::Yes;
            }
            Ok(all)
        })
    }

    /// Waits until a reader has applied what the writer has committed by now.
    pub(super) fn await_applied(&self, reader: usize, writer: usize) -> Result<(), KitError> {
        let target = self.applied(writer)?;
        let instance = self.instance(reader)?;
        let what = || format!("{} applies what was committed", instance.name);
        wait_for(what, CATCH_UP_LIMIT, || Ok(shown(&instance)? >= target))
    }

    /// The number of the last change that an instance has made or applied.
    pub(super) fn applied(&self, index: usize) -> Result<u64, KitError> {
        let instance = self.instance(index)?;
        applied(&instance)
    }

    /// Whether a reader is connected to a writer.
    pub(super) fn following(&self, reader: usize, writer: usize) -> Result<Following, KitError> {
        let (reader, writer) = (self.instance(reader)?, self.instance(writer)?);
        let Some(state) = slave_status(&reader)? else { return Ok(Following::No) };
        if state.get("Last_IO_Errno") == DIVERGED {
            return Ok(Following::Never);
        }
        let connected = state.get("Slave_IO_Running") == "Yes"
            && state.get("Last_SQL_Errno") == "0"
            && state.get("Master_Host") == writer.address.to_string();
        Ok(if connected { Following::Yes } else { Following::No })
    }

    /// Makes a reader apply everything that it has received, and receive no more. A delay of the
    /// reader ends with that.
    pub(super) fn drain(&self, reader: usize) -> Result<(), KitError> {
        let reader = self.instance(reader)?;
        // In this order: a server that uses GTIDs throws away what it has received when it starts
        // to replicate while neither receives nor applies.
        reader.control.run("START SLAVE SQL_THREAD; STOP SLAVE IO_THREAD")?;
        let Some(state) = slave_status(&reader)? else { return Ok(()) };
        let target = sequence(state.get("Gtid_IO_Pos")).max(applied(&reader)?);
        if state.get("SQL_Delay") != "0" {
            reader.control.run("STOP SLAVE SQL_THREAD")?;
            let Some(state) = slave_status(&reader)? else { return Ok(()) };
            // Named by file and position, so that the log that was received is kept.
            reader.control.run(&format!(
                "CHANGE MASTER TO RELAY_LOG_FILE = '{}', RELAY_LOG_POS = {}, MASTER_DELAY = 0",
                state.get("Relay_Log_File"),
                state.get("Relay_Log_Pos")
            ))?;
            reader.control.run("START SLAVE SQL_THREAD")?;
        }
        let what = || format!("{} applies what it has received", reader.name);
        wait_for(what, CATCH_UP_LIMIT, || Ok(applied(&reader)? >= target))
    }
}

/// Whether a reader is connected to a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Following {
    No,
    /// It had received more than the writer has.
    Never,
    Yes,
}

pub(super) fn slave_status(reader: &Instance) -> Result<Option<Record>, KitError> {
    Ok(reader.control.query("SHOW SLAVE STATUS")?.into_iter().next())
}

fn applied(instance: &Instance) -> Result<u64, KitError> {
    Ok(sequence(&instance.control.field("SELECT @@GLOBAL.gtid_binlog_pos")?))
}

/// The number of the last change that an instance shows to everybody: its log has a change of
/// another instance before its sessions see it.
fn shown(instance: &Instance) -> Result<u64, KitError> {
    Ok(sequence(&instance.control.field("SELECT @@GLOBAL.gtid_current_pos")?))
}

/// The number of the last change that a reader has received.
fn received_by(reader: &Instance) -> Result<u64, KitError> {
    let state = slave_status(reader)?;
    Ok(state.map_or(0, |state| sequence(state.get("Gtid_IO_Pos"))).max(applied(reader)?))
}

fn status(instance: &Instance, name: &str) -> Result<String, KitError> {
    let rows = instance.control.query(&format!("SHOW GLOBAL STATUS LIKE '{name}'"))?;
    Ok(rows.first().map(|row| row.at(1).to_owned()).unwrap_or_default())
}

/// The last number of `domain-server-sequence`: a cluster has one domain. 0 if there is none.
fn sequence(position: &str) -> u64 {
    position.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_last_number() {
        assert_eq!(sequence("71-2-1234"), 1234);
        assert_eq!(sequence(""), 0);
    }
}
