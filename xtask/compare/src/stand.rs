//! The cluster, its endpoint, and the tables of the stacks.

use std::net::IpAddr;

use test_kit::PASSWORD;
use test_kit::chaos::ChaosProxy;

use crate::options::{Engine, Fault};
use crate::servers::Servers;
use crate::stacks::{Failed, TABLES, Urls};

/// A writer and two readers, and the address that leads to whoever is the writer in the eyes of
/// the name service.
#[derive(Debug)]
pub(crate) struct Stand {
    pub(crate) fault: Fault,
    engine: Engine,
    /// A relay, because the stock pools need an address that can be led elsewhere. Dropped before
    /// the servers.
    pub(crate) endpoint: ChaosProxy,
    pub(crate) kit: Servers,
    /// The instance that is going to be the writer.
    pub(crate) heir: usize,
    /// Its address, as it gives it itself, which is what the stacks ask for.
    pub(crate) heir_address: IpAddr,
}

impl Stand {
    /// Starts the servers.
    pub(crate) fn start(engine: Engine, fault: Fault) -> Result<Self, Failed> {
        // To vanish from the network takes proxies. The other faults need none: a client sees the
        // server itself die, and the fewer steps a statement takes the better.
        let kit = Servers::start(engine, fault == Fault::Blackhole)?;
        let endpoint = kit.endpoint(kit.writer())?;
        let heir = *kit.readers().first().ok_or("there is no reader to promote")?;
        for table in TABLES {
            kit.run(kit.writer(), &format!("CREATE TABLE {table} (id bigint NOT NULL)"))?;
        }
        kit.run(kit.writer(), "CREATE TABLE compare_probe (at timestamp NOT NULL)")?;
        let heir_address = kit.own_address(heir)?;
        Ok(Self { fault, engine, endpoint, kit, heir, heir_address })
    }

    /// Whether the fault ends the process that the writer was.
    pub(crate) fn ends_old_writer(&self) -> bool {
        self.fault != Fault::Switchover || self.kit.switchover_restarts()
    }

    /// Where the stacks connect to.
    pub(crate) fn urls(&self) -> Urls {
        let scheme = match self.engine {
            Engine::Postgres => "postgres",
            Engine::Mysql => "mysql",
        };
        let endpoint = format!("{scheme}://app:{PASSWORD}@{}/app", self.endpoint.address());
        Urls { instances: self.kit.url(), endpoint }
    }
}
