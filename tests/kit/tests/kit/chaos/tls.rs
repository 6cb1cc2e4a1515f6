//! Encrypted connections: the proxy passes them on and can still break a record.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::PathBuf;
use std::process::{Command, Output};

use test_kit::chaos::{Aim, Loss, Mishap};
use test_kit::{PgCluster, wait_until};

use super::{aside, proxied};
use crate::SOON;

/// A certificate that the instance has signed itself, in a directory that is removed at the end.
struct Certificate {
    folder: PathBuf,
}

impl Certificate {
    /// Makes the writer accept encrypted connections.
    fn install(cluster: &PgCluster) -> Self {
        let name = format!("chaos-tls-{}-{}", std::process::id(), cluster.address(0).0);
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a directory");
        let this = Self { folder };
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=kit"]);
        command.args(["-keyout", &this.path("key"), "-out", &this.path("certificate")]);
        let output = command.output().expect("openssl runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let process = format!("/proc/{}", cluster.pid(0).expect("it runs"));
        let owner = fs::metadata(process).expect("its user").uid();
        chown(this.path("key"), Some(owner), None).expect("the key is the server's");
        for (setting, value) in [
            ("ssl_cert_file", this.path("certificate")),
            ("ssl_key_file", this.path("key")),
            ("ssl", "on".to_owned()),
        ] {
            cluster.set_setting(0, setting, &value).expect("a setting");
        }
        this
    }

    fn path(&self, file: &str) -> String {
        self.folder.join(file).to_str().expect("text").to_owned()
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        // What stays is a key that opens nothing.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs a statement in an encrypted connection through the proxy.
fn encrypted(cluster: &PgCluster, sql: &str) -> impl FnOnce() -> Output + Send + 'static + use<> {
    let mut command = Command::new(test_kit::bin("psql").expect("psql"));
    command.env("PGSSLMODE", "require").args(["-XAtqd", &cluster.instance_url(0), "-c", sql]);
    move || command.output().expect("psql runs")
}

#[test]
fn an_encrypted_connection_passes_and_its_records_can_be_broken() {
    let (cluster, proxy) = proxied(1);
    let _certificate = Certificate::install(&cluster);
    let own = "FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let long = format!("SELECT ssl, repeat('x', 100000) {own}");
    let output = encrypted(&cluster, &long)();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.starts_with(b"t|xxx") && output.stdout.len() > 100_000);
    let mut watcher = cluster.client(0).expect("a connection");
    for mishap in [
        Mishap::ResetInMessage,
        Mishap::TruncateMessage,
        Mishap::Garbage,
        Mishap::LoseAnswer(Loss::Reset),
    ] {
        // Answered when the watcher lets go, so that the mishap meets the answer.
        watcher.batch_execute("SELECT pg_advisory_lock(7)").expect("a lock");
        let answer = aside(encrypted(&cluster, "SELECT pg_advisory_lock(7)"));
        let waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        let mut waits = || watcher.query(waiting, &[]).expect("rows").len() == 1;
        assert!(wait_until(SOON, &mut waits));
        let armed = proxy.arm(mishap, Aim::Any);
        watcher.batch_execute("SELECT pg_advisory_unlock(7)").expect("unlocked");
        let output = answer.recv_timeout(SOON).expect("an end");
        assert!(!output.status.success() && armed.has_happened(), "{mishap:?}: {output:?}");
        println!("{mishap:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
}
