//! The program itself, with small numbers.

use std::process::Command;

/// No stale read in a session or by token, some where nothing is promised, no bound broken: all
/// that the program fails for.
#[test]
fn every_promise_is_kept_and_the_check_can_fail() {
    let program = env!("CARGO_BIN_EXE_aurora-freshness");
    let options = ["--pairs", "3000", "--bounded", "2", "--share", "0.5", "--json"];
    let done = Command::new(program).args(options).output().unwrap();
    let (out, words) =
        (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}\n{words}");
    let report: serde_json::Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!(report["session"]["pairs"], 2000, "{report:#}");
    assert!(report["session"]["reads"].as_u64() > Some(2000), "{report:#}");
    assert!(report["token"]["reads"].as_u64() >= Some(1000), "{report:#}");
    for part in ["session", "token", "bounded"] {
        let share = report[part]["by_readers_percent"].as_f64();
        assert!(share > Some(1.0), "readers have to serve some of it: {report:#}");
    }
}
