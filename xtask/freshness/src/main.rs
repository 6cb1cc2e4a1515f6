//! Write-then-read pairs through every adapter, within a process and by token across two: what
//! `cargo xtask freshness` runs.
//!
//! The readers of a real cluster lag: their replay is delayed, and paused at random. A session has
//! to read what it wrote, here and, by its token, in another process; `Eventual` has to be caught
//! reading old data, or the check could not fail; `Bounded` has to keep its bound. In the end a
//! table says how many reads the readers served.

mod bounded;
mod options;
mod other;
mod pairs;
mod report;
mod share;
mod stage;
mod weather;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use crate::options::Options;
use crate::report::Report;
use crate::stage::Stage;
use crate::weather::Weather;

/// Why a run could not go on.
type Failed = Box<dyn Error + Send + Sync>;

/// How long threads that hang may keep the process.
const END: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error),
    };
    if let Some(url) = &options.answer {
        let answered = runtime.block_on(other::answer(url));
        runtime.shutdown_timeout(END);
        return answered.map_or_else(|error| complain(&*error), |()| ExitCode::SUCCESS);
    }
    let report = runtime.block_on(run(&options));
    runtime.shutdown_timeout(END);
    match report.and_then(|report| report.print(options.json)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => complain(&*error),
    }
}

fn complain(error: &dyn Error) -> ExitCode {
    eprintln!("the run could not go on: {error}");
    ExitCode::FAILURE
}

/// Runs all parts, one after the other, on one cluster.
async fn run(options: &Options) -> Result<Report, Failed> {
    let stage = Stage::set(options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000))).await?;
    eprintln!("seed {}; readers lag, and their replay is paused at random", stage.seed);
    // By token a pair takes longer: the token has to wait for a sample of the writer.
    let by_token = options.pairs / 3;
    let weather = Weather::begin(&stage);
    let session = pairs::session(&stage, options.pairs - by_token).await?;
    eprintln!("session: {session}");
    let token = pairs::token(&stage, by_token).await?;
    eprintln!("token:   {token}");
    let eventual = pairs::eventual(&stage, options.pairs / 20).await?;
    eprintln!("eventual: {eventual}");
    let bounded = bounded::run(&stage, options.bounded).await?;
    eprintln!("bounded: {bounded}");
    weather.end()?;
    let share = share::table(&stage, options.share).await?;
    Ok(Report { seed: stage.seed, session, token, eventual, bounded, share })
}
