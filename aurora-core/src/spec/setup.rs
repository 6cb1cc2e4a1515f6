//! Makes the world in which a story happens.

use std::collections::BTreeMap;
use std::time::Duration;

use super::format::{Change, ClusterWord, Kind, Preset, Settings, Setup};
use super::units::Span;
use super::words::failure_kind;
use crate::config::Address;
use crate::endpoint::HostPattern;
use crate::engine::tests::defaults;
use crate::engine::tests::server::{Server, State};
use crate::engine::tests::world::World;
use crate::engine::{self, Listed, Members};

/// The default of the option.
const DETECTION_TIME: Duration = Duration::from_millis(2500);

const ENDPOINT: &str = "shop.cluster-xyz.example.com";
const PATTERN: &str = "?.xyz.example.com";

/// The world, and what servers are there unless told otherwise.
pub(super) struct Made {
    pub(super) world: World,
    pub(super) kind: Kind,
    pub(super) pattern: Option<HostPattern>,
}

/// The jitter of a story is what `seed` makes of it, unless the vector names a seed.
pub(super) fn make(cluster: &ClusterWord, seed: u64) -> Result<Made, String> {
    let (preset, empty) = match cluster {
        ClusterWord::Preset(preset) => (*preset, Setup::default()),
        ClusterWord::Made(setup) => (setup.preset, Setup::default()),
    };
    let own = match cluster {
        ClusterWord::Preset(_) => &empty,
        ClusterWord::Made(setup) => setup,
    };
    let base = match preset {
        Preset::Aurora => aurora(),
        Preset::Mariadb => mysql(Kind::Mariadb),
        Preset::Mysql => mysql(Kind::Mysql),
        Preset::None => Setup::default(),
        Preset::Postgres => postgres(),
    };
    let kind = if preset == Preset::None { own.kind } else { base.kind };
    let configured = if own.configured.is_empty() { &base.configured } else { &own.configured };
    let pattern = own.pattern.as_ref().or(base.pattern.as_ref());
    let pattern = pattern.map(|text| HostPattern::parse(text).map_err(|e| e.to_string()));
    let pattern = pattern.transpose()?;
    let settings = settings(&own.settings, pattern.clone());
    let hosts: Vec<&str> = configured.iter().map(String::as_str).collect();
    let world = World::seeded(settings, &hosts, own.seed.unwrap_or(seed));
    let mut made = Made { world, kind, pattern };
    for servers in [&base.servers, &own.servers] {
        made.serve(servers)?;
    }
    for (name, server) in base.names.iter().chain(&own.names) {
        made.world.dns.insert(name.clone(), leak(server));
    }
    let settle = base.settle.0 + own.settle.0;
    // Not even the first questions are asked before the first step.
    if !settle.is_zero() {
        made.world.advance(settle);
    }
    Ok(made)
}

fn postgres() -> Setup {
    let writer = Change { writes: Some(true), timeline: Some(Some(1)), ..Change::default() };
    let reader = Change::default();
    let servers = [("a", writer), ("b", reader.clone()), ("c", reader)];
    Setup {
        configured: ["a", "b", "c"].map(str::to_owned).to_vec(),
        servers: servers.map(|(name, change)| (name.to_owned(), change)).into(),
        settle: Span(Duration::from_secs(3)),
        ..Setup::default()
    }
}

fn mysql(kind: Kind) -> Setup {
    let executed = || Some(Some(BTreeMap::from([("a".to_owned(), 100)])));
    let server =
        |writes| Change { writes: Some(writes), executed: executed(), ..Change::default() };
    let servers = [("a", server(true)), ("b", server(false)), ("c", server(false))];
    Setup {
        kind,
        configured: ["a", "b", "c"].map(str::to_owned).to_vec(),
        servers: servers.map(|(name, change)| (name.to_owned(), change)).into(),
        settle: Span(Duration::from_secs(3)),
        ..Setup::default()
    }
}

fn aurora() -> Setup {
    let lists = || Some(["a*", "b", "c"].map(str::to_owned).to_vec());
    let server = |writes| Change { writes: Some(writes), lists: lists(), ..Change::default() };
    let servers = [("a", server(true)), ("b", server(false)), ("c", server(false))];
    Setup {
        kind: Kind::Aurora,
        configured: vec![ENDPOINT.to_owned()],
        pattern: Some(PATTERN.to_owned()),
        servers: servers.map(|(name, change)| (name.to_owned(), change)).into(),
        names: BTreeMap::from([(ENDPOINT.to_owned(), "a".to_owned())]),
        settle: Span(Duration::from_secs(3)),
        ..Setup::default()
    }
}

fn settings(own: &Settings, pattern: Option<HostPattern>) -> engine::Settings {
    let mut settings = defaults();
    settings.instance_host_pattern = pattern;
    let with = |span: Option<Span>, or: Duration| span.map_or(or, |span| span.0);
    let detection_time = with(own.detection_time, DETECTION_TIME);
    let share = (detection_time * 3 / 10).min(Duration::from_secs(1));
    settings.probe_interval = with(own.probe_interval, share);
    settings.silence = detection_time - settings.probe_interval;
    settings.failover_interval = with(own.failover_interval, settings.failover_interval);
    settings.connect_timeout = with(own.connect_timeout, settings.connect_timeout);
    settings
}

impl Made {
    /// Adds servers; each is reached by its name and by the one that the pattern makes of it.
    pub(super) fn serve(&mut self, servers: &BTreeMap<String, Change>) -> Result<(), String> {
        for (name, change) in servers {
            if self.world.servers.contains_key(name.as_str()) {
                change.apply(self.world.server(name))?;
                continue;
            }
            let ip = u8::try_from(self.world.servers.len() + 1).map_err(|e| e.to_string())?;
            let mut server = match self.kind {
                Kind::Aurora => Server::aurora(name, ip),
                Kind::Mariadb => Server::mysql(name, ip, true),
                Kind::Mysql => Server::mysql(name, ip, false),
                Kind::Postgres => Server::postgres(ip),
            };
            change.apply(&mut server)?;
            let host = leak(name);
            self.world.serve(host, server);
            if let Some(pattern) = &self.pattern {
                self.world.dns.insert(pattern.address(name, 5432).host().to_owned(), host);
            }
        }
        Ok(())
    }
}

impl Change {
    pub(super) fn apply(&self, server: &mut Server) -> Result<(), String> {
        if let Some(cluster) = &self.cluster {
            server.cluster = cluster.as_deref().map(leak);
        }
        server.name = self.name.clone().unwrap_or_else(|| server.name.clone());
        server.process = self.process.clone().unwrap_or_else(|| server.process.clone());
        server.ip = self.ip.unwrap_or(server.ip);
        server.writes = self.writes.unwrap_or(server.writes);
        server.timeline = self.timeline.unwrap_or(server.timeline);
        if let Some(executed) = &self.executed {
            execute(server, executed.as_ref())?;
        }
        server.position = self.position.unwrap_or(server.position);
        server.lag = self.lag.map_or(server.lag, |lag| lag.map(|span| span.0));
        server.latency = self.latency.map_or(server.latency, |span| span.0);
        server.stalled = self.stalled.unwrap_or(server.stalled);
        server.hangs_up = self.hangs_up.unwrap_or(server.hangs_up);
        if let Some(word) = &self.state {
            server.state = state(word)?;
        }
        if let Some(members) = self.members()? {
            server.members = members;
        }
        Ok(())
    }

    fn members(&self) -> Result<Option<Members>, String> {
        let listed = self.lists.as_ref().map(|names| Members::Listed(rows(names)));
        let addresses = |hosts: &Vec<String>| hosts.iter().map(|host| address(host)).collect();
        let suggested = self.suggests.as_ref().map(|hosts| Members::Suggested(addresses(hosts)));
        let refused = self.refuses.as_ref().map(|why| Members::Refused(why.as_str().into()));
        let nothing = self.says_nothing.filter(|says| *says).map(|_| Members::Unlisted);
        let mut all = [listed, suggested, refused, nothing].into_iter().flatten();
        match (all.next(), all.next()) {
            (_, Some(_)) => Err("a server says one thing of the members, not two".to_owned()),
            (members, None) => Ok(members),
        }
    }
}

/// The transactions a server has from now on, by their origins; none are told with `null`.
fn execute(server: &mut Server, executed: Option<&BTreeMap<String, u64>>) -> Result<(), String> {
    let Some(executed) = executed else {
        server.lineage = None;
        return Ok(());
    };
    let lineage = server.lineage.as_mut().ok_or("it tells no transactions, or not any more")?;
    lineage.last =
        executed.iter().map(|(origin, number)| (origin.as_str().into(), *number)).collect();
    Ok(())
}

/// The row of the writer has a star behind its name.
fn rows(names: &[String]) -> Vec<Listed> {
    let row = |name: &String| match name.strip_suffix('*') {
        Some(name) => Listed { name: name.into(), is_writer: true },
        None => Listed { name: name.as_str().into(), is_writer: false },
    };
    names.iter().map(row).collect()
}

fn state(word: &str) -> Result<State, String> {
    match word {
        "hung" => Ok(State::Hung),
        "stuck" => Ok(State::MonitorStuck),
        "up" => Ok(State::Up),
        kind => failure_kind(kind).map(State::Fails),
    }
}

/// `host` or `host:port`.
pub(super) fn address(text: &str) -> Address {
    match text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?))) {
        Some((host, port)) => Address::new(host, port),
        None => Address::new(text, 5432),
    }
}

/// The world keeps borrowed names; a test lives short enough not to miss the memory.
fn leak(name: &str) -> &'static str {
    name.to_owned().leak()
}
