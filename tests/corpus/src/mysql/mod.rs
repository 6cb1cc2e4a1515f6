//! MySQL and MariaDB: the server's own test scripts run on a writer, each statement tried on a
//! reader before, by a user whom `read_only` binds.

mod fuzz;
mod mtr;
mod reader;
mod refusal;
mod run;
mod session;
mod source;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use test_kit::MariaDbCluster;

use crate::Report;
use fuzz::Fuzz;
use run::Run;
pub use source::fetch;

/// Which scripts run.
#[derive(Debug, Clone, clap::Args)]
pub struct Choice {
    /// MySQL: only scripts whose names begin with this
    #[arg(long)]
    only: Vec<String>,
    /// MySQL: of those, every Nth script only
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// MySQL: begin no more scripts after so many minutes
    #[arg(long)]
    minutes: Option<u64>,
}

impl Choice {
    /// Whether a script is to run, asked for one after the other.
    pub fn chooser(self) -> impl FnMut(&str) -> bool {
        let (begin, mut count) = (Instant::now(), 0_usize);
        move |name| {
            let named = self.only.is_empty() || self.only.iter().any(|only| name.starts_with(only));
            count += usize::from(named);
            let late =
                self.minutes.is_some_and(|minutes| begin.elapsed().as_secs() >= minutes * 60);
            named && count.is_multiple_of(self.every.max(1)) && !late
        }
    }
}

/// Runs the scripts (`*.test`) of a directory one after the other, by their names, as many as
/// `only` chooses.
///
/// The scripts are those of Debian's package `mariadb-test-data`,
/// `/usr/share/mysql/mysql-test/main`.
///
/// # Errors
/// When a file cannot be read, or the servers do not start or cannot be reached.
pub fn run(
    directory: &Path,
    mut only: impl FnMut(&str) -> bool,
    mut progress: impl FnMut(&str),
) -> io::Result<Report> {
    let cluster = start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut run = Run::new(&runtime, &cluster)?;
    for path in scripts(directory)? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if only(&name) {
            progress(&name);
            if let Err(error) = run.script(&path) {
                progress(&format!("{name}: {error}"));
            }
        }
    }
    Ok(Report::new(run.records))
}

/// Runs the scripts of a directory, and then tries this many texts in which something dangerous is
/// hidden, or seems to be. They do not run on the writer.
///
/// # Errors
/// As [`run`], and when a script fails.
pub fn run_hidden(directory: &Path, seed: u64, texts: usize) -> io::Result<Report> {
    let cluster = start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut run = Run::new(&runtime, &cluster)?;
    for path in scripts(directory)? {
        run.script(&path)?;
    }
    run.records.clear();
    let mut fuzz = Fuzz::new(seed);
    for _ in 0..texts {
        run.try_only(&fuzz.text());
    }
    Ok(Report::new(run.records))
}

/// The functions that the server itself lists.
///
/// # Errors
/// When the server does not start or does not answer.
pub fn functions() -> io::Result<Vec<String>> {
    let cluster = MariaDbCluster::builder().start().map_err(io::Error::other)?;
    let mut client = cluster.superuser(0).map_err(io::Error::other)?;
    let ask = "SELECT LOWER(FUNCTION) FROM information_schema.SQL_FUNCTIONS";
    client.column(ask).map_err(io::Error::other)
}

fn start() -> io::Result<MariaDbCluster> {
    MariaDbCluster::builder()
        .instances(2)
        .synchronous(false)
        .setting("performance_schema", "ON")
        .setting("performance_schema_instrument", "'wait/lock/metadata/sql/mdl=ON'")
        .setting("slave_skip_errors", "all")
        // A statement that is tried may be logged by the reader itself.
        .setting("gtid_strict_mode", "OFF")
        // The user of the scripts has no SUPER.
        .setting("log_bin_trust_function_creators", "ON")
        .setting("innodb_lock_wait_timeout", "1")
        .setting("lock_wait_timeout", "5")
        .start()
        .map_err(io::Error::other)
}

fn scripts(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "test") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
