//! Single processes of a server, which the kit has no verb for.

use std::path::Path;
use std::process::Command;

/// Sends SIGKILL to a process.
pub(super) fn kill(process: i32) {
    signal(process, "KILL");
}

/// Sends a signal to a process.
pub(super) fn signal(process: i32, signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &process.to_string()]).status().unwrap();
    assert!(status.success(), "kill -s {signal} {process}: {status}");
}

/// Whether the process has not ended.
pub(super) fn is_alive(process: i32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}
