//! The kit's own session on an instance, as superuser.

use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::time::Duration;

use postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::wait::within;
use crate::{KitError, PASSWORD, guarded};

/// The longest wait for a connection or an answer.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// Opens its connection when first asked, keeps it, and replaces it when it is broken.
pub(crate) struct Control {
    config: Config,
    client: Mutex<Option<Client>>,
}

impl Control {
    pub(crate) fn new(address: Ipv4Addr, port: u16) -> Self {
        let mut config = settings(address, port, "kit", "postgres");
        // The kit's own small writes must not wait for readers that may be gone.
        config.application_name("aurora-test-kit").options("-c synchronous_commit=local");
        Self { config, client: Mutex::new(None) }
    }

    /// The rows of a query as text, NULL as the empty string.
    pub(crate) fn rows(&self, sql: &str) -> Result<Vec<Vec<String>>, KitError> {
        let action = format!("ask {:?}: {sql}", self.config.get_hosts());
        let (config, query) = (self.config.clone(), sql.to_owned());
        let mut slot = guarded(&self.client);
        let kept = slot.take().filter(|client| !client.is_closed());
        let answer = within(LIMIT, move || ask(&config, kept, &query));
        let Some(answer) = answer else {
            return Err(KitError::Deadline { what: action, limit: LIMIT });
        };
        let (client, rows) = answer.map_err(KitError::sql(action))?;
        *slot = Some(client);
        Ok(rows)
    }

    /// Drops the connection; its server is about to end.
    pub(crate) fn forget(&self) {
        if let Some(client) = guarded(&self.client).take() {
            // Closing politely would block on a stopped server.
            std::thread::spawn(move || drop(client));
        }
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("hosts", &self.config.get_hosts()).finish_non_exhaustive()
    }
}

/// A connection that gives up soon; `application_name` is left to the caller.
pub(crate) fn settings(address: Ipv4Addr, port: u16, user: &str, database: &str) -> Config {
    let mut config = Config::new();
    config.host(&address.to_string()).port(port).user(user).password(PASSWORD).dbname(database);
    config.connect_timeout(Duration::from_secs(2));
    config
}

/// Opens a connection under a deadline that also covers the handshake.
pub(crate) fn connect(config: Config, who: &str) -> Result<Client, KitError> {
    let action = format!("connect to {who}");
    within(LIMIT, move || config.connect(NoTls))
        .ok_or_else(|| KitError::Deadline { what: action.clone(), limit: LIMIT })?
        .map_err(KitError::sql(action))
}

type Answer = (Client, Vec<Vec<String>>);

/// Asks on the kept connection; if that one turns out to be closed, once more on a new one.
fn ask(config: &Config, kept: Option<Client>, sql: &str) -> Result<Answer, postgres::Error> {
    if let Some(mut client) = kept {
        match client.simple_query(sql) {
            Ok(messages) => return Ok((client, texts(&messages))),
            Err(error) if !client.is_closed() => return Err(error),
            Err(_) => {}
        }
    }
    let mut client = config.connect(NoTls)?;
    let messages = client.simple_query(sql)?;
    Ok((client, texts(&messages)))
}

fn texts(messages: &[SimpleQueryMessage]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            let text = |column| row.get(column).unwrap_or_default().to_owned();
            rows.push((0..row.len()).map(text).collect());
        }
    }
    rows
}
