//! Says of SQL texts where they would go: one JSON object per line in, one out.
//!
//! ```text
//! $ echo '{"sql": "SELECT * FROM t FOR UPDATE"}' | classify --dialect postgres
//! {"reason":"a locking clause","rerunnable":false,"route":"writer","verdict":"lock"}
//! ```
//!
//! `verdict` is `read`, `write`, `lock`, `session` or `transaction`, `route` is `reader` or
//! `writer`. A line that is no such object is answered with `{"error": "…"}`: nothing ends the
//! program but the end of its input.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use aurora_core::sql::{Rules, SqlDialect, Target, Verdict, classify};
use serde_json::{Value, json};

const USAGE: &str = "usage: classify [--dialect postgres|mysql] < lines.json";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(dialect) = dialect(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match answer_all(dialect, io::stdin().lock(), io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our answers has heard enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("classify: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The dialect that the arguments ask for, PostgreSQL if they do not.
fn dialect(arguments: &[String]) -> Option<SqlDialect> {
    let words: Vec<&str> = arguments.iter().flat_map(|word| word.split('=')).collect();
    match words[..] {
        [] | ["--dialect", "postgres"] => Some(SqlDialect::Postgres),
        ["--dialect", "mysql"] => Some(SqlDialect::MySql),
        _ => None,
    }
}

/// One answer per line, each as soon as it is known. Lines are bytes: they may be no text at all.
fn answer_all(dialect: SqlDialect, mut input: impl BufRead, mut out: impl Write) -> io::Result<()> {
    let rules = Rules::default();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let answer = match serde_json::from_slice::<Value>(&line) {
            Ok(value) => match value["sql"].as_str() {
                Some(sql) => judge(dialect, sql, &rules),
                None => json!({ "error": "no text under \"sql\"" }),
            },
            Err(error) => json!({ "error": format!("not JSON: {error}") }),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
        line.clear();
    }
    Ok(())
}

fn judge(dialect: SqlDialect, sql: &str, rules: &Rules) -> Value {
    let found = classify(dialect, sql, rules);
    let verdict = match found.verdict() {
        Verdict::Lock => "lock",
        Verdict::Read => "read",
        Verdict::Session => "session",
        Verdict::Transaction(_) => "transaction",
        Verdict::Write => "write",
    };
    let route = match found.route() {
        Target::Reader => "reader",
        Target::Writer => "writer",
    };
    json!({
        "verdict": verdict,
        "route": route,
        "rerunnable": found.rerunnable(),
        "reason": found.reason(),
    })
}
