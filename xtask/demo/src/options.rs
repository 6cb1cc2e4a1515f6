//! What the user can choose.

use std::time::Duration;

use clap::Parser;

use crate::adapters::Kind;

/// The time a fault needs before the next one can happen.
const RECOVERY: Duration = Duration::from_secs(3);

/// The servers that the demo runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Engine {
    /// PostgreSQL
    Postgres,
    /// MariaDB, for the MySQL family; without `--aurora`
    Mysql,
}

impl Engine {
    /// What the servers are called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MariaDB",
        }
    }
}

/// Runs a bank on a local PostgreSQL or MariaDB cluster while its writer is killed and switched over, and
/// ends with a ledger that is checked row by row against the database.
#[derive(Debug, Clone, Parser)]
#[command(name = "cargo xtask demo", version)]
pub(crate) struct Options {
    /// The servers
    #[arg(long, value_enum, default_value = "postgres", value_name = "NAME")]
    pub(crate) engine: Engine,
    /// The ORM and pool the load runs through
    #[arg(long, value_enum, default_value = "diesel", value_name = "NAME")]
    pub(crate) adapter: Kind,
    /// How long the load lasts, in seconds
    #[arg(long, default_value = "25", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) seconds: Duration,
    /// When the writer is killed with kill -9, in seconds from the start [default: 7 of 25]
    #[arg(long, value_parser = seconds, value_name = "SECONDS")]
    kill_at: Option<Duration>,
    /// When the planned switchover happens, in seconds from the start [default: 15 of 25]
    #[arg(long, value_parser = seconds, value_name = "SECONDS")]
    switchover_at: Option<Duration>,
    /// Threads of the application: one half writes, the other half reads
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..=64))]
    pub(crate) threads: u16,
    /// How many times to run, each time on a new cluster; medians are printed at the end
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) repeat: u16,
    /// Let the servers answer as Aurora PostgreSQL does
    #[arg(long)]
    pub(crate) aurora: bool,
    /// Print the result as one JSON object on the last line of stdout, all else on stderr
    #[arg(long)]
    pub(crate) json: bool,
}

impl Options {
    /// The moment of the kill.
    pub(crate) fn kill_at(&self) -> Duration {
        self.kill_at.unwrap_or(self.seconds * 7 / 25)
    }

    /// The moment of the switchover.
    pub(crate) fn switchover_at(&self) -> Duration {
        self.switchover_at.unwrap_or(self.seconds * 15 / 25)
    }

    /// Both faults must fit into the run, with time to recover.
    pub(crate) fn check(self) -> Result<Self, String> {
        if self.engine == Engine::Mysql && self.aurora {
            return Err("the engine mysql goes without --aurora".to_owned());
        }
        if self.kill_at() + RECOVERY > self.switchover_at() {
            return Err("the switchover must be at least 3 s after the kill".to_owned());
        }
        if self.switchover_at() + RECOVERY > self.seconds {
            return Err("the run must last at least 3 s beyond the switchover".to_owned());
        }
        Ok(self)
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if !(0.5..=86_400.0).contains(&number) {
        return Err("not between 0.5 and 86400 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let all = [&["demo"], arguments].concat();
        Options::try_parse_from(all).map_err(|error| error.to_string())?.check()
    }

    #[test]
    fn the_defaults_are_those_of_the_help() {
        let options = parse(&[]).unwrap();
        assert_eq!((options.threads, options.repeat), (8, 1));
        assert_eq!(options.seconds, Duration::from_secs(25));
        assert_eq!(options.kill_at(), Duration::from_secs(7));
        assert_eq!(options.switchover_at(), Duration::from_secs(15));
        assert_eq!(parse(&["--seconds", "10"]).unwrap().switchover_at(), Duration::from_secs(6));
    }

    #[test]
    fn faults_that_leave_no_time_to_recover_are_refused() {
        assert!(parse(&["--switchover-at", "24"]).unwrap_err().contains("the run must last"));
        assert!(parse(&["--kill-at", "14"]).unwrap_err().contains("the switchover must be"));
        assert!(
            parse(&["--engine", "mysql", "--aurora"]).unwrap_err().contains("without --aurora")
        );
        for adapter in ["diesel", "diesel-async", "seaorm"] {
            assert!(parse(&["--engine", "mysql", "--adapter", adapter]).is_ok());
        }
        assert!(parse(&["--seconds", "never"]).unwrap_err().contains("not a number"));
    }
}
