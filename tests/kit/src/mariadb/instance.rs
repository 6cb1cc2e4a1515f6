//! One server: its files, its process, and the kit's own session on it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal};

use super::client::Control;
use super::front::Front;
use super::install::SERVER;
use super::proxies::Way;
use super::settings;
use crate::account::Account;
use crate::chaos::ChaosProxy;
use crate::server::{START_LIMIT, Server};
use crate::spawner::Spawner;
use crate::wait::wait_for;
use crate::{KitError, guarded, home};

#[derive(Debug)]
pub(super) struct Instance {
    /// `address:port`, or Aurora's identifier.
    pub(super) name: String,
    /// Where the server listens.
    pub(super) address: Ipv4Addr,
    /// Where clients connect: the proxy's address, or the server's own.
    pub(super) public: Ipv4Addr,
    pub(super) proxy: Option<Arc<ChaosProxy>>,
    /// Kept as long as the instance.
    _front: Option<Front>,
    pub(super) port: u16,
    pub(super) data: PathBuf,
    pub(super) control: Control,
    settings: Mutex<BTreeMap<String, String>>,
    server: Server,
}

impl Instance {
    pub(super) fn new(address: Ipv4Addr, way: Way, domain: u32, directory: &Path) -> Self {
        let Way { name, public, port, proxy, front } = way;
        let last = address.octets()[3];
        let data = directory.join(last.to_string());
        let basics = [
            ("bind_address", address.to_string()),
            ("report_host", public.to_string()),
            ("port", port.to_string()),
            ("server_id", last.to_string()),
            ("gtid_domain_id", domain.to_string()),
        ];
        Self {
            address,
            public,
            proxy,
            _front: front,
            port,
            control: Control::new(name.clone(), address, port),
            name,
            settings: Mutex::new(basics.map(|(key, value)| (key.to_owned(), value)).into()),
            server: Server::new(data.clone(), directory.join(format!("{last}.log"))),
            data,
        }
    }

    /// `address:port` as clients see them.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.public, self.port)
    }

    /// A setting for the next start.
    pub(super) fn set(&self, name: &str, value: impl Into<String>) {
        guarded(&self.settings).insert(name.to_owned(), value.into());
    }

    /// A setting for now and for the next start.
    pub(super) fn set_global(&self, name: &str, value: &str) -> Result<(), KitError> {
        self.set(name, value);
        self.control.run(&format!("SET GLOBAL {name} = {value}"))
    }

    /// Starts the server and waits until it answers.
    pub(super) fn start(&self, account: Account, spawner: &Spawner) -> Result<(), KitError> {
        self.launch(account, spawner)?;
        self.wait_ready()
    }

    pub(super) fn launch(&self, account: Account, spawner: &Spawner) -> Result<(), KitError> {
        let file = self.data.join(settings::FILE);
        home::replace(&file, &settings::render(&self.data, &guarded(&self.settings)))?;
        let mut command = Server::command(account, Path::new(SERVER));
        // The first option it reads has to be this one. The directory is given because the guard
        // finds processes by it, also one that has not come to change into it.
        command.arg(format!("--defaults-file={}", file.display()));
        command.arg(format!("--datadir={}", self.data.display())).current_dir(&self.data);
        self.server.launch(&format!("start {}", self.name), spawner, command)
    }

    pub(super) fn wait_ready(&self) -> Result<(), KitError> {
        let what = || format!("{} starts; its log ends: {}", self.name, self.log_tail());
        wait_for(what, START_LIMIT, || {
            if self.pid().is_none() {
                let action = format!("start {}", self.name);
                return Err(KitError::Failed { action, detail: self.log_tail() });
            }
            Ok(self.control.query("SELECT 1").is_ok())
        })?;
        let listening = self.proxy.as_ref().map_or(Ok(()), |proxy| proxy.server_runs());
        listening.map_err(KitError::io(format!("let the proxy of {} listen", self.name)))
    }

    /// From now on clients are refused, as they would be without a proxy.
    fn tell_proxy_of_end(&self) {
        if let Some(proxy) = &self.proxy {
            // Closing a socket does not fail.
            let _ = proxy.server_ended(proxy.target());
        }
    }

    /// The server's process, if it runs.
    pub(super) fn pid(&self) -> Option<Pid> {
        self.server.pid()
    }

    /// Ends the server at once.
    pub(super) fn kill(&self) {
        self.server.kill();
        self.control.forget();
        self.tell_proxy_of_end();
    }

    /// An orderly shutdown: sessions are told 1927 or lose their connections.
    pub(super) fn stop(&self) -> Result<(), KitError> {
        self.control.forget();
        self.server.stop(&self.name, &[Signal::TERM])?;
        self.tell_proxy_of_end();
        Ok(())
    }

    /// Stops or continues the server.
    pub(super) fn signal(&self, signal: Signal) {
        self.server.signal_all(signal);
    }

    /// Removes the data directory of a server that does not run.
    pub(super) fn wipe(&self) -> Result<(), KitError> {
        self.server.wipe(&self.name)
    }

    /// The end of the server's log.
    pub(super) fn log_tail(&self) -> String {
        self.server.log_tail()
    }
}
