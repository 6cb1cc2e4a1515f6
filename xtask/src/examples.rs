//! Every program of the examples crate is run: an example that does not work is a defect.

use std::path::PathBuf;
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
        Step::new(&program).limit(LIMIT).run()?;
        eprintln!("     example {name}: {:.1} s", begin.elapsed().as_secs_f64());
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
