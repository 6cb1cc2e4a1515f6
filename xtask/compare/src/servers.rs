//! The servers, whichever engine they run.

#[macro_use]
#[path = "../../both/servers.rs"]
mod both;

use std::collections::HashMap;
use std::net::IpAddr;

use test_kit::chaos::{ChaosProxy, Fault};
use test_kit::{KitError, MariaDbCluster, PgCluster};

pub(crate) use self::both::{Probe, Servers};
use crate::options::Engine;
use crate::stacks::Failed;

/// How long counting a table may take; the kit bounds the same for MariaDB.
const COUNT_LIMIT: &str = "SET statement_timeout = '60s'";

impl Servers {
    /// A writer and two readers. An acknowledged write survives the loss of the writer, as it does
    /// on Aurora, where it is in the storage that all instances share.
    pub(crate) fn start(engine: Engine, proxies: bool) -> Result<Self, KitError> {
        let started = match engine {
            Engine::Postgres => {
                let servers = PgCluster::builder().instances(3).synchronous(true);
                let servers = if proxies { servers.behind_proxies() } else { servers };
                Self::Postgres(servers.start()?)
            }
            Engine::Mysql => {
                let servers = MariaDbCluster::builder().instances(3).synchronous(true);
                let servers = if proxies { servers.behind_proxies() } else { servers };
                Self::MariaDb(servers.start()?)
            }
        };
        Ok(started)
    }

    pub(crate) fn pid(&self, index: usize) -> Option<i32> {
        both!(self.pid(index))
    }

    pub(crate) fn endpoint(&self, index: usize) -> Result<ChaosProxy, KitError> {
        both!(self.endpoint(index))
    }

    /// Has the network before an instance misbehave.
    pub(crate) fn disturb(&self, index: usize, fault: Fault) -> std::io::Result<()> {
        both!(self.proxy(index)).set(fault)
    }

    /// Whether the old writer of a switchover is started anew: one of MariaDB goes on, and refuses
    /// what its sessions go on to write.
    pub(crate) fn switchover_restarts(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Runs statements on an instance.
    pub(crate) fn run(&self, index: usize, sql: &str) -> Result<(), Failed> {
        match self {
            Self::Postgres(kit) => kit.client(index)?.batch_execute(sql)?,
            Self::MariaDb(kit) => kit.client(index)?.run(sql)?,
        }
        Ok(())
    }

    /// The address of an instance, as it gives it itself.
    pub(crate) fn own_address(&self, index: usize) -> Result<IpAddr, Failed> {
        Ok(match self {
            Self::Postgres(kit) => {
                let row = kit.client(index)?.query_one("SELECT host(inet_server_addr())", &[])?;
                row.try_get::<_, &str>(0)?.parse()?
            }
            Self::MariaDb(kit) => {
                let rows = kit.client(index)?.column("SELECT @@bind_address")?;
                rows.first().ok_or("no address")?.parse()?
            }
        })
    }

    /// How often the writer has each identifier.
    pub(crate) fn count(&self, table: &str) -> Result<HashMap<i64, u64>, Failed> {
        let sql = format!("SELECT id, count(*) FROM {table} GROUP BY id");
        let mut found = HashMap::new();
        match self {
            Self::Postgres(kit) => {
                let mut writer = kit.client(kit.writer())?;
                writer.batch_execute(COUNT_LIMIT)?;
                for row in writer.query(&sql, &[])? {
                    found.insert(row.try_get(0)?, u64::try_from(row.try_get::<_, i64>(1)?)?);
                }
            }
            Self::MariaDb(kit) => {
                for row in kit.client(kit.writer())?.query(&sql)? {
                    found.insert(row.at(0).parse()?, row.at(1).parse()?);
                }
            }
        }
        Ok(found)
    }
}
