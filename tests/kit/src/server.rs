//! The process of a server: its start, its signals, its end.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::account::{Account, tail};
use crate::spawner::Spawner;
use crate::{KitError, guarded, process};

/// The longest wait for a server to start or to stop.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(30);

/// A server that works in a directory of its own, whatever its engine.
#[derive(Debug)]
pub(crate) struct Server {
    data: PathBuf,
    log: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Server {
    pub(crate) fn new(data: PathBuf, log: PathBuf) -> Self {
        Self { data, log, child: Mutex::new(None) }
    }

    /// A command for this program that the kernel kills when we die.
    pub(crate) fn command(account: Account, program: &Path) -> Command {
        let mut command = account.command("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        command
    }

    /// Starts the server; what it writes goes to its log.
    pub(crate) fn launch(
        &self,
        action: &str,
        spawner: &Spawner,
        mut command: Command,
    ) -> Result<(), KitError> {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(KitError::io(action))?;
        let copy = log.try_clone().map_err(KitError::io(action))?;
        command.stdout(log).stderr(copy);
        let child = spawner.spawn(command).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                return KitError::MissingProgram {
                    program: "setpriv".into(),
                    package: "util-linux",
                };
            }
            KitError::Io { action: action.into(), source }
        })?;
        *guarded(&self.child) = Some(child);
        Ok(())
    }

    /// The process, if it runs.
    pub(crate) fn pid(&self) -> Option<Pid> {
        let mut child = guarded(&self.child);
        match child.as_mut()?.try_wait() {
            Ok(None) => child.as_ref().map(Pid::from_child),
            Ok(Some(_)) | Err(_) => {
                *child = None;
                None
            }
        }
    }

    /// Signals the process the kit started, and none of its children.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            process::signal(pid, signal);
        }
    }

    /// Signals the process and all its children.
    pub(crate) fn signal_all(&self, signal: Signal) {
        self.signal(signal);
        process::signal_all(&self.data, signal);
    }

    /// Ends the process and all its children at once.
    pub(crate) fn kill(&self) {
        // The parent first, so that it neither forks nor reacts to the death of a child.
        self.signal_all(Signal::KILL);
        if let Some(mut child) = guarded(&self.child).take() {
            // SIGKILL was sent, so this returns as soon as the kernel is done.
            let _ = child.wait();
        }
        // A dying process holds its sockets until it is gone.
        let _ = crate::wait_until(START_LIMIT, || process::inside(&self.data).is_empty());
    }

    /// Sends these signals one after the other, until one of them has ended the process.
    pub(crate) fn stop(&self, name: &str, signals: &[Signal]) -> Result<(), KitError> {
        for signal in signals {
            self.signal(*signal);
            if crate::wait_until(START_LIMIT, || self.pid().is_none()) {
                return Ok(());
            }
        }
        Err(KitError::Deadline { what: format!("{name} stops"), limit: START_LIMIT })
    }

    /// Removes the data directory of a server that does not run.
    pub(crate) fn wipe(&self, name: &str) -> Result<(), KitError> {
        match fs::remove_dir_all(&self.data) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(KitError::Io { action: format!("wipe {name}"), source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The end of the server's log.
    pub(crate) fn log_tail(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        tail(&String::from_utf8_lossy(&bytes))
    }
}
