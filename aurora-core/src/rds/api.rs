//! Asks the API of Amazon RDS, with the SDK of AWS.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_rds::Client;
use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_rds::types::{DbClusterEndpoint, DbInstance, Filter};
use tokio::sync::OnceCell;

use super::described::{DescribedInstance, Details, Members};
use super::target::Target;
use super::told::{Failure, Told};
use crate::config::{Address, Config, host_problem};
use crate::credentials::Aws;

/// The API, asked about one cluster.
pub(super) struct Api {
    aws: Aws,
    target: Target,
    /// The cluster of the custom endpoint, once it was told.
    told_cluster: Mutex<Option<String>>,
    client: OnceCell<Client>,
}

impl Api {
    pub(super) fn new(config: &Config, target: Target) -> Self {
        let mut aws = Aws::in_region(target.region.clone());
        aws.endpoint_url = config.aws_endpoint_url().cloned();
        aws.credentials = config.aws_credentials();
        Self { aws, target, told_cluster: Mutex::default(), client: OnceCell::new() }
    }

    /// Whether the URL names custom endpoints.
    pub(super) fn has_custom_endpoint(&self) -> bool {
        !self.target.custom.is_empty()
    }

    /// Everything the topology is enriched with.
    pub(super) async fn describe(&self) -> Told {
        let client = match self.client().await {
            Ok(client) => client,
            Err(failure) => return Told::nothing(failure),
        };
        if let Some(cluster) = self.cluster() {
            // Beside each other: one that is slow does not keep the other from being told.
            let asked = tokio::join!(self.endpoints(client), instances(client, &cluster));
            return Told { endpoints: asked.0, instances: asked.1 };
        }
        let endpoints = self.endpoints(client).await;
        let instances = match (self.cluster(), &endpoints) {
            (Some(cluster), _) => instances(client, &cluster).await,
            (None, Err(failure)) => Err(failure.clone()),
            (None, Ok(_)) => Err(Failure::refused("the custom endpoint does not tell its cluster")),
        };
        Told { endpoints, instances }
    }

    /// Where the cluster and its instances are; the cluster endpoint comes first.
    pub(super) async fn discover(&self) -> Result<Vec<Address>, Failure> {
        let client = self.client().await?;
        let cluster = self.cluster().ok_or_else(|| Failure::refused("no cluster is named"))?;
        let call = client.describe_db_clusters().db_cluster_identifier(&cluster);
        let answer = call.send().await.map_err(|error| told("DescribeDBClusters", &error))?;
        let found = answer.db_clusters().iter().find(|found| {
            let id = found.db_cluster_identifier();
            id.is_some_and(|id| id.eq_ignore_ascii_case(&cluster))
        });
        let Some(found) = found else {
            return Err(Failure::passing(format!("DescribeDBClusters tells nothing of {cluster}")));
        };
        let mut addresses: Vec<Address> =
            address(found.endpoint(), found.port()).into_iter().collect();
        // The cluster endpoint alone is enough, and may lag behind a failover.
        for instance in instances(client, &cluster).await.unwrap_or_default() {
            addresses.extend(instance.address.filter(|address| !addresses.contains(address)));
        }
        if addresses.is_empty() {
            return Err(Failure::passing(format!("the cluster {cluster} has no endpoint yet")));
        }
        Ok(addresses)
    }

    async fn client(&self) -> Result<&Client, Failure> {
        let connect = || async {
            let config = self.aws.load().await;
            Aws::region_of(config).map_err(|error| Failure::refused(error.to_string()))?;
            Ok(Client::new(config))
        };
        self.client.get_or_try_init(connect).await
    }

    fn cluster(&self) -> Option<String> {
        let told = self.told_cluster.lock().unwrap_or_else(PoisonError::into_inner);
        self.target.cluster.clone().or_else(|| told.clone())
    }

    /// All of them, or none.
    async fn endpoints(&self, client: &Client) -> Result<Vec<Members>, Failure> {
        let mut members = Vec::new();
        for name in &self.target.custom {
            let endpoint = endpoint(client, name).await?;
            members.push(Members::new(endpoint.static_members(), endpoint.excluded_members()));
            if let Some(cluster) = endpoint.db_cluster_identifier() {
                let mut told = self.told_cluster.lock().unwrap_or_else(PoisonError::into_inner);
                *told = Some(cluster.to_owned());
            }
        }
        Ok(members)
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("aws", &self.aws).field("target", &self.target).finish()
    }
}

async fn endpoint(client: &Client, name: &str) -> Result<DbClusterEndpoint, Failure> {
    let custom = filter("db-cluster-endpoint-type", "custom");
    let call = client.describe_db_cluster_endpoints();
    let call = call.db_cluster_endpoint_identifier(name).filters(custom);
    let answer = call.send().await.map_err(|error| told("DescribeDBClusterEndpoints", &error))?;
    let is_it = |endpoint: &&DbClusterEndpoint| {
        let id = endpoint.db_cluster_endpoint_identifier();
        id.is_some_and(|id| id.eq_ignore_ascii_case(name))
    };
    // Without it the answer says nothing about its members, least of all that it has none.
    answer.db_cluster_endpoints().iter().find(is_it).cloned().ok_or_else(|| {
        Failure::refused(format!("DescribeDBClusterEndpoints: there is no custom endpoint {name}"))
    })
}

async fn instances(client: &Client, cluster: &str) -> Result<Vec<DescribedInstance>, Failure> {
    let call = client.describe_db_instances().filters(filter("db-cluster-id", cluster));
    let pages = call.into_paginator().items().send();
    let rows: Result<Vec<DbInstance>, _> = pages.collect().await;
    let rows = rows.map_err(|error| told("DescribeDBInstances", &error))?;
    let described: Vec<_> = rows.iter().filter_map(described).collect();
    if described.is_empty() {
        return Err(Failure::passing(format!("DescribeDBInstances tells nothing of {cluster}")));
    }
    Ok(described)
}

fn described(row: &DbInstance) -> Option<DescribedInstance> {
    let endpoint = row.endpoint();
    let details = Details {
        availability_zone: row.availability_zone().map(str::to_owned),
        class: row.db_instance_class().map(str::to_owned),
        promotion_tier: row.promotion_tier().and_then(|tier| u8::try_from(tier).ok()),
        status: row.db_instance_status().map(str::to_owned),
    };
    Some(DescribedInstance {
        id: row.db_instance_identifier()?.to_owned(),
        address: endpoint.and_then(|found| address(found.address(), found.port())),
        details: Arc::new(details),
    })
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// Only what could also stand in a URL.
fn address(host: Option<&str>, port: Option<i32>) -> Option<Address> {
    let port = u16::try_from(port?).ok().filter(|port| *port != 0)?;
    let host = host.filter(|host| host_problem(host).is_none())?;
    Some(Address::new(host, port))
}

fn told<E: ProvideErrorMetadata, R>(operation: &str, error: &SdkError<E, R>) -> Failure {
    match error {
        SdkError::ServiceError(refusal) => {
            let (code, words) = (refusal.err().code(), refusal.err().message());
            Failure::of_code(
                operation,
                code.unwrap_or("no code"),
                words.unwrap_or("no reason given"),
            )
        }
        SdkError::TimeoutError(_) => {
            Failure::passing(format!("{operation} does not answer in time"))
        }
        SdkError::DispatchFailure(failure) if failure.is_user() => Failure::refused(format!(
            "{operation} cannot be sent: there are no AWS credentials, or the endpoint's URL is wrong"
        )),
        SdkError::DispatchFailure(_) => Failure::passing(format!(
            "{operation} cannot be sent: check the AWS credentials of the process, and the network \
             to the endpoint"
        )),
        SdkError::ResponseError(_) => {
            Failure::passing(format!("the answer to {operation} cannot be read"))
        }
        SdkError::ConstructionFailure(_) => Failure::refused(format!(
            "{operation} cannot be asked: check the identifier and the region"
        )),
        _ => Failure::passing(format!("{operation} failed")),
    }
}
