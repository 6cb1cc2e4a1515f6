//! Servers in Aurora mode, moto that knows them under the same names, and a door before it.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;

use aurora_core::{Cluster, Config, ConfigBuilder, Resolve, Resolving};
use aurora_tests::door::Open;
use aurora_tests::scene::Scene;
use aws_credential_types::Credentials;
use test_kit::PgCluster;
use test_kit::aws::{Front, Moto};
use tokio::task::block_in_place;

/// Of every instance in moto.
pub(super) const CLASS: &str = "db.r6g.large";

/// What follows the first label of the host names in the URLs.
const DOMAIN: &str = "c1a2b3.eu-west-1.rds.amazonaws.com";

/// moto, and the door before it.
pub(super) struct Desk {
    pub(super) front: Front,
    pub(super) moto: Moto,
}

impl Desk {
    pub(super) fn open() -> Self {
        block_in_place(|| {
            let moto = Moto::start().unwrap();
            Self { front: Front::before(moto.address()).unwrap(), moto }
        })
    }

    /// Tells moto of the servers, the n-th in the n-th zone.
    pub(super) fn enter(&self, kit: &PgCluster) {
        self.moto.create_cluster("shop", kit.address(0).1).unwrap();
        for (index, zone) in (0..kit.len()).zip(["a", "b", "c"]) {
            self.moto.create_instance("shop", &kit.name(index), zone, CLASS).unwrap();
        }
    }

    /// Says who belongs to the custom endpoint `reports`.
    pub(super) fn members(&self, statically: &[String], excluded: &[String]) {
        let list = |names: &[String]| -> String {
            names.iter().map(|name| format!("<member>{name}</member>")).collect()
        };
        let body = format!(
            "<DescribeDBClusterEndpointsResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">\
             <DescribeDBClusterEndpointsResult><DBClusterEndpoints><DBClusterEndpointList>\
             <DBClusterEndpointIdentifier>reports</DBClusterEndpointIdentifier>\
             <DBClusterIdentifier>shop</DBClusterIdentifier>\
             <Status>available</Status><EndpointType>CUSTOM</EndpointType>\
             <CustomEndpointType>ANY</CustomEndpointType>\
             <StaticMembers>{}</StaticMembers><ExcludedMembers>{}</ExcludedMembers>\
             </DBClusterEndpointList></DBClusterEndpoints></DescribeDBClusterEndpointsResult>\
             <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>\
             </DescribeDBClusterEndpointsResponse>",
            list(statically),
            list(excluded)
        );
        self.front.answer("DescribeDBClusterEndpoints", body);
    }

    /// Tells of the instances on pages of one each, as the API does of more than a hundred.
    pub(super) fn tell_page_by_page(&self, kit: &PgCluster) {
        const OPERATION: &str = "DescribeDBInstances";
        for index in 0..kit.len() {
            let marker = match index + 1 {
                last if last == kit.len() => String::new(),
                next => format!("<Marker>page-{next}</Marker>"),
            };
            let body = format!(
                "<{OPERATION}Response xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">\
                 <{OPERATION}Result><DBInstances><DBInstance>\
                 <DBInstanceIdentifier>{}</DBInstanceIdentifier>\
                 <AvailabilityZone>on-page-{index}</AvailabilityZone>\
                 </DBInstance></DBInstances>{marker}</{OPERATION}Result>\
                 <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{OPERATION}Response>",
                kit.name(index)
            );
            match index {
                0 => self.front.answer(OPERATION, body),
                _ => self.front.answer_page(OPERATION, &format!("page-{index}"), body),
            }
        }
    }

    /// What to connect to: the host whose name begins so (none for an empty one), led to the door.
    pub(super) fn config(&self, kit: &PgCluster, host: &str, options: &str) -> ConfigBuilder {
        let url = kit.url();
        let login = url.split('@').next().unwrap();
        let host = if host.is_empty() { String::new() } else { format!("{host}{DOMAIN}") };
        Config::builder()
            .url(&format!("{login}@{host}/app?sslmode=disable&{options}"))
            .region(self.moto.region().to_owned())
            .aws_endpoint_url(self.front.url())
            .aws_credentials(Credentials::new("kit", "kit", None, None, "kit"))
            .resolver(Zone::of(kit))
    }

    /// Servers, and a cluster that was led to `host` by its name.
    pub(super) async fn scene(&self, open: Open, host: &str, options: &str) -> Scene {
        let servers = PgCluster::builder().instances(3).aurora(true);
        Scene::connected(open, servers, |kit| {
            self.enter(kit);
            let cluster = connect(self.config(kit, host, options)).unwrap();
            aurora_tests::eventually("all instances are online", || {
                let instances = cluster.status().instances;
                let up = instances.iter().filter(|i| i.health == aurora_core::Health::Online);
                up.count() == kit.len()
            });
            cluster
        })
        .await
    }
}

pub(super) fn connect(builder: ConfigBuilder) -> Result<Cluster, aurora_core::Error> {
    Cluster::connect_blocking(builder.build()?)
}

/// The names of the usable readers, in order.
pub(super) fn readers(cluster: &Cluster) -> Vec<String> {
    let topology = cluster.topology();
    let mut names: Vec<_> = topology.readers().iter().map(|r| r.id().to_string()).collect();
    names.sort();
    names
}

/// Instances by their name, and everything else leads to the first one.
struct Zone {
    instances: HashMap<String, IpAddr>,
    other: IpAddr,
}

impl Zone {
    fn of(kit: &PgCluster) -> Self {
        let instances = (0..kit.len()).map(|index| (kit.name(index), kit.address(index).0));
        Self { instances: instances.collect(), other: kit.address(0).0 }
    }
}

impl Resolve for Zone {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        let label = host.split('.').next().unwrap_or_default();
        let known = self.instances.get(label).copied();
        let is_ours = host.ends_with(".rds.amazonaws.com");
        let found = known.unwrap_or(self.other);
        Box::pin(async move {
            if is_ours { Ok(vec![found]) } else { Err(io::ErrorKind::NotFound.into()) }
        })
    }
}
