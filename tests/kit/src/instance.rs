//! One server: its files, its process, and the kit's own session on it.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::account::Account;
use crate::chaos::ChaosProxy;
use crate::control::Control;
use crate::install::Install;
use crate::server::{START_LIMIT, Server};
use crate::spawner::Spawner;
use crate::wait::wait_for;
use crate::{KitError, guarded, home, process, settings};

/// `DB_IN_PRODUCTION` of PostgreSQL's `DBState` (`catalog/pg_control.h`), at byte 16 of
/// `pg_control`: what `pg_ctl promote` waits for.
const IN_PRODUCTION: u32 = 6;

/// What it takes to run programs and servers.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) install: Install,
    pub(crate) account: Account,
    pub(crate) spawner: Spawner,
}

#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) name: String,
    /// Where the server listens.
    pub(crate) address: Ipv4Addr,
    /// Where clients connect: the proxy's address, or the server's own.
    pub(crate) public: Ipv4Addr,
    pub(crate) port: u16,
    pub(crate) proxy: Option<Arc<ChaosProxy>>,
    pub(crate) data: PathBuf,
    pub(crate) control: Control,
    settings: Mutex<BTreeMap<String, String>>,
    server: Server,
}

impl Instance {
    pub(crate) fn new(
        name: String,
        (address, public): (Ipv4Addr, Ipv4Addr),
        port: u16,
        proxy: Option<Arc<ChaosProxy>>,
        directory: &Path,
    ) -> Self {
        let last = address.octets()[3];
        let data = directory.join(last.to_string());
        let basics = [
            ("listen_addresses", address.to_string()),
            ("port", port.to_string()),
            ("cluster_name", name.clone()),
        ];
        Self {
            name,
            address,
            public,
            port,
            proxy,
            server: Server::new(data.clone(), directory.join(format!("{last}.log"))),
            data,
            control: Control::new(address, port),
            settings: Mutex::new(basics.map(|(key, value)| (key.to_owned(), value)).into()),
        }
    }

    /// Changes a setting in memory; [`Self::apply`] tells the server.
    pub(crate) fn set(&self, name: &str, value: impl Into<String>) {
        guarded(&self.settings).insert(name.to_owned(), value.into());
    }

    /// Writes the settings and lets the server, if there is one, read them.
    pub(crate) fn apply(&self) -> Result<(), KitError> {
        let text = settings::render(&guarded(&self.settings));
        home::replace(&self.data.join(settings::FILE), &text)?;
        self.server.signal(Signal::HUP);
        Ok(())
    }

    /// [`Self::apply`], and waits until the server has read them and told all its sessions.
    pub(crate) fn apply_and_wait(&self) -> Result<(), KitError> {
        const LOADED: &str = "SELECT pg_conf_load_time()";
        let before = self.control.rows(LOADED)?;
        self.apply()?;
        let what = || format!("{} reads its settings", self.name);
        wait_for(what, Duration::from_secs(5), || Ok(self.control.rows(LOADED)? != before))
    }

    /// Makes the next start one as a reader.
    pub(crate) fn mark_as_reader(&self, account: Account) -> Result<(), KitError> {
        let mark = self.data.join("standby.signal");
        fs::write(&mark, "").map_err(KitError::io("write standby.signal"))?;
        account.own(&mark)
    }

    /// Starts the server and waits until it accepts connections.
    pub(crate) fn start(&self, tools: &Tools) -> Result<(), KitError> {
        self.launch(tools)?;
        self.wait_ready()
    }

    /// Starts the server.
    pub(crate) fn launch(&self, tools: &Tools) -> Result<(), KitError> {
        self.clear_leftovers();
        self.apply()?;
        let program = tools.install.program("postgres");
        let mut command = Server::command(tools.account, &program);
        command.arg("-D").arg(&self.data);
        self.server.launch(&format!("start {}", self.name), &tools.spawner, command)?;
        if let Some(proxy) = &self.proxy {
            proxy.server_starts();
        }
        Ok(())
    }

    /// Waits until the server accepts connections, as its `postmaster.pid` tells.
    pub(crate) fn wait_ready(&self) -> Result<(), KitError> {
        let what = || format!("{} starts; its log ends: {}", self.name, self.log_tail());
        wait_for(what, START_LIMIT, || {
            let Some(pid) = self.pid() else {
                let action = format!("start {}", self.name);
                return Err(KitError::Failed { action, detail: self.log_tail() });
            };
            let status = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
            let lines: Vec<&str> = status.lines().map(str::trim).collect();
            let own = pid.as_raw_nonzero().to_string();
            Ok(lines.first() == Some(&own.as_str()) && lines.get(7) == Some(&"ready"))
        })?;
        let listen = |proxy: &Arc<ChaosProxy>| proxy.server_runs();
        let listening = self.proxy.as_ref().map_or(Ok(()), listen);
        listening.map_err(KitError::io(format!("let the proxy of {} listen", self.name)))
    }

    /// The postmaster's process, if it runs.
    pub(crate) fn pid(&self) -> Option<Pid> {
        self.server.pid()
    }

    /// Ends the postmaster and all its children at once.
    pub(crate) fn kill(&self) {
        self.server.kill();
        self.control.forget();
        self.tell_proxy_of_end();
    }

    /// A fast shutdown; an immediate one when that takes too long.
    pub(crate) fn stop(&self) -> Result<(), KitError> {
        self.control.forget();
        self.server.stop(&self.name, &[Signal::INT, Signal::QUIT])?;
        self.tell_proxy_of_end();
        Ok(())
    }

    /// Stops or continues the postmaster and all its children.
    pub(crate) fn signal_all(&self, signal: Signal) {
        self.server.signal_all(signal);
    }

    /// Asks the server to end recovery, as `pg_ctl promote` does; needs no connection.
    pub(crate) fn request_promotion(&self) -> Result<(), KitError> {
        fs::write(self.data.join("promote"), "")
            .map_err(KitError::io(format!("promote {}", self.name)))?;
        self.server.signal(Signal::USR1);
        Ok(())
    }

    /// Has the promotion been carried out?
    pub(crate) fn is_in_production(&self) -> Result<bool, KitError> {
        let control = fs::read(self.data.join("global/pg_control"))
            .map_err(KitError::io(format!("read pg_control of {}", self.name)))?;
        let state = control.get(16..20).and_then(|bytes| bytes.try_into().ok());
        Ok(state.map(u32::from_ne_bytes) == Some(IN_PRODUCTION))
    }

    /// Removes the data directory of a server that does not run.
    pub(crate) fn wipe(&self) -> Result<(), KitError> {
        self.clear_leftovers();
        self.server.wipe(&self.name)
    }

    /// The end of the server's log.
    pub(crate) fn log_tail(&self) -> String {
        self.server.log_tail()
    }

    /// Removes what a killed server left: it would keep a new one from starting if its number
    /// has been given to another process.
    fn clear_leftovers(&self) {
        process::forget_shared_memory(&self.data);
        // Absent after a clean stop.
        let _ = fs::remove_file(self.data.join("postmaster.pid"));
    }

    /// From now on clients are refused, as they would be without a proxy.
    fn tell_proxy_of_end(&self) {
        if let Some(proxy) = &self.proxy {
            // Closing a socket does not fail.
            let _ = proxy.server_ended(SocketAddr::from((self.address, self.port)));
        }
    }
}
