//! `aurora-corpus`: runs a corpus and prints the confusion matrix; run as `cargo xtask corpus`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use aurora_core::sql::{Rules, SqlDialect, classify};
use aurora_corpus::{Record, Report, mysql};
use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask corpus", about = "Judge the classifier by what real servers do")]
struct Options {
    /// postgres or mysql
    #[arg(long, default_value = "postgres", value_parser = ["postgres", "mysql"])]
    dialect: String,
    #[command(flatten)]
    choice: mysql::Choice,
    /// A directory laid out as src/test/regress of PostgreSQL's source; without it the whole suite is
    /// fetched from Debian, with those of the contributed extensions
    #[arg(long)]
    suite: Option<PathBuf>,
    /// More suites with scripts in `sql/`, each run in a database of its own
    #[arg(long)]
    also: Vec<PathBuf>,
    /// Write what was seen of every statement to this file, one JSON object per line
    #[arg(long)]
    write: Option<PathBuf>,
    /// Judge again what --write has kept, without any server
    #[arg(long, conflicts_with_all = ["suite", "also", "write"])]
    judge: Option<PathBuf>,
    /// List the statements that could be reads and are not
    #[arg(long)]
    missed: bool,
    /// End with one line of JSON on standard output
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(report) if report.is_good() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("corpus: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> std::io::Result<Report> {
    let begin = Instant::now();
    let report = match &options.judge {
        Some(path) => judge_again(path, options.dialect())?,
        None if options.dialect() == SqlDialect::MySql => {
            let fetched = || mysql::fetch(&target()?.join("mariadb"));
            let suite = options.suite.clone().map_or_else(fetched, Ok)?;
            mysql::run(&suite, options.choice.clone().chooser(), |name| {
                eprintln!("{:>6.1} s  {name}", begin.elapsed().as_secs_f64());
            })?
        }
        None => {
            let (suite, also) = suites(options)?;
            aurora_corpus::postgres::run(&suite, &also, |name| {
                eprintln!("{:>6.1} s  {name}", begin.elapsed().as_secs_f64());
            })?
        }
    };
    if let Some(path) = &options.write {
        let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
        for record in report.records() {
            writeln!(file, "{}", record.to_json())?;
        }
        file.flush()?;
    }
    let mut out = std::io::stdout().lock();
    if options.missed {
        for record in report.missed() {
            writeln!(out, "missed ({}): {}", record.reason, record.sql)?;
        }
    }
    eprintln!("{report}");
    eprintln!("in {:.0} s", begin.elapsed().as_secs_f64());
    if options.json {
        writeln!(out, "{}", report.to_json())?;
    }
    Ok(report)
}

impl Options {
    fn dialect(&self) -> SqlDialect {
        if self.dialect == "mysql" { SqlDialect::MySql } else { SqlDialect::Postgres }
    }
}

/// Where suites are unpacked.
fn target() -> std::io::Result<PathBuf> {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    std::path::absolute(target.join("corpus"))
}

fn judge_again(path: &Path, dialect: SqlDialect) -> std::io::Result<Report> {
    let judge = |sql: &str| classify(dialect, sql, &Rules::default());
    let mut records = Vec::new();
    for line in std::fs::read_to_string(path)?.lines() {
        let record = Record::from_json(&serde_json::from_str(line)?, judge);
        records.push(record.ok_or_else(|| std::io::Error::other(format!("no record: {line}")))?);
    }
    Ok(Report::new(records))
}

/// The suites that were asked for, or all there are.
fn suites(options: &Options) -> std::io::Result<(PathBuf, Vec<PathBuf>)> {
    let mut also = options.also.clone();
    if let Some(suite) = &options.suite {
        return Ok((suite.clone(), also));
    }
    let source = aurora_corpus::postgres::fetch(&target()?)?;
    for entry in std::fs::read_dir(source.join("contrib"))? {
        also.push(entry?.path());
    }
    also.push(concat!(env!("CARGO_MANIFEST_DIR"), "/data/orm").into());
    also.sort();
    Ok((source.join("src/test/regress"), also))
}
