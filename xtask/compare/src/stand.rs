//! The cluster, its endpoint, and the tables of the stacks.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use test_kit::chaos::ChaosProxy;
use test_kit::{PASSWORD, PgCluster};

use crate::options::Fault;
use crate::stacks::{Failed, TABLES, Urls};

/// The endpoint is at `127.x.y.200`, in the network of the instances.
const ENDPOINT: u8 = 200;
/// How long counting a table may take.
const COUNT_LIMIT: &str = "SET statement_timeout = '60s'";

/// A writer and two readers, and the address that leads to whoever is the writer in the eyes of
/// the name service.
#[derive(Debug)]
pub(crate) struct Stand {
    pub(crate) fault: Fault,
    /// A relay, because the stock pools need an address that can be led elsewhere. Dropped before
    /// the servers.
    pub(crate) endpoint: ChaosProxy,
    pub(crate) kit: PgCluster,
    /// The instance that is going to be the writer.
    pub(crate) heir: usize,
    /// Its address, as it gives it itself, which is what the stacks ask for.
    pub(crate) heir_address: IpAddr,
}

impl Stand {
    /// Starts the servers. Commits wait for both readers, as they do on Aurora, where an
    /// acknowledged write is in the storage that all instances share.
    pub(crate) fn start(fault: Fault) -> Result<Self, Failed> {
        let mut builder = PgCluster::builder().instances(3).synchronous(true);
        // To vanish from the network takes proxies. The other faults need none: a client sees the
        // server itself die, and the fewer steps a statement takes the better.
        if fault == Fault::Blackhole {
            builder = builder.behind_proxies();
        }
        let kit = builder.start()?;
        let writer: SocketAddr = kit.address(kit.writer()).into();
        let endpoint = ChaosProxy::start(endpoint_of(writer)?, writer)?;
        let heir = *kit.readers().first().ok_or("there is no reader to promote")?;
        let mut client = kit.client(kit.writer())?;
        for table in TABLES {
            client.batch_execute(&format!("CREATE TABLE {table} (id bigint NOT NULL)"))?;
        }
        client.batch_execute("CREATE TABLE compare_probe (at timestamptz NOT NULL)")?;
        let word = kit.client(heir)?.query_one("SELECT host(inet_server_addr())", &[])?;
        let heir_address = word.try_get::<_, &str>(0)?.parse()?;
        Ok(Self { fault, endpoint, kit, heir, heir_address })
    }

    /// Where the stacks connect to.
    pub(crate) fn urls(&self) -> Urls {
        let endpoint = format!("postgres://app:{PASSWORD}@{}/app", self.endpoint.address());
        Urls { instances: self.kit.url(), endpoint }
    }

    /// How often the writer has each identifier.
    pub(crate) fn count(&self, table: &str) -> Result<HashMap<i64, u64>, Failed> {
        let mut writer = self.kit.client(self.kit.writer())?;
        writer.batch_execute(COUNT_LIMIT)?;
        let mut found = HashMap::new();
        for row in writer.query(&format!("SELECT id, count(*) FROM {table} GROUP BY id"), &[])? {
            found.insert(row.try_get(0)?, u64::try_from(row.try_get::<_, i64>(1)?)?);
        }
        Ok(found)
    }
}

/// The address of the endpoint, beside that of an instance.
fn endpoint_of(instance: SocketAddr) -> Result<SocketAddr, Failed> {
    let IpAddr::V4(address) = instance.ip() else {
        return Err("the test kit uses IPv4 addresses".into());
    };
    let [a, b, c, _] = address.octets();
    Ok(SocketAddr::from(([a, b, c, ENDPOINT], instance.port())))
}
