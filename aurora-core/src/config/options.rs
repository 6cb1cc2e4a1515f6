//! The options: one row each, from which URL, environment, builder, accessors and documentation
//! are made.

use std::time::Duration;

use super::Config;
use super::address::Address;
use super::builder::ConfigBuilder;
use super::choices::{
    AuthMethod, DialectChoice, Freshness, PolicyKind, RootCertificates, TlsMode, UnknownFunctions,
};
use super::table::{OptionSpec, options};
use super::value::OptionValue;
use crate::endpoint::{Endpoint, HostPattern};

/// The default; others are derived from it.
const DETECTION_TIME: Duration = Duration::from_millis(2500);

options! {
    /// Whether connections are encrypted and what is verified, in libpq's words.
    /// Default: `verify-full` if a host name belongs to Amazon RDS, or a `cluster_id` alone tells
    /// what to connect to, else `prefer`.
    (copy) sslmode: TlsMode = |addresses, given| {
        if is_rds(addresses, given) {
            TlsMode::VerifyFull
        } else {
            TlsMode::Prefer
        }
    };

    /// The certificate authorities to trust: `rds` are those of Amazon RDS, which are built in
    /// (not those of GovCloud and China), and with `verify-full` the operating system's too.
    /// Needs an `sslmode` that verifies certificates.
    /// Default: `rds` if a host name belongs to Amazon RDS, or a `cluster_id` alone tells what to
    /// connect to, else `system`.
    (into) sslrootcert: RootCertificates = |addresses, given| {
        if is_rds(addresses, given) {
            RootCertificates::Rds
        } else {
            RootCertificates::System
        }
    };

    /// Where user and password come from: the URL, tokens of IAM database authentication (feature
    /// `iam`), or a secret in AWS Secrets Manager (feature `secrets-manager`).
    /// Default: `secrets-manager` if `secret` is given, else `password`.
    (copy) auth: AuthMethod = |_, given| match given.secret {
        Some(Some(_)) => AuthMethod::SecretsManager,
        Some(None) | None => AuthMethod::Password,
    };

    /// The name or the ARN of the secret with user and password, in JSON. In a URL written
    /// `aurora.secret`, as every option may be.
    /// Default: `none`.
    (optional String) secret: Option<String> = |_, _| None;

    /// The key of the user in the secret. In a URL written `aurora.secret_username_key`.
    /// Default: `username`.
    (text) secret_username_key: String = |_, _| "username".to_owned();

    /// The key of the password in the secret. In a URL written `aurora.secret_password_key`.
    /// Default: `password`.
    (text) secret_password_key: String = |_, _| "password".to_owned();

    /// The AWS region of the cluster and its secret.
    /// Default: `none`, then that of the host name or of the secret's ARN, else what the AWS SDK
    /// finds.
    (optional String) region: Option<String> = |_, _| None;

    /// Where the APIs of AWS are, for a VPC endpoint or a stand-in.
    /// Default: `none`, where AWS says.
    (optional String) aws_endpoint_url: Option<String> = |_, _| None;

    /// The identifier of the cluster in the API of RDS (feature `rds-api`). Where the URL names no
    /// host, all there is to connect to is looked up by it. In a URL written `aurora.cluster_id`.
    /// Default: `none`, then that of the host name of a cluster or reader endpoint.
    (optional String) cluster_id: Option<String> = |_, _| None;

    /// The pause between two questions to the API of RDS for zones, classes and the members of
    /// custom endpoints (feature `rds-api`), give or take a tenth. Longer while it is throttled.
    /// At least `1s`; `none` never asks, and then a custom endpoint limits no reads.
    /// Default: `1m`.
    (maybe) rds_refresh: Option<Duration> = |_, _| Some(Duration::from_secs(60));

    /// The name every connection gives itself, as `pg_stat_activity` shows it, or the attribute
    /// `program_name` of MySQL.
    /// Default: `aurora`.
    (text) application_name: String = |_, _| "aurora".to_owned();

    /// Parameters every session starts with, in libpq's form `-c name=value`; they are handed to
    /// the server as they are. PostgreSQL only.
    /// Default: none.
    (text) options: String = |_, _| String::new();

    /// Which kind of server the cluster consists of.
    /// Default: `auto`, which asks the server.
    (copy) dialect: DialectChoice = |_, _| DialectChoice::Auto;

    /// How the identifier of an instance becomes its host name.
    /// Needed where the hosts of the URL do not show the domain of the instances.
    /// Default: derived from the first host name that belongs to Amazon RDS, else `none`.
    (optional HostPattern) instance_host_pattern: Option<HostPattern> = |addresses, _| {
        rds_endpoints(addresses)
            .map(|endpoint| endpoint.instance_template())
            .find(|template| !template.is_bare())
    };

    /// How recent the data must be that a read sees, unless the statement's scope says otherwise.
    /// A bound of zero is refused: `strong` is what it would mean.
    /// Default: `session`, every session reads what it wrote.
    (copy) freshness: Freshness = |_, _| Freshness::Session;

    /// How long a read that needs fresh data waits for a reader that has it, before it goes to the
    /// writer; meanwhile the instances are asked more often. Worth it where the writer is the
    /// bottleneck: a read that waits is slower, and the writer is spared.
    /// Default: `0s`, reads do not wait.
    (copy) freshness_wait: Duration = |_, _| Duration::ZERO;

    /// How a reader is chosen among those that may serve a read.
    /// Default: `round-robin`.
    (copy) policy: PolicyKind = |_, _| PolicyKind::RoundRobin;

    /// For how long a reader that has just come up gets less than its share of the reads: a tenth
    /// at first, which grows evenly to all of it, while its cache is still cold. When all of them
    /// have just come up they share as ever.
    /// Zero gives it its share at once.
    /// Default: `0s`.
    (copy) slow_start: Duration = |_, _| Duration::ZERO;

    /// Whether a read goes to the writer when no reader may serve it; if not, it waits for one.
    /// Default: `true`.
    (copy) reader_fallback: bool = |_, _| true;

    /// Whether a statement that calls a function nothing is known of may be a read.
    /// `write` is the cautious choice for databases with functions that modify data.
    /// Default: `read`.
    (copy) unknown_functions: UnknownFunctions = |_, _| UnknownFunctions::Read;

    /// Functions that modify nothing: calling them leaves a statement a read.
    /// Default: none.
    (list) read_functions: Vec<String> = |_, _| Vec::new();

    /// Functions that modify data: calling one makes a statement a write.
    /// Default: none.
    (list) write_functions: Vec<String> = |_, _| Vec::new();

    /// How long making a connection may take in all: name resolution, TCP, TLS, startup and
    /// authentication.
    /// Zero is refused.
    /// Default: `2s`.
    (copy) connect_timeout: Duration = |_, _| Duration::from_secs(2);

    /// How many new connections per second to one instance are opened at most, by everything that
    /// shares the cluster's handle; up to eight go at once, and no more than eight are under way
    /// at a time. An instance that is new, was lost or has changed its role is met by one first,
    /// then two, then four, as each is open, or after 100 ms by eight: so the first statement is
    /// served soonest. Whoever has to wait for its turn also takes a connection that is given back.
    /// Not limited are the monitor's connections and those of pools that connect by themselves
    /// (SeaORM's own `DatabaseConnection`).
    /// Zero is refused; `none` sets no limit.
    /// Default: `100`.
    (maybe) connect_rate: Option<u32> = |_, _| Some(100);

    /// How long a statement waits for a writer or a reader, for instance during a failover,
    /// before it fails with a typed error.
    /// Zero means not to wait.
    /// Default: `30s`.
    (copy) failover_timeout: Duration = |_, _| Duration::from_secs(30);

    /// How soon an instance that has stopped answering is declared lost, at the latest: the pause
    /// until the next probe, and then the silence of several tries. This is the one to tune: `1s`
    /// is as short as is sensible within a region.
    /// At least `100ms`.
    /// Default: `2500ms`.
    (copy) detection_time: Duration = |_, _| DETECTION_TIME;

    /// The pause between two probes of an instance.
    /// At least `10ms` and at most half of `detection_time`.
    /// Default: 30 % of `detection_time` and at most `1s`, so `750ms`.
    (copy) probe_interval: Duration = |_, given| {
        let share = given.detection_time.unwrap_or(DETECTION_TIME) * 3 / 10;
        share.min(Duration::from_secs(1))
    };

    /// The pause between two probes of an instance while there is no writer.
    /// At least `10ms` and not above `probe_interval`.
    /// Default: `10ms`.
    (copy) failover_interval: Duration = |_, _| Duration::from_millis(10);

    /// How many unused connections are kept per instance. What is more is closed once it has been
    /// unused for 5 s.
    /// Zero keeps none: every connection is closed when it is given back.
    /// Default: `16`.
    (copy) max_idle_per_instance: usize = |_, _| 16;

    /// How long an unused connection is kept.
    /// Zero is refused: `max_idle_per_instance=0` keeps none.
    /// Default: `10m`.
    (copy) idle_timeout: Duration = |_, _| Duration::from_secs(600);

    /// The age at which a connection is closed once it is unused.
    /// Zero is refused; `none` sets no limit.
    /// Default: `30m`.
    (maybe) max_lifetime: Option<Duration> = |_, _| Some(Duration::from_secs(1800));

    /// How long a connection is silent before the operating system asks whether the other side
    /// is alive (TCP keepalive).
    /// Zero turns keepalive off.
    /// Default: `5s`.
    (copy) keepalive_idle: Duration = |_, _| Duration::from_secs(5);

    /// How long sent data may stay unacknowledged before the operating system closes the
    /// connection, where it can (Linux).
    /// Zero leaves it to the operating system, which waits for many minutes.
    /// Default: `5s`.
    (copy) tcp_user_timeout: Duration = |_, _| Duration::from_secs(5);
}

/// Whether host names belong to Amazon RDS, or will once they are looked up.
fn is_rds(addresses: &[Address], given: &Settings) -> bool {
    let is_looked_up = addresses.is_empty() && matches!(given.cluster_id, Some(Some(_)));
    is_looked_up || rds_endpoints(addresses).next().is_some()
}

/// What the host names say that belong to Amazon RDS.
fn rds_endpoints(addresses: &[Address]) -> impl Iterator<Item = Endpoint> {
    addresses.iter().map(|address| Endpoint::parse(address.host())).filter(Endpoint::is_rds)
}
