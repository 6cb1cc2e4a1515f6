//! What the user can choose.

use std::time::Duration;

use clap::Parser;

/// Has every adapter write and read again on a cluster whose readers lag, in one process and by
/// token across two, and fails if a session ever misses what it wrote.
#[derive(Debug, Clone, Parser)]
#[command(name = "cargo xtask freshness", version, after_help = PROMISES)]
pub(crate) struct Options {
    /// How many writes are read again, a third of them in another process by token
    #[arg(long, default_value = "100000", value_name = "N")]
    pub(crate) pairs: usize,
    /// For how long reads with a bound are looked at, in seconds
    #[arg(long, default_value = "10", value_parser = seconds, value_name = "S")]
    pub(crate) bounded: Duration,
    /// For how long each row of the table of shares is measured, in seconds
    #[arg(long, default_value = "5", value_parser = seconds, value_name = "S")]
    pub(crate) share: Duration,
    /// The number from which the pauses follow [default: a new one]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// Be the second process, on the cluster of this URL
    #[arg(long, hide = true, value_name = "URL")]
    pub(crate) answer: Option<String>,
}

/// What is judged, for `--help`.
const PROMISES: &str = "\
Fails if one of these promises was broken:
  a session reads what it wrote, whichever adapter it goes through;
  so does a session in another process that requires its token;
  a read with a bound of 200 ms is no older than that and one sampling interval;
  the same check finds stale reads where nothing is promised, or it could not fail.";

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs_f64).map_err(|_| "not a number of seconds".to_owned())
}
