//! PostgreSQL: regression scripts run on a writer, each statement tried on its hot standby before.

mod psql;
mod run;
mod script;
mod source;
mod standby;
mod wire;

use std::io;
use std::path::{Path, PathBuf};

use test_kit::PgCluster;

pub use source::fetch;

use crate::{Report, Truth};
use run::Run;
use standby::Standby;
use wire::Wire;

/// Runs the scripts of a suite one after the other in one database, `test_setup` first.
///
/// `directory` is laid out as `src/test/regress` of PostgreSQL's source: `sql/*.sql`, `data/`, and
/// maybe `parallel_schedule` with the order. Without a schedule the order is that of the names.
///
/// # Errors
/// When a file cannot be read, or the servers do not start or cannot be reached.
pub fn run(
    directory: &Path,
    also: &[PathBuf],
    mut progress: impl FnMut(&str),
) -> io::Result<Report> {
    let cluster = cluster()?;
    let mut run = Run::new(&cluster)?;
    run.create_database("regression")?;
    for name in schedule(directory)? {
        progress(&name);
        run.script(&directory.join("sql").join(format!("{name}.sql")), "regression", directory)?;
    }
    for suite in also {
        let name = suite.file_name().unwrap_or_default().to_string_lossy().replace('-', "_");
        let database = format!("contrib_{name}");
        run.create_database(&database)?;
        for script in scripts(&suite.join("sql"))? {
            progress(&format!("{name}/{script}"));
            run.script(&suite.join("sql").join(format!("{script}.sql")), &database, suite)?;
        }
    }
    Ok(Report::new(run.records))
}

fn cluster() -> io::Result<PgCluster> {
    PgCluster::builder()
        .instances(2)
        .setting("max_prepared_transactions", "8")
        .setting("max_standby_streaming_delay", "2s")
        .setting("autovacuum", "off")
        .start()
        .map_err(io::Error::other)
}

/// A volatile function of the server's catalogue, and what a standby makes of its call.
#[derive(Clone, Debug)]
pub struct Volatile {
    /// Its name.
    pub name: String,
    /// What was seen; nothing if it needs arguments, or controls the server.
    pub truth: Option<Truth>,
}

/// The volatile functions of `pg_catalog`; those without arguments are called on a standby.
///
/// # Errors
/// When the servers do not start or cannot be reached.
pub fn volatile_functions() -> io::Result<Vec<Volatile>> {
    let cluster = cluster()?;
    let mut control = Wire::connect(&run::target(&cluster, 0, "10s"))?;
    let mut standby = Standby::new(run::target(&cluster, 1, "10s"));
    let answer = control.query(
        "SELECT proname, bool_or(pronargs = 0 AND proretset = false AND prorettype NOT IN ('trigger'::regtype, 'internal'::regtype)) \
         FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND provolatile = 'v' \
         GROUP BY proname ORDER BY proname",
    )?;
    let names = answer.rows.into_iter().map(|row| {
        let mut values = row.into_iter().map(Option::unwrap_or_default);
        (values.next().unwrap_or_default(), values.next().unwrap_or_default() == "t")
    });
    Ok(names
        .map(|(name, callable)| {
            let sql = format!("SELECT pg_catalog.\"{name}\"()");
            let truth = (callable && run::may_be_tried(&sql)).then(|| standby.attempt(&sql).truth);
            Volatile { name, truth }
        })
        .collect())
}

/// The order of the scripts.
fn schedule(directory: &Path) -> io::Result<Vec<String>> {
    let mut present = scripts(&directory.join("sql"))?;
    let Ok(text) = std::fs::read_to_string(directory.join("parallel_schedule")) else {
        present.sort_by_key(|name| (name != "test_setup", name.clone()));
        return Ok(present);
    };
    let lines = text.lines().filter_map(|line| line.strip_prefix("test:"));
    let names = lines.flat_map(str::split_whitespace).map(str::to_owned);
    Ok(names.filter(|name| present.contains(name)).collect())
}

fn scripts(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}
