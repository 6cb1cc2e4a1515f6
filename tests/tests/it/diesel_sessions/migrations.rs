//! Migrations, with readers that are behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aurora_tests::stand::Stand;
use diesel::connection::SimpleConnection as _;
use diesel_migrations::{FileBasedMigrations, MigrationHarness as _};

/// A directory that is gone at the end of the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("aurora-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn migration(&self, name: &str, up: &str, down: &str) {
        let directory = self.0.join(name);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("up.sql"), up).unwrap();
        std::fs::write(directory.join("down.sql"), down).unwrap();
    }

    fn source(&self) -> FileBasedMigrations {
        let path: &Path = &self.0;
        FileBasedMigrations::from_path(path).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn migrations_run_on_the_writer_however_far_behind_the_readers_are() {
    let scratch = Scratch::new("migrations");
    scratch.migration("2026-01-01-000000_one", "CREATE TABLE one (id int);", "DROP TABLE one;");
    let two = "ALTER TABLE one ADD COLUMN name text; INSERT INTO one VALUES (1, 'a');";
    scratch.migration("2026-01-02-000000_two", two, "ALTER TABLE one DROP COLUMN name;");
    let stand = Stand::new(3);
    for reader in [1, 2] {
        stand.kit.set_replay_delay(reader, Duration::from_secs(60)).unwrap();
    }
    let [writer, one, two] = stand.counting(|| {
        let session = &mut stand.session();
        assert!(session.has_pending_migration(scratch.source()).unwrap());
        assert_eq!(session.run_pending_migrations(scratch.source()).unwrap().len(), 2);
        assert!(!session.has_pending_migration(scratch.source()).unwrap());
    });
    assert!((one, two) == (0, 0) && writer > 5, "{writer} {one} {two}");
    // Another session finds them applied, and takes the last one back.
    let session = &mut stand.session();
    assert_eq!(session.run_pending_migrations(scratch.source()).unwrap().len(), 0);
    session.revert_last_migration(scratch.source()).unwrap();
    assert_eq!(session.applied_migrations().unwrap().len(), 1);
    session.batch_execute("INSERT INTO one VALUES (2)").unwrap();
}
