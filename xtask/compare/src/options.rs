//! What the user can choose.

use std::fmt;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Runs our adapter beside the stock pools of the same ORM, on the same cluster, through the same
/// fault, and reports what each application would have seen.
///
/// Every stack has a pool of 8 and 8 workers that each make an autocommit INSERT every 10 ms. Ours
/// is given the instances; the stock pools are given the cluster endpoint, whose name moves to the
/// new writer 5 s after the fault.
#[derive(Debug, Clone, Parser)]
#[command(name = "cargo xtask compare", version, after_help = COLUMNS)]
pub(crate) struct Options {
    /// The servers
    #[arg(long, value_enum, default_value_t = Engine::Postgres, value_name = "NAME")]
    pub(crate) engine: Engine,
    /// The ORM to compare with [default: all of them]
    #[arg(long, value_enum, value_name = "NAME")]
    adapter: Option<Adapter>,
    /// What happens to the writer [default: each in turn]
    #[arg(long, value_enum, value_name = "NAME")]
    fault: Option<Fault>,
    /// How long the stacks are observed after the fault, in seconds
    #[arg(long, default_value = "45", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) seconds: Duration,
    /// Print the result as one JSON array on the last line of stdout, all else on stderr
    #[arg(long)]
    pub(crate) json: bool,
}

/// What the numbers mean, for `--help`.
const COLUMNS: &str = "\
What is reported for each stack, from its first write to the end of the observation:
  outage      from the fault to the moment when the last of the workers had a write acknowledged
              by the new writer; never, if a worker had none or hangs at the end
  errors      writes that failed, whatever the reason
  refused     those of them that a reader refused as read-only (SQLSTATE 25006, MariaDB: error 1290)
  refused after the writer was known
              those of them that began after a direct connection could write to the new writer
  hanging     workers whose write, at the end, had lasted for more than 10 s (or half of the
              observation, if that is less)
  lost        writes that were acknowledged and are not in the database
  duplicated  writes that are in the database more than once

Fails only if our adapter broke a promise: an outage above 1 s (blackhole: 3 s), a write refused
after the writer was known, a hanging worker, a lost or a duplicated write.";

/// The servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// PostgreSQL
    Postgres,
    /// MySQL, for which MariaDB stands
    Mysql,
}

/// An ORM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Adapter {
    /// Diesel; stock: r2d2 with `ConnectionManager`
    Diesel,
    /// diesel-async; stock: `AsyncDieselConnectionManager` with deadpool and with bb8
    DieselAsync,
    /// SeaORM; stock: `Database::connect`
    Seaorm,
}

/// What happens to the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// All its processes are killed with kill -9, and a reader is promoted
    Kill,
    /// It vanishes from the network without a word, and a reader is promoted
    Blackhole,
    /// It hands its role to a reader in an orderly way, and comes back as a reader
    Switchover,
}

impl Options {
    /// The runs to make, in order.
    pub(crate) fn runs(&self) -> Vec<(Adapter, Fault)> {
        let chosen = |adapter: &Adapter| self.adapter.is_none_or(|only| only == *adapter);
        let faults = |adapter: Adapter| {
            let all = Fault::value_variants().iter().copied();
            all.filter(|fault| self.fault.is_none_or(|only| only == *fault))
                .map(move |fault| (adapter, fault))
        };
        let adapters = Adapter::value_variants().iter().copied();
        adapters.filter(chosen).flat_map(faults).collect()
    }
}

impl Fault {
    /// The longest outage that our adapters promise, with the defaults of the configuration.
    pub(crate) fn promised_outage(self) -> Duration {
        match self {
            Self::Kill | Self::Switchover => Duration::from_secs(1),
            // The silence has to be noticed first: `detection_time` is 2.5 s.
            Self::Blackhole => Duration::from_secs(3),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MariaDB",
        })
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Diesel => "diesel",
            Self::DieselAsync => "diesel-async",
            Self::Seaorm => "seaorm",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::Blackhole => "blackhole",
            Self::Switchover => "switchover",
        })
    }
}

/// At least 10 s: the endpoint moves after 5 s, and a stock pool needs time to follow.
fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if !(10.0..=3600.0).contains(&number) {
        return Err("not between 10 and 3600 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let all = [&["compare"], arguments].concat();
        Options::try_parse_from(all).map_err(|error| error.to_string())
    }

    #[test]
    fn without_flags_every_adapter_meets_every_fault_for_45_seconds() {
        let options = parse(&[]).unwrap();
        let runs = options.runs();
        assert_eq!(runs.len(), 9);
        assert_eq!(runs[0], (Adapter::Diesel, Fault::Kill));
        assert_eq!(runs[8], (Adapter::Seaorm, Fault::Switchover));
        assert_eq!(options.seconds, Duration::from_secs(45));
        assert!(!options.json);
        assert_eq!(options.engine, Engine::Postgres);
    }

    #[test]
    fn each_flag_narrows_the_runs() {
        let one = ["--engine", "mysql", "--adapter", "diesel-async", "--fault", "blackhole"];
        let one = parse(&one).unwrap();
        assert_eq!(one.engine, Engine::Mysql);
        assert_eq!(one.runs(), [(Adapter::DieselAsync, Fault::Blackhole)]);
        let faults = parse(&["--adapter", "seaorm"]).unwrap().runs();
        assert_eq!(faults.len(), 3);
        assert!(faults.iter().all(|(adapter, _)| *adapter == Adapter::Seaorm));
        let adapters = parse(&["--fault", "switchover", "--json", "--seconds", "12"]).unwrap();
        assert_eq!(adapters.runs().len(), 3);
        assert!(adapters.json && adapters.seconds == Duration::from_secs(12));
    }

    #[test]
    fn names_are_printed_as_they_are_typed() {
        for adapter in Adapter::value_variants() {
            assert_eq!(Adapter::from_str(&adapter.to_string(), false), Ok(*adapter));
        }
        for fault in Fault::value_variants() {
            assert_eq!(Fault::from_str(&fault.to_string(), false), Ok(*fault));
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(parse(&["--seconds", "5"]).unwrap_err().contains("not between 10 and 3600"));
        assert!(parse(&["--seconds", "NaN"]).unwrap_err().contains("not between"));
        assert!(parse(&["--fault", "flood"]).unwrap_err().contains("invalid value"));
        assert!(parse(&["--adapter", "sqlx"]).unwrap_err().contains("invalid value"));
    }
}
