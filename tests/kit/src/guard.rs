//! A tiny process that cleans up when the test process could not: after SIGKILL, abort, or OOM.
//!
//! It waits for the end of a pipe whose other end only the test process holds. The kernel's
//! parent-death signal already ends the postmasters; the guard also ends what outlives them
//! (stopped or busy backends), lets lost packets pass again, and removes the files. What even the guard misses is swept by the
//! next cluster that starts.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// `$1` is the cluster's directory, `$2` how the addresses of its network begin. Three rounds,
/// because a dying postmaster may still fork.
const SCRIPT: &str = r#"
read -r _
for round in 1 2 3; do
  for process in /proc/[0-9]*; do
    case "$(readlink "$process/cwd" 2>/dev/null)" in
      "$1"/*) kill -KILL "${process#/proc/}" 2>/dev/null ;;
    esac
  done
done
for file in "$1"/*/postmaster.pid; do
  segment=$(sed -n 7p "$file" 2>/dev/null)
  [ -n "$segment" ] && ipcrm -m "${segment##* }" 2>/dev/null
done
iptables -w 5 -S INPUT 2>/dev/null | grep -F -e " $2" | sed 's/^-A/-D/' |
while read -r rule; do
  iptables -w 5 $rule
done
rm -rf "$1"
"#;

/// The guard of one cluster; dropping it dismisses the guard.
#[derive(Debug)]
pub(crate) struct Guard {
    child: Child,
}

impl Guard {
    pub(crate) fn post(directory: &Path, network: &str) -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(SCRIPT).arg("test-kit-guard").arg(directory).arg(network);
        // Its own process group: a signal to the test's group must not reach it.
        command.process_group(0).current_dir("/").stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { child: command.spawn()? })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Nothing to report: the cluster has cleaned up after itself before it dismisses us.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
