//! What plays the part of the shared storage volume: all instances tell of each other by it.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use crate::guarded;

/// What is known of one instance.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) is_writer: bool,
    /// Since when it does not run, if it does not.
    pub(crate) seen: Option<SystemTime>,
    /// How far it says that it lags.
    pub(crate) lag: Option<Duration>,
}

#[derive(Debug, Default)]
pub(crate) struct Volume(Mutex<Vec<Row>>);

impl Volume {
    /// Takes what is known now. What an instance was told to say stays, and since when it does not
    /// run.
    pub(crate) fn set(&self, mut rows: Vec<Row>) {
        let mut known = guarded(&self.0);
        for row in &mut rows {
            let Some(before) = known.iter().find(|before| before.name == row.name) else {
                continue;
            };
            row.lag = before.lag;
            row.seen = row.seen.map(|now| before.seen.unwrap_or(now));
        }
        *known = rows;
    }

    pub(crate) fn tell_lag(&self, name: &str, lag: Option<Duration>) {
        let mut known = guarded(&self.0);
        known.iter_mut().filter(|row| row.name == name).for_each(|row| row.lag = lag);
    }

    /// The topology as a query, in the columns of Aurora's view, as the instance `own` tells it.
    /// About itself it knows better than the volume; there is never a second writer.
    pub(crate) fn table(&self, own: &str) -> String {
        let rows: Vec<String> = guarded(&self.0).iter().map(|row| line(row, own)).collect();
        rows.join(" UNION ALL ")
    }
}

fn line(row: &Row, own: &str) -> String {
    let is_own = row.name == own;
    let is_writer = match (is_own, row.is_writer) {
        (true, _) => "@@GLOBAL.read_only = 0",
        (false, true) => "@@GLOBAL.read_only = 1",
        (false, false) => "FALSE",
    };
    let lag = row.lag.map_or("NULL".to_owned(), |lag| (lag.as_secs_f64() * 1e3).to_string());
    let ago =
        row.seen.filter(|_| !is_own).map_or(0, |seen| seen.elapsed().unwrap_or_default().as_secs());
    let name = &row.name;
    format!(
        "SELECT '{name}' AS SERVER_ID, \
         IF({is_writer}, 'MASTER_SESSION_ID', 'session-of-{name}') AS SESSION_ID, 5.0 AS CPU, \
         IF({is_writer}, NULL, {lag}) AS REPLICA_LAG_IN_MILLISECONDS, \
         NOW() - INTERVAL {ago} SECOND AS LAST_UPDATE_TIMESTAMP"
    )
}
