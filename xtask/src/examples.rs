//! Every program of the examples crate is run: an example that does not work is a defect.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::step::{Step, StepError};

/// How long one example may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Builds all examples, then runs each.
pub(crate) fn run() -> Result<(), StepError> {
    let build = ["--package", "aurora-examples", "--bins", "--examples"];
    let messages =
        Step::cargo("build").args(build).args(["--message-format=json-render-diagnostics"]);
    for (name, program) in programs(&messages.output()?) {
        let begin = Instant::now();
        eprintln!("     example {name}");
        match name.as_str() {
            "classify" => classify(&program)?,
            _ => Step::new(&program).limit(LIMIT).run()?,
        }
        eprintln!("     example {name}: {:.1} s", begin.elapsed().as_secs_f64());
    }
    Ok(())
}

/// A line for the example that answers lines, and its verdict, its route and whether it may be run
/// again; `None` if the line says nothing that could be judged.
type Line = (&'static [u8], Option<(&'static str, &'static str, bool)>);

/// What both dialects judge alike; one line is no text, one no JSON.
const OF_BOTH: [Line; 7] = [
    (br#"{"sql": "SELECT * FROM t WHERE id = 1"}"#, Some(("read", "reader", true))),
    (br#"{"sql": "SELECT f(1)"}"#, Some(("read", "reader", false))),
    (br#"{"sql": "SELECT * FROM t FOR UPDATE"}"#, Some(("lock", "writer", false))),
    (b"{\"sql\": \"\xff\"}", None),
    (b"SELECT 1", None),
    (br#"{"sql": 1}"#, None),
    (br#"{"sql": "COMMIT"}"#, Some(("transaction", "writer", false))),
];
const OF_POSTGRES: [Line; 3] = [
    (br#"{"sql": "SELECT \"a\" FROM t WHERE id = $1"}"#, Some(("read", "reader", true))),
    (
        br#"{"sql": "WITH d AS (DELETE FROM a RETURNING *) TABLE d"}"#,
        Some(("write", "writer", false)),
    ),
    (br#"{"sql": "SET x = 1"}"#, Some(("session", "writer", false))),
];
const OF_MYSQL: [Line; 4] = [
    (br#"{"sql": "SELECT `a` FROM t WHERE id = ? # why"}"#, Some(("read", "reader", true))),
    (br#"{"sql": "SELECT 1 FROM t LOCK IN SHARE MODE"}"#, Some(("lock", "writer", false))),
    (br#"{"sql": "SELECT LAST_INSERT_ID()"}"#, Some(("session", "writer", false))),
    (br#"{"sql": "SELECT 1 /*! INTO @a */"}"#, Some(("write", "writer", false))),
];

/// Asks the example that answers lines, under both dialects.
fn classify(program: &Path) -> Result<(), StepError> {
    for (dialect, own) in [("postgres", &OF_POSTGRES[..]), ("mysql", &OF_MYSQL[..])] {
        let lines: Vec<&Line> = OF_BOTH.iter().chain(own).collect();
        let input = lines.iter().map(|(line, _)| *line).collect::<Vec<_>>().join(&b'\n');
        let step = Step::new(program).args(["--dialect", dialect]);
        let answers = String::from_utf8_lossy(&step.answer_to(input)?).into_owned();
        let all = answers.lines().count() == lines.len();
        if !all || !answers.lines().zip(lines).all(|(answer, (_, judged))| fits(answer, *judged)) {
            let text = format!("classify --dialect {dialect} answers:\n{answers}");
            return Err(StepError::Other(text));
        }
    }
    Ok(())
}

/// Whether the answer says just this, with a reason.
fn fits(answer: &str, judged: Option<(&str, &str, bool)>) -> bool {
    let Ok(answer) = serde_json::from_str::<Value>(answer) else { return false };
    match judged {
        None => answer["error"].is_string() && answer["reason"].is_null(),
        Some((verdict, route, rerunnable)) => {
            answer["verdict"] == verdict
                && answer["route"] == route
                && answer["rerunnable"] == rerunnable
                && answer["reason"].is_string()
        }
    }
}

/// The programs that cargo says it has built, by name.
fn programs(messages: &[u8]) -> Vec<(String, PathBuf)> {
    let mut programs: Vec<(String, PathBuf)> = messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_owned();
            Some((name, message["executable"].as_str()?.into()))
        })
        .collect();
    programs.sort();
    programs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_read_from_the_messages_of_cargo() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"lib"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"b"},"executable":"/t/b"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"a"},"executable":"/t/a"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
            "\n",
        );
        let expected = [("a".to_owned(), "/t/a".into()), ("b".to_owned(), "/t/b".into())];
        assert_eq!(programs(messages.as_bytes()), expected);
    }
}
