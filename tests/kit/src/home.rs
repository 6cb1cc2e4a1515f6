//! Where a cluster lives: a loopback network and a directory that nobody else uses.
//!
//! `<temp>/aurora-test-kit-<uid>/clusters/127.x.y-<pid>-<n>/lock` is locked for as long as the
//! cluster lives; the kernel releases the lock when the process dies, however it dies. So a
//! directory whose lock is free belongs to nobody and is swept by the next cluster that starts.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Signal, getpid, getuid};

use crate::account::Account;
use crate::wait::wait_for;
use crate::{KitError, process};

/// Networks 127.20.0 to 127.119.255.
const NETWORKS: u32 = 100 * 256;
/// How many networks are tried before giving up on the port.
const TRIES: u32 = 32;
/// The longest wait for another process that allocates, sweeps, or builds the template.
const LOCK_LIMIT: Duration = Duration::from_secs(120);

/// The kit's directory of this user, with `clusters` and `templates` below it.
pub(crate) fn root(account: Account) -> Result<PathBuf, KitError> {
    let root = std::env::temp_dir().join(format!("aurora-test-kit-{}", getuid().as_raw()));
    for directory in [root.clone(), root.join("clusters"), root.join("templates")] {
        let action = format!("create {}", directory.display());
        fs::create_dir_all(&directory).map_err(KitError::io(action.as_str()))?;
    }
    let owner = fs::metadata(&root).map_err(KitError::io("inspect the kit's directory"))?.uid();
    if owner != getuid().as_raw() {
        let detail = format!("{} belongs to user {owner}", root.display());
        return Err(KitError::Failed { action: "create the kit's directory".into(), detail });
    }
    // The servers' user must be able to pass, whatever our umask is.
    for directory in [root.clone(), root.join("clusters")] {
        passable(&directory)?;
    }
    account.own(&root.join("templates"))?;
    Ok(root)
}

/// Opens (and creates) a file and waits until nobody else holds its lock.
pub(crate) fn lock(path: &Path) -> Result<File, KitError> {
    let action = format!("lock {}", path.display());
    let file = open(path).map_err(KitError::io(action.as_str()))?;
    wait_for(|| action.clone(), LOCK_LIMIT, || Ok(try_lock(&file)))?;
    Ok(file)
}

/// A network and a directory; both are free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Home {
    network: [u8; 3],
    pub(crate) directory: PathBuf,
    _lock: File,
}

impl Home {
    /// Sweeps what dead processes left, then takes the next free network.
    pub(crate) fn take(root: &Path, account: Account, port: u16) -> Result<Self, KitError> {
        let registry = lock(&root.join("registry.lock"))?;
        let clusters = root.join("clusters");
        let used = sweep(&clusters)?;
        // Round robin: a late client of a dropped cluster must not meet a stranger soon.
        let counter = root.join("next");
        let first: u32 = fs::read_to_string(&counter)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            // Users do not share locks: start far apart.
            .unwrap_or_else(|| getuid().as_raw().wrapping_mul(997) % NETWORKS);
        for number in (first..first + TRIES).map(|number| number % NETWORKS) {
            let network = network(number);
            if used.contains(&network) || !is_free(network, port) {
                continue;
            }
            let next = ((number + 1) % NETWORKS).to_string();
            fs::write(&counter, next).map_err(KitError::io("write the network counter"))?;
            let name = format!("{}-{}-{number}", prefix(network), getpid());
            let home = Self::furnish(network, clusters.join(name), account);
            drop(registry);
            return home;
        }
        Err(KitError::NoAddress { port })
    }

    fn furnish(network: [u8; 3], directory: PathBuf, account: Account) -> Result<Self, KitError> {
        let action = format!("create {}", directory.display());
        fs::create_dir(&directory).map_err(KitError::io(action.as_str()))?;
        passable(&directory)?;
        account.own(&directory)?;
        let lock = lock(&directory.join("lock"))?;
        Ok(Self { network, directory, _lock: lock })
    }

    /// The address of the instance with this index; the first one is `.1`.
    pub(crate) fn address(&self, index: usize) -> Option<Ipv4Addr> {
        let last = u8::try_from(index + 1).ok().filter(|last| *last < 255)?;
        let [a, b, c] = self.network;
        Some(Ipv4Addr::new(a, b, c, last))
    }

    /// What all addresses of the network begin with: `127.20.3.`.
    pub(crate) fn beginning(&self) -> String {
        format!("{}.", prefix(self.network))
    }

    /// The address of the proxy before the instance with this index; the first one is `.101`.
    pub(crate) fn proxy_address(&self, index: usize) -> Option<Ipv4Addr> {
        self.address(Some(index).filter(|index| *index < 100)? + 100)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        clear(&self.directory);
    }
}

/// Ends every process of a cluster and removes its files.
fn clear(cluster: &Path) {
    process::signal_all(cluster, Signal::KILL);
    for entry in fs::read_dir(cluster).into_iter().flatten().flatten() {
        process::forget_shared_memory(&entry.path());
    }
    // A server in its last moment may still write a file: try again until all is gone. What
    // cannot be removed now is swept by the next cluster.
    let _ = crate::wait_until(Duration::from_secs(5), || {
        fs::remove_dir_all(cluster).is_ok() || !cluster.exists()
    });
}

/// Clears the directories whose owner is gone; returns the networks of the others.
fn sweep(clusters: &Path) -> Result<Vec<[u8; 3]>, KitError> {
    let mut used = Vec::new();
    let entries = fs::read_dir(clusters).map_err(KitError::io("list the clusters"))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        // Not created if absent: then its owner is removing the directory at this moment.
        match File::open(path.join("lock")) {
            Ok(file) if !try_lock(&file) => used.extend(network_of(&path)),
            Ok(_) | Err(_) => clear(&path),
        }
    }
    Ok(used)
}

fn network(number: u32) -> [u8; 3] {
    let [_, _, high, low] = number.to_be_bytes();
    [127, 20 + high, low]
}

fn prefix([a, b, c]: [u8; 3]) -> String {
    format!("{a}.{b}.{c}")
}

fn network_of(path: &Path) -> Option<[u8; 3]> {
    let (prefix, _) = path.file_name()?.to_str()?.split_once('-')?;
    let numbers: Vec<u8> = prefix.split('.').filter_map(|part| part.parse().ok()).collect();
    numbers.try_into().ok()
}

fn passable(directory: &Path) -> Result<(), KitError> {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755))
        .map_err(KitError::io(format!("open {}", directory.display())))
}

/// Writes a file that the servers read: they see the old content or the new one, whole.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), KitError> {
    let draft = path.with_extension("new");
    fs::write(&draft, text)
        .and_then(|()| fs::set_permissions(&draft, fs::Permissions::from_mode(0o644)))
        .and_then(|()| fs::rename(&draft, path))
        .map_err(KitError::io(format!("write {}", path.display())))
}

/// Does anything else listen on the port, there or on all addresses?
fn is_free([a, b, c]: [u8; 3], port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::new(a, b, c, 1), port)).is_ok()
}

fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

fn try_lock(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_stay_in_their_range_and_are_read_back_from_directory_names() {
        assert_eq!(network(0), [127, 20, 0]);
        assert_eq!(network(NETWORKS - 1), [127, 119, 255]);
        let path = Path::new("/tmp/clusters").join(format!("{}-12-3", prefix(network(257))));
        assert_eq!(network_of(&path), Some([127, 21, 1]));
        assert_eq!(network_of(Path::new("/tmp/clusters/other")), None);
    }
}
