//! moto's server: what AWS's APIs answer, in memory.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::http::Message;
use crate::spawner::Spawner;
use crate::{KitError, wait_until};

/// Python takes seconds to load it, and many where the processor is shared.
const START_LIMIT: Duration = Duration::from_secs(120);

/// The region of everything in it.
const REGION: &str = "eu-west-1";

/// A server of moto's own on a loopback port; ended with this value.
#[derive(Debug)]
pub struct Moto {
    address: SocketAddr,
    child: Child,
    /// The server dies with the thread that started it.
    _spawner: Spawner,
}

/// Where moto's server is: where `cargo xtask test` installs it, or on the `PATH`.
#[must_use]
pub fn moto_program() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let own = cache.map(|cache| cache.join("aurora-test-kit/moto/bin/moto_server"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("moto_server"));
    own.into_iter().chain(on_path).find(|program| program.exists())
}

impl Moto {
    /// Starts one, and waits until it answers.
    ///
    /// # Errors
    /// [`KitError::MissingProgram`] when moto is not installed, and whatever keeps it from
    /// starting.
    pub fn start() -> Result<Self, KitError> {
        let program = moto_program().ok_or_else(|| KitError::MissingProgram {
            program: "moto_server (run `cargo xtask test`, or pip install 'moto[server]')".into(),
            package: "python3-venv",
        })?;
        let spawner = Spawner::start().map_err(KitError::io("start a thread"))?;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(KitError::io("bind"))?;
        let address = free.local_addr().map_err(KitError::io("ask for a port"))?;
        drop(free);
        let child = spawner.spawn(command(&program, address)).map_err(KitError::io("run moto"))?;
        let moto = Self { address, child, _spawner: spawner };
        let answers = || moto.call("ListSecrets", &json!({})).is_ok();
        match wait_until(START_LIMIT, answers) {
            true => Ok(moto),
            false => {
                Err(KitError::io("wait for moto's server")(std::io::ErrorKind::TimedOut.into()))
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The region of everything in it.
    #[must_use]
    pub fn region(&self) -> &'static str {
        REGION
    }

    /// Makes a secret.
    ///
    /// # Errors
    /// When moto refuses.
    pub fn create_secret(&self, name: &str, text: &str) -> Result<(), KitError> {
        self.call("CreateSecret", &json!({ "Name": name, "SecretString": text })).map(drop)
    }

    /// Gives a secret a new version, which is in force at once.
    ///
    /// # Errors
    /// When moto refuses.
    pub fn put_secret(&self, name: &str, text: &str) -> Result<(), KitError> {
        self.call("PutSecretValue", &json!({ "SecretId": name, "SecretString": text })).map(drop)
    }

    /// Gives a secret a version that is to be in force (`AWSPENDING`).
    ///
    /// # Errors
    /// When moto refuses.
    pub fn put_pending(&self, name: &str, text: &str) -> Result<(), KitError> {
        let stages = ["AWSPENDING"];
        let body = json!({ "SecretId": name, "SecretString": text, "VersionStages": stages });
        self.call("PutSecretValue", &body).map(drop)
    }

    /// Removes a secret for good.
    ///
    /// # Errors
    /// When moto refuses.
    pub fn delete_secret(&self, name: &str) -> Result<(), KitError> {
        let body = json!({ "SecretId": name, "ForceDeleteWithoutRecovery": true });
        self.call("DeleteSecret", &body).map(drop)
    }

    /// Makes a DB cluster without instances; its endpoint has that port.
    ///
    /// # Errors
    /// When moto refuses.
    pub fn create_cluster(&self, id: &str, port: u16) -> Result<(), KitError> {
        let form = format!(
            "Action=CreateDBCluster&DBClusterIdentifier={id}&Engine=aurora-postgresql\
             &MasterUsername=root&MasterUserPassword=not-used-anywhere&Port={port}"
        );
        self.query(&form)
    }

    /// Adds an instance to a DB cluster, in that zone (`a`) and of that class.
    ///
    /// # Errors
    /// When moto refuses.
    pub fn create_instance(
        &self,
        cluster: &str,
        id: &str,
        zone: &str,
        class: &str,
    ) -> Result<(), KitError> {
        let form = format!(
            "Action=CreateDBInstance&DBInstanceIdentifier={id}&DBInstanceClass={class}\
             &Engine=aurora-postgresql&DBClusterIdentifier={cluster}\
             &AvailabilityZone={REGION}{zone}&PromotionTier=1"
        );
        self.query(&form)
    }

    /// Calls an operation of the query protocol, as RDS has it.
    fn query(&self, form: &str) -> Result<(), KitError> {
        let body = format!("Version=2014-10-31&{form}").into_bytes();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=kit/20260101/{REGION}/rds/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n",
            self.address,
            body.len()
        );
        self.ask(&Message { head, body }).map(drop)
    }

    fn ask(&self, question: &Message) -> Result<Vec<u8>, KitError> {
        let answer = question.ask(self.address).map_err(KitError::io("ask moto"))?;
        if !answer.head.starts_with("HTTP/1.1 200") {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(KitError::io("ask moto")(std::io::Error::other(text)));
        }
        Ok(answer.body)
    }

    fn call(&self, operation: &str, body: &Value) -> Result<Value, KitError> {
        let body = body.to_string().into_bytes();
        // moto looks at the region of the signature, and not at the signature.
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\n\
             X-Amz-Target: secretsmanager.{operation}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=kit/20260101/{REGION}/secretsmanager/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n",
            self.address,
            body.len()
        );
        let answer = self.ask(&Message { head, body })?;
        serde_json::from_slice(&answer)
            .map_err(|error| KitError::io("read moto's answer")(error.into()))
    }
}

fn command(program: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command.args(["-H", &address.ip().to_string(), "-p", &address.port().to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It keeps nothing on disk.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
