//! Stories as they stand in the files. What the words mean: `tests/spec/README.md`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::expect::Expect;
use super::units::{Names, Span, given};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Story {
    #[serde(default)]
    pub(super) cluster: ClusterWord,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ClusterWord {
    Preset(Preset),
    Made(Box<Setup>),
}

impl Default for ClusterWord {
    fn default() -> Self {
        Self::Preset(Preset::Postgres)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Preset {
    Aurora,
    Mariadb,
    Mysql,
    #[default]
    None,
    Postgres,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Setup {
    pub(super) preset: Preset,
    pub(super) kind: Kind,
    pub(super) configured: Vec<String>,
    pub(super) pattern: Option<String>,
    pub(super) settings: Settings,
    pub(super) servers: BTreeMap<String, Change>,
    pub(super) names: BTreeMap<String, String>,
    pub(super) settle: Span,
    pub(super) seed: Option<u64>,
}

/// What the servers of a cluster are unless a vector says more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Aurora,
    Mariadb,
    Mysql,
    #[default]
    Postgres,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    pub(super) probe_interval: Option<Span>,
    pub(super) failover_interval: Option<Span>,
    pub(super) connect_timeout: Option<Span>,
    pub(super) detection_time: Option<Span>,
}

/// What becomes different about a server.
#[expect(clippy::option_option, reason = "null is a value of its own")]
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Change {
    #[serde(deserialize_with = "given")]
    pub(super) cluster: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    pub(super) name: Option<Option<String>>,
    pub(super) process: Option<String>,
    pub(super) ip: Option<u8>,
    pub(super) writes: Option<bool>,
    #[serde(deserialize_with = "given")]
    pub(super) timeline: Option<Option<u64>>,
    #[serde(deserialize_with = "given")]
    pub(super) executed: Option<Option<BTreeMap<String, u64>>>,
    #[serde(deserialize_with = "given")]
    pub(super) position: Option<Option<u64>>,
    #[serde(deserialize_with = "given")]
    pub(super) lag: Option<Option<Span>>,
    pub(super) state: Option<String>,
    pub(super) latency: Option<Span>,
    pub(super) hangs_up: Option<bool>,
    pub(super) stalled: Option<u8>,
    pub(super) lists: Option<Vec<String>>,
    pub(super) suggests: Option<Vec<String>>,
    pub(super) refuses: Option<String>,
    pub(super) says_nothing: Option<bool>,
}

/// At most one action, then time, then what is expected.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(super) struct Step {
    pub(super) action: Option<Action>,
    pub(super) timing: Timing,
    pub(super) expect: Option<Expect>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Timing {
    pub(super) advance: Option<Span>,
    pub(super) within: Option<Span>,
    pub(super) not_before: Option<Span>,
    pub(super) throughout: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Answer { from: String, asked_ago: Span },
    Complain { about: String, what: String, epoch: Option<EpochWord> },
    Crash(Names),
    Fail { from: String, asked_ago: Span, kind: String },
    HangUp(Names),
    Mark(bool),
    MonitorDies(String),
    MonitorsDie(bool),
    Names(BTreeMap<String, Option<String>>),
    Online(BTreeMap<String, bool>),
    Promote(BTreeMap<String, u64>),
    Rejoin(Names),
    Repeat { times: u32, steps: Vec<Step> },
    ReplaceEngine(bool),
    Restart(Names),
    Served(Names),
    Serve(BTreeMap<String, Change>),
    Set(BTreeMap<String, Change>),
    Want(String),
    Write(BTreeMap<String, u64>),
}

/// Which epoch a complaint is about.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EpochWord {
    Current,
    Marked,
    Next,
}

const TIMING: [&str; 4] = ["advance", "within", "not_before", "throughout"];

impl TryFrom<Map<String, Value>> for Step {
    type Error = String;

    fn try_from(mut map: Map<String, Value>) -> Result<Self, String> {
        let expect = map.remove("expect");
        if expect.as_ref().is_some_and(expects_nothing) {
            return Err(format!("it expects nothing: {expect:?}"));
        }
        let expect = expect.map(read::<Expect>).transpose()?;
        let timing = TIMING.iter().filter_map(|key| map.remove_entry(*key)).collect();
        let timing: Timing = read(Value::Object(timing))?;
        if map.len() > 1 {
            return Err(format!("more than one action: {:?}", map.keys().collect::<Vec<_>>()));
        }
        let action = if map.is_empty() { None } else { Some(read(Value::Object(map))?) };
        if expect.is_none() && (timing.within.is_some() || timing.throughout.is_some()) {
            return Err("a time to expect within, and nothing expected".to_owned());
        }
        if timing.not_before.is_some() && timing.within.is_none() {
            return Err("not_before without within".to_owned());
        }
        let waits = [timing.advance, timing.within, timing.throughout];
        if waits.iter().flatten().count() > 1 {
            return Err("more than one of advance, within, throughout".to_owned());
        }
        Ok(Self { action, timing, expect })
    }
}

/// An empty map compares nothing, and would look as if it did.
fn expects_nothing(expect: &Value) -> bool {
    let is_empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
    is_empty(expect) || expect.as_object().is_some_and(|map| map.values().any(is_empty))
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}
