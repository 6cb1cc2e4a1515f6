//! The user the servers run as: PostgreSQL refuses to run as root.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, getuid};

use crate::wait::within;
use crate::{KitError, process};

/// Whom to become before running a server program.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Account {
    /// We are not root: run as ourselves.
    Ourselves,
    /// We are root: drop to this user and group.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// `postgres` (or `nobody` when there is no such user) for root, ourselves for everybody else.
    pub(crate) fn detect() -> Result<Self, KitError> {
        if !getuid().is_root() {
            return Ok(Self::Ourselves);
        }
        let users = fs::read_to_string("/etc/passwd").map_err(KitError::io("read /etc/passwd"))?;
        let (uid, gid) = look_up(&users, "postgres")
            .or_else(|| look_up(&users, "nobody"))
            .unwrap_or((65_534, 65_534));
        Ok(Self::Other { uid, gid })
    }

    /// Lets a directory or file belong to the servers' user.
    pub(crate) fn own(self, path: &Path) -> Result<(), KitError> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(uid), Some(gid))
                .map_err(KitError::io(format!("change the owner of {}", path.display()))),
        }
    }

    /// A command that runs as the servers' user, outside our process group so that a Ctrl-C in
    /// the terminal reaches the test program only.
    pub(crate) fn command(self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        // The current directory may be closed to that user, and the variables of the caller's
        // own PostgreSQL sessions must not leak into the cluster.
        command.current_dir("/").process_group(0).stdin(Stdio::null());
        for name in ["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGOPTIONS"] {
            command.env_remove(name);
        }
        command
    }
}

/// The longest time a program may take: a copy of a large database is the slowest.
const PROGRAM_LIMIT: Duration = Duration::from_secs(120);

/// Runs a command to its end.
pub(crate) fn run(action: &str, command: &mut Command) -> Result<(), KitError> {
    feed(action, command, "")
}

/// Runs a command to its end with this input; a failure carries the end of what it wrote.
pub(crate) fn feed(action: &str, command: &mut Command, input: &str) -> Result<(), KitError> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(KitError::io(action))?;
    let (pid, stdin, input) = (Pid::from_child(&child), child.stdin.take(), input.to_owned());
    let output = within(PROGRAM_LIMIT, move || {
        if let Some(mut stdin) = stdin {
            // It reads all of it unless it fails, and then its own message is the better one.
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output()
    });
    let Some(output) = output else {
        process::signal(pid, Signal::KILL);
        return Err(KitError::Deadline { what: action.into(), limit: PROGRAM_LIMIT });
    };
    let output = output.map_err(KitError::io(action))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    Err(KitError::Failed { action: action.into(), detail: tail(&String::from_utf8_lossy(&text)) })
}

/// The last twelve lines of a text.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// User and group number of a user in the text of `/etc/passwd`.
fn look_up(users: &str, name: &str) -> Option<(u32, u32)> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
