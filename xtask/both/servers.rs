//! The servers, whichever engine they run: what the demo and the comparison both do with them.

use std::net::IpAddr;

use test_kit::{KitError, MariaDbCluster, PgCluster};

/// A cluster of the kit's.
#[derive(Debug)]
pub(crate) enum Servers {
    Postgres(PgCluster),
    MariaDb(MariaDbCluster),
}

/// Tries to write once, on a connection that stays open; whether that succeeded.
pub(crate) type Probe = Box<dyn FnMut() -> bool + Send>;

/// The kit's own method of both.
macro_rules! both {
    ($self:ident.$method:ident($($argument:expr),*)) => {
        match $self {
            Servers::Postgres(kit) => kit.$method($($argument),*),
            Servers::MariaDb(kit) => kit.$method($($argument),*),
        }
    };
}

impl Servers {
    pub(crate) fn url(&self) -> String {
        both!(self.url())
    }

    pub(crate) fn address(&self, index: usize) -> (IpAddr, u16) {
        both!(self.address(index))
    }

    pub(crate) fn writer(&self) -> usize {
        both!(self.writer())
    }

    pub(crate) fn readers(&self) -> Vec<usize> {
        both!(self.readers())
    }

    pub(crate) fn kill_and_promote(&self, index: usize) -> Result<(), KitError> {
        both!(self.kill_and_promote(index))
    }

    pub(crate) fn switchover(&self, to: usize) -> Result<(), KitError> {
        both!(self.switchover(to))
    }

    /// Writes on an instance directly, to a table of one column that holds times.
    pub(crate) fn probe(&self, index: usize, table: &str) -> Result<Probe, KitError> {
        let write = format!("INSERT INTO {table} VALUES (now())");
        Ok(match self {
            Self::Postgres(kit) => {
                let mut client = kit.client(index)?;
                Box::new(move || client.batch_execute(&write).is_ok())
            }
            Self::MariaDb(kit) => {
                let mut client = kit.client(index)?;
                Box::new(move || client.run(&write).is_ok())
            }
        })
    }
}
