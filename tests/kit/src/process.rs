//! Processes of a server, found by their working directory.
//!
//! A postmaster and all its children keep their data directory as working directory, which stays
//! true when the postmaster is gone, stopped, or was started by a test process that has died.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// Everything that runs in `directory` or below.
pub(crate) fn inside(directory: &Path) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .filter(|(_, path)| {
            fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory))
        })
        .filter_map(|(pid, _)| Pid::from_raw(pid))
        .collect()
}

/// Sends a signal; a process that has just ended is no error.
pub(crate) fn signal(pid: Pid, signal: Signal) {
    // The only possible failure for our own children is "no such process".
    let _ = kill_process(pid, signal);
}

/// Signals everything in `directory`, again and again until `done` says that nobody was missed:
/// a postmaster can have forked between the look and the signal.
pub(crate) fn signal_all(directory: &Path, what: Signal) {
    let mut told: Vec<Pid> = Vec::new();
    loop {
        let fresh: Vec<Pid> =
            inside(directory).into_iter().filter(|pid| !told.contains(pid)).collect();
        if fresh.is_empty() {
            return;
        }
        fresh.iter().for_each(|pid| signal(*pid, what));
        told.extend(fresh);
    }
}

/// Removes the System V segment that a killed postmaster left, as named in its `postmaster.pid`.
///
/// PostgreSQL keeps one tiny segment per data directory as an interlock and removes it on a clean
/// exit only; thousands of kills would use up the kernel's table. The key and the creator are
/// compared first, so that a number reused by somebody else is never removed.
pub(crate) fn forget_shared_memory(data: &Path) {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else { return };
    let lines: Vec<&str> = text.lines().collect();
    let (Some(pid), Some(segment)) = (lines.first(), lines.get(6)) else { return };
    let mut fields = segment.split_whitespace();
    let (Some(key), Some(id)) = (fields.next(), fields.next()) else { return };
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    if table.lines().any(|row| is_segment(row, key, id, pid.trim())) {
        let mut command = Command::new("ipcrm");
        command.args(["-m", id]).stdout(Stdio::null()).stderr(Stdio::null());
        // Best effort: a segment that stays costs 56 bytes.
        let _ = command.status();
    }
}

/// Is this row of `/proc/sysvipc/shm` (key, id, mode, size, creator, ...) the segment we mean?
fn is_segment(row: &str, key: &str, id: &str, creator: &str) -> bool {
    let fields: Vec<&str> = row.split_whitespace().collect();
    let same_key = |field: &str| {
        // postmaster.pid prints the key unsigned, the kernel's table prints it signed.
        let number = |text: &str| text.parse::<i64>().ok().map(|n| n & 0xFFFF_FFFF);
        number(field).is_some() && number(field) == number(key)
    };
    fields.len() > 4 && same_key(fields[0]) && fields[1] == id && fields[4] == creator
}
