//! What the user can choose.

use std::time::Duration;

use clap::Parser;

use crate::fault::Fault;

/// Runs Diesel with r2d2, diesel-async with bb8 and SeaORM on one cluster handle, hurts the servers
/// and the network in a random way every few seconds, and looks every write up in the end.
#[derive(Debug, Clone, Parser)]
#[command(name = "cargo xtask soak", version, after_help = PROMISES)]
pub(crate) struct Options {
    /// For how long faults happen, in minutes
    #[arg(long, default_value = "30", value_parser = minutes, value_name = "N")]
    pub(crate) minutes: Duration,
    /// The number from which all faults follow, to repeat a run [default: a new one]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Only this fault, again and again [default: all of them]
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) only: Option<Fault>,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is judged, for `--help`.
const PROMISES: &str = "\
Fails if one of these promises was broken:
  no acknowledged write is lost, none is there twice, no transaction is there by half;
  no error is wrong about what became of the write;
  no operation takes longer than its deadline, and none hangs;
  3 s after a fault was lifted everything succeeds, until the next one;
  in the end no connection is leaked, and all servers are known in their roles.

The plan of the faults is printed first. It follows from the seed alone; which operations a fault
meets does not.";

/// A number of minutes that makes sense.
fn minutes(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=1440.0).contains(&number) {
        return Ok(Duration::from_secs_f64(number * 60.0));
    }
    Err("not between 0.1 and 1440".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, String> {
        let words = ["soak"].iter().chain(words);
        Options::try_parse_from(words).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_typed_is_what_is_run() {
        let all = parse(&["--minutes", "1.5", "--seed", "7", "--json"]).unwrap();
        assert_eq!((all.minutes, all.seed, all.json), (Duration::from_secs(90), Some(7), true));
        let none = parse(&[]).unwrap();
        assert_eq!((none.minutes, none.seed), (Duration::from_secs(1800), None));
        let one = parse(&["--only", "switchover"]).unwrap();
        assert_eq!(one.only, Some(Fault::Switchover));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for words in [["--minutes", "0"], ["--minutes", "NaN"], ["--seed", "-1"], ["--only", "x"]] {
            assert!(parse(&words).is_err(), "{words:?}");
        }
    }
}
