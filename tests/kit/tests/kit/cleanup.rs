//! Nothing stays behind, however a cluster ends.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use test_kit::{PgCluster, wait_until};

use crate::SOON;

/// Makes the copy of this test program that is killed start a cluster and wait.
pub(crate) const VICTIM: &str = "TEST_KIT_VICTIM";

fn directory(cluster: &PgCluster) -> PathBuf {
    let pid = cluster.pid(0).expect("the writer runs");
    let data = fs::read_link(format!("/proc/{pid}/cwd")).expect("a working directory");
    data.parent().expect("a parent").to_owned()
}

/// The processes that run below a directory.
fn processes(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .map(|entry| entry.path())
        .filter(|process| {
            fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory))
        })
        .collect()
}

/// The processes that created the System V segments of this machine.
fn segment_creators() -> Vec<i32> {
    let table = fs::read_to_string("/proc/sysvipc/shm").expect("the kernel's table");
    let creator = |row: &str| row.split_whitespace().nth(4)?.parse().ok();
    table.lines().filter_map(creator).collect()
}

fn assert_gone(directory: &Path, limit: Duration) {
    let gone = wait_until(limit, || processes(directory).is_empty() && !directory.exists());
    assert!(gone, "{:?} and {directory:?} {}", processes(directory), directory.exists());
}

#[test]
fn a_dropped_cluster_leaves_nothing() {
    let cluster = PgCluster::builder().instances(3).start().expect("a cluster");
    let directory = directory(&cluster);
    assert!(processes(&directory).len() > 9);
    cluster.pause(1).expect("a pause");
    cluster.kill(2).expect("a kill");
    drop(cluster);
    assert_gone(&directory, Duration::ZERO);
}

#[test]
fn killed_servers_leave_no_shared_memory() {
    let cluster = PgCluster::builder().start().expect("a cluster");
    let mut killed = Vec::new();
    for _ in 0..5 {
        killed.push(cluster.pid(0).expect("the writer runs"));
        assert!(segment_creators().contains(&killed[killed.len() - 1]));
        cluster.kill(0).expect("a kill");
        cluster.start(0).expect("a start");
    }
    killed.push(cluster.pid(0).expect("the writer runs"));
    cluster.kill(0).expect("a kill");
    drop(cluster);
    let left = segment_creators();
    assert!(killed.iter().all(|pid| !left.contains(pid)), "{killed:?} of {left:?}");
}

#[test]
fn a_panicking_test_leaves_nothing() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let test = std::thread::spawn(move || {
        let cluster = PgCluster::builder().instances(2).start().expect("a cluster");
        sender.send(directory(&cluster)).expect("the test listens");
        panic!("as a failing test does");
    });
    assert!(test.join().is_err());
    assert_gone(&receiver.recv().expect("a directory"), Duration::ZERO);
}

#[test]
fn servers_outlive_the_thread_that_started_them() {
    let cluster = std::thread::spawn(|| PgCluster::builder().instances(2).start());
    let cluster = cluster.join().expect("the thread").expect("a cluster");
    std::thread::scope(|scope| {
        let restart = scope.spawn(|| cluster.restart(1));
        restart.join().expect("the thread").expect("a restart");
    });
    let dead = || cluster.pid(0).is_none() || cluster.pid(1).is_none();
    assert!(!wait_until(Duration::from_millis(300), dead), "{cluster:?}");
}

/// What the copy of this program does that is to be killed: a busy writer, a stopped reader.
fn be_a_victim() {
    let cluster = PgCluster::builder().instances(2).start().expect("a cluster");
    let mut busy = cluster.client(0).expect("a connection");
    let query = "SELECT count(*) FROM generate_series(1, 1000000000)";
    std::thread::spawn(move || drop(busy.batch_execute(query)));
    cluster.pause(1).expect("a pause");
    let line = format!("directory {}\n", directory(&cluster).display());
    std::io::stdout().write_all(line.as_bytes()).expect("the other copy reads");
    std::thread::park_timeout(Duration::from_secs(60));
}

/// Starts a copy of this program that runs only `test`, which must call [`be_a_victim`].
fn start_victim(test: &str) -> (Child, PathBuf) {
    let (child, directory) = start_victim_that_tells(test, "directory ");
    let directory = PathBuf::from(directory);
    assert!(processes(&directory).len() > 6);
    (child, directory)
}

/// Starts a copy of this program that runs only `test`, until it has printed something after
/// these words.
pub(crate) fn start_victim_that_tells(test: &str, words: &str) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().expect("our own path"))
        .args(["--exact", test, "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a copy of this program");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let told = lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once(words).map(|(_, told)| told.to_owned()))
        .expect("the copy starts a cluster");
    (child, told)
}

/// The process number of a cluster's guard.
fn guard_of(directory: &Path) -> String {
    let is_guard = |process: &PathBuf| {
        let words = fs::read(process.join("cmdline")).unwrap_or_default();
        let mut words = words.split(|byte| *byte == 0);
        words.any(|word| word == b"test-kit-guard")
            && words.any(|word| word == directory.as_os_str().as_encoded_bytes())
    };
    let entries = fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
    let guard = entries.into_iter().find(is_guard).expect("a guard");
    guard.file_name().expect("a number").to_string_lossy().into_owned()
}

/// The process numbers in the `postmaster.pid` files of a cluster.
fn postmasters(directory: &Path) -> Vec<String> {
    ["1", "2"]
        .iter()
        .filter_map(|data| fs::read_to_string(directory.join(data).join("postmaster.pid")).ok())
        .filter_map(|text| text.lines().next().map(str::to_owned))
        .collect()
}

/// A process that has ended but was not waited for has no working directory any more.
fn is_alive(pid: &str) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok()
}

pub(crate) fn kill(mut child: Child) {
    child.kill().expect("SIGKILL");
    child.wait().expect("its end");
}

#[test]
fn a_killed_test_process_leaves_nothing() {
    if std::env::var_os(VICTIM).is_some() {
        return be_a_victim();
    }
    let (child, directory) = start_victim("cleanup::a_killed_test_process_leaves_nothing");
    kill(child);
    assert_gone(&directory, SOON);
}

#[test]
fn without_its_guard_the_servers_still_end_and_the_rest_is_swept() {
    if std::env::var_os(VICTIM).is_some() {
        return be_a_victim();
    }
    let test = "cleanup::without_its_guard_the_servers_still_end_and_the_rest_is_swept";
    let (child, directory) = start_victim(test);
    let guard = guard_of(&directory);
    assert!(Command::new("kill").args(["-KILL", &guard]).status().expect("kill runs").success());
    let listening = || postmasters(&directory).iter().any(|pid| is_alive(pid));
    assert!(listening());
    kill(child);
    assert!(wait_until(SOON, || !listening()), "the kernel ends the postmasters");
    // Or another test has swept it already.
    drop(PgCluster::builder().start().expect("the next cluster"));
    assert_gone(&directory, SOON);
}
