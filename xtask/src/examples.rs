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

/// Lines for the example that answers lines, and what its answers must contain; one line is no text,
/// one no JSON.
const LINES: [(&[u8], &[&str]); 9] = [
    (br#"{"sql": "SELECT * FROM t WHERE id = $1"}"#, &[r#""read""#, r#""reader""#, "true"]),
    (br#"{"sql": "SELECT f(1)"}"#, &[r#""read""#, r#""reader""#, "false"]),
    (
        br#"{"sql": "WITH d AS (DELETE FROM a RETURNING *) TABLE d"}"#,
        &[r#""write""#, r#""writer""#],
    ),
    (b"{\"sql\": \"\xff\"}", &[r#""error""#]),
    (br#"{"sql": "SELECT * FROM t FOR UPDATE"}"#, &[r#""lock""#, r#""writer""#, "false"]),
    (b"SELECT 1", &[r#""error""#]),
    (br#"{"sql": 1}"#, &[r#""error""#]),
    (br#"{"sql": "SET x = 1"}"#, &[r#""session""#, r#""writer""#]),
    (br#"{"sql": "COMMIT"}"#, &[r#""transaction""#, r#""writer""#]),
];

/// Asks the example that answers lines, under both dialects.
fn classify(program: &Path) -> Result<(), StepError> {
    for dialect in ["postgres", "mysql"] {
        let step = Step::new(program).args(["--dialect", dialect]);
        let input = LINES.map(|(line, _)| line).join(&b'\n');
        let answers = String::from_utf8_lossy(&step.answer_to(input)?).into_owned();
        let answers: Vec<&str> = answers.lines().collect();
        let fits = |(answer, expected): (&str, &[&str])| {
            // What PostgreSQL only reads may be something else to MySQL; what goes to the writer
            // and what is no input is so to both.
            let of_both = |part: &&&str| {
                dialect == "postgres" || [r#""writer""#, r#""error""#].contains(*part)
            };
            let one = answer.contains(r#""reason""#) != answer.contains(r#""error""#);
            one && expected.iter().filter(of_both).all(|part| answer.contains(part))
        };
        let expected = LINES.map(|(_, expected)| expected);
        if answers.len() != LINES.len() || !answers.iter().copied().zip(expected).all(fits) {
            let text = format!("classify --dialect {dialect} answers:\n{}", answers.join("\n"));
            return Err(StepError::Other(text));
        }
    }
    Ok(())
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
