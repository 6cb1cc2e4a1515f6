//! One command that is run to its end.

use std::fmt;
use std::io::{self, Write as _};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A command with what it takes to run it.
#[derive(Debug)]
pub(crate) struct Step {
    command: Command,
    limit: Option<Duration>,
}

/// A step that did not succeed.
#[derive(Debug)]
pub(crate) enum StepError {
    /// The program could not be started or waited for.
    Start { command: String, source: io::Error },
    /// The program ended with an error.
    Failed { command: String, status: ExitStatus },
    /// The program did not end in time and was killed.
    TooLong { command: String, limit: Duration },
    /// Something else, in words.
    Other(String),
}

fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

impl Step {
    pub(crate) fn new(program: impl AsRef<std::ffi::OsStr>) -> Self {
        Self { command: Command::new(program), limit: None }
    }

    /// The cargo that runs us.
    pub(crate) fn cargo(subcommand: &str) -> Self {
        Self::new(cargo()).without_package().args([subcommand])
    }

    /// The same, with all that it starts on the first processor.
    pub(crate) fn cargo_on_one_processor(subcommand: &str) -> Self {
        let step = Self::new("taskset").without_package().args(["--cpu-list", "0"]);
        step.args([cargo()]).args([subcommand])
    }

    fn without_package(mut self) -> Self {
        // What cargo told us about this package is not for its next run: build scripts that look
        // at these variables (ring's does) would run again and again.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                self.command.env_remove(&name);
            }
        }
        self
    }

    pub(crate) fn args<S: AsRef<std::ffi::OsStr>>(
        mut self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Writes what the command prints to standard error: standard output is for our result.
    pub(crate) fn printing_to_stderr(mut self) -> Self {
        self.command.stdout(io::stderr());
        self
    }

    /// Kills the command when it takes longer.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Runs the command with our input and output.
    pub(crate) fn run(mut self) -> Result<(), StepError> {
        let child = self.command.spawn().map_err(|source| self.not_started(source))?;
        let status = self.wait(child)?;
        if status.success() {
            return Ok(());
        }
        Err(StepError::Failed { command: self.to_string(), status })
    }

    /// Runs the command and returns what it writes to standard output.
    pub(crate) fn output(mut self) -> Result<Vec<u8>, StepError> {
        self.command.stderr(Stdio::inherit());
        let output: Output = self.command.output().map_err(|source| self.not_started(source))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(StepError::Failed { command: self.to_string(), status: output.status })
    }

    /// Runs the command with this input and returns what it writes to standard output.
    pub(crate) fn answer_to(mut self, input: Vec<u8>) -> Result<Vec<u8>, StepError> {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = self.command.spawn().map_err(|source| self.not_started(source))?;
        let pipe = child.stdin.take();
        // Written beside: a program that answers while it reads would wait for us for ever.
        let writer = thread::spawn(move || pipe.map(|mut pipe| pipe.write_all(&input)));
        let output = child.wait_with_output().map_err(|source| self.not_started(source))?;
        // A program that does not read to the end says so by its answers.
        drop(writer.join());
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(StepError::Failed { command: self.to_string(), status: output.status })
    }

    /// Runs the command; whether it succeeded, and all that it wrote.
    pub(crate) fn told(mut self) -> Result<(bool, String), StepError> {
        let output = self.command.stdin(Stdio::null()).output();
        let output = output.map_err(|source| self.not_started(source))?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok((output.status.success(), text))
    }

    /// Runs the command and returns what it writes to standard output, however it ends.
    pub(crate) fn output_of_any_end(mut self) -> Result<Vec<u8>, StepError> {
        self.command.stderr(Stdio::inherit());
        let output: Output = self.command.output().map_err(|source| self.not_started(source))?;
        Ok(output.stdout)
    }

    /// Whether the command can be run and succeeds; what it prints is dropped.
    pub(crate) fn succeeds(mut self) -> bool {
        self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.command.status().is_ok_and(|status| status.success())
    }

    fn wait(&self, mut child: Child) -> Result<ExitStatus, StepError> {
        let Some(limit) = self.limit else {
            return child.wait().map_err(|source| self.not_started(source));
        };
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = child.try_wait().map_err(|source| self.not_started(source))? {
                return Ok(status);
            }
            if Instant::now() >= end {
                // Already gone is as good as killed.
                let _ = child.kill();
                let _ = child.wait();
                return Err(StepError::TooLong { command: self.to_string(), limit });
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn not_started(&self, source: io::Error) -> StepError {
        StepError::Start { command: self.to_string(), source }
    }
}

impl fmt::Display for Step {
    /// The command as one would type it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.command.get_envs() {
            let Some(value) = value else { continue };
            write!(f, "{}=\"{}\" ", name.to_string_lossy(), value.to_string_lossy())?;
        }
        let program = std::path::Path::new(self.command.get_program());
        f.write_str(&program.file_name().unwrap_or(program.as_os_str()).to_string_lossy())?;
        self.command.get_args().try_for_each(|word| write!(f, " {}", word.to_string_lossy()))
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { command, source } => write!(f, "`{command}` could not be run: {source}"),
            Self::Failed { command, status } => write!(f, "`{command}` failed: {status}"),
            Self::TooLong { command, limit } => {
                write!(f, "`{command}` was killed: not done within {limit:?}")
            }
            Self::Other(problem) => f.write_str(problem),
        }
    }
}

impl std::error::Error for StepError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_shown_as_one_would_type_it() {
        let step = Step::new("/usr/bin/apt-get").args(["install", "--yes"]).env("A", "b c");
        assert_eq!(step.to_string(), "A=\"b c\" apt-get install --yes");
    }

    #[test]
    fn a_failure_names_the_command_and_a_late_one_is_killed() {
        let error = Step::new("false").run().unwrap_err().to_string();
        assert!(error.contains("`false` failed"), "{error}");
        let begin = Instant::now();
        let late = Step::new("sleep").args(["60"]).limit(Duration::from_millis(20));
        assert!(matches!(late.run(), Err(StepError::TooLong { .. })));
        assert!(begin.elapsed() < Duration::from_secs(30));
        assert!(!Step::new("no-such-program-at-all").succeeds());
    }
}
