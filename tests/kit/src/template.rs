//! The data directory every cluster starts from, made once per server version and kept.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::account::{Account, feed, run};
use crate::install::Install;
use crate::{KitError, PASSWORD, home, settings};

/// The role of the application and its database, and the role of the kit itself.
const ROLES: &str = include_str!("roles.sql");
/// What makes a server answer as Aurora does.
const AURORA: &str = include_str!("aurora.sql");

/// The template for this version and kind of cluster; made now if there is none yet.
pub(crate) fn prepare(
    root: &Path,
    install: &Install,
    account: Account,
    aurora: bool,
) -> Result<PathBuf, KitError> {
    let kind = if aurora { "aurora" } else { "plain" };
    let name = format!("pg{}-{kind}-{:016x}", install.version, fingerprint());
    let finished = root.join("templates").join(&name);
    let _lock = home::lock(&root.join(format!("{name}.lock")))?;
    if finished.exists() {
        return Ok(finished);
    }
    let unfinished = finished.with_extension("new");
    if unfinished.exists() {
        // Its maker died; we hold the lock.
        fs::remove_dir_all(&unfinished).map_err(KitError::io("remove a half-made template"))?;
    }
    Template { install, account, directory: &unfinished }.build(aurora)?;
    fs::rename(&unfinished, &finished).map_err(KitError::io("put the template in place"))?;
    Ok(finished)
}

/// Copies a data directory of a server that does not run.
pub(crate) fn copy(account: Account, from: &Path, to: &Path) -> Result<(), KitError> {
    let mut command = account.command("cp");
    command.args(["-a", "--reflink=auto", "--"]).arg(from).arg(to);
    run("copy a data directory", &mut command)
}

/// Gives a data directory an identity of its own: every copy of the template has the same.
///
/// The identifier is the first field of `pg_control`. The damaged checksum is what makes
/// `pg_resetwal -f` write a new one, together with a log that carries the new identifier.
pub(crate) fn new_identity(
    install: &Install,
    account: Account,
    data: &Path,
    identifier: u64,
) -> Result<(), KitError> {
    use std::os::unix::fs::FileExt;
    let control = data.join("global/pg_control");
    fs::File::options()
        .write(true)
        .open(&control)
        .and_then(|file| file.write_all_at(&identifier.to_ne_bytes(), 0))
        .map_err(KitError::io("write pg_control"))?;
    let mut command = account.command(install.program("pg_resetwal"));
    run("pg_resetwal", command.arg("-f").arg("-D").arg(data))?;
    // The new log says `wal_level = minimal`, with which no reader would start. A moment of a
    // server without users makes it tell the truth.
    let mut command = account.command(install.program("postgres"));
    run("adopt the new identity", command.arg("--single").arg("-D").arg(data).arg("postgres"))
}

struct Template<'a> {
    install: &'a Install,
    account: Account,
    directory: &'a Path,
}

impl Template<'_> {
    fn build(&self, aurora: bool) -> Result<(), KitError> {
        let mut initdb = self.account.command(self.install.program("initdb"));
        initdb.arg("-D").arg(self.directory);
        // The C locale exists everywhere; passwords are set below, nothing listens until then.
        initdb.args(["-U", "kit", "-E", "UTF8", "--locale=C", "--no-sync", "-A", "scram-sha-256"]);
        let secret = self.directory.with_extension("secret");
        fs::write(&secret, PASSWORD).map_err(KitError::io("write the password file"))?;
        let readable = fs::Permissions::from_mode(0o644);
        fs::set_permissions(&secret, readable).map_err(KitError::io("open the password file"))?;
        let made = run("initdb", initdb.arg("--pwfile").arg(&secret));
        fs::remove_file(&secret).map_err(KitError::io("remove the password file"))?;
        made?;
        self.append("postgresql.conf", settings::FIXED)?;
        self.append("pg_hba.conf", settings::ACCESS)?;
        if aurora {
            // New databases are copies of template1; `postgres` exists already.
            self.execute("template1", AURORA)?;
            self.execute("postgres", AURORA)?;
        }
        self.execute("postgres", &ROLES.replace("{password}", PASSWORD))
    }

    fn append(&self, file: &str, text: &str) -> Result<(), KitError> {
        let path = self.directory.join(file);
        fs::File::options()
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(KitError::io(format!("append to {file}")))
    }

    /// Runs SQL without a server: `-O` allows objects in `pg_catalog`, `-j` makes a semicolon
    /// and an empty line the end of a statement.
    fn execute(&self, database: &str, sql: &str) -> Result<(), KitError> {
        let action = format!("prepare database {database}");
        let mut command = self.account.command(self.install.program("postgres"));
        command.args(["--single", "-j", "-O", "-c", "exit_on_error=on", "-D"]).arg(self.directory);
        command.arg(database);
        feed(&action, &mut command, sql)
    }
}

/// Changes whenever the content of the templates would.
fn fingerprint() -> u64 {
    let mut hasher = DefaultHasher::new();
    (settings::FIXED, settings::ACCESS, ROLES, AURORA, PASSWORD).hash(&mut hasher);
    hasher.finish()
}
