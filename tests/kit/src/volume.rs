//! Aurora mode: what plays the part of the shared storage volume, and how it can lie.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::state::{Presence, Role, State};
use crate::{KitError, home};

/// A wrong answer of `aurora_replica_status()`, on every instance of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TopologyLie {
    /// No lie.
    #[default]
    None,
    /// No rows.
    Empty,
    /// Every row claims to be the writer.
    SeveralWriters,
    /// The function fails with SQLSTATE 42501.
    PermissionDenied,
    /// A NULL and foreign names, empty sessions, NaN lag, infinite times.
    Garbage,
}

impl TopologyLie {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Empty => "empty",
            Self::SeveralWriters => "several_writers",
            Self::PermissionDenied => "permission_denied",
            Self::Garbage => "garbage",
        }
    }
}

/// Writes what all instances read.
pub(crate) fn publish(directory: &Path, state: &State) -> Result<(), KitError> {
    let instances: Vec<_> = state
        .slots
        .iter()
        .map(|slot| {
            json!({
                "server_id": slot.instance.name,
                "address": slot.instance.public.to_string(),
                "session": slot.session,
                "writer": slot.role == Role::Writer,
                "alive": slot.presence == Presence::Running,
                "seen": slot.seen.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            })
        })
        .collect();
    let text = json!({ "lie": state.lie.name(), "instances": instances }).to_string();
    home::replace(&directory.join("volume.json"), &text)
}

/// A new session identifier, as a reader has after every start.
pub(crate) fn session() -> String {
    fs::read_to_string("/proc/sys/kernel/random/uuid")
        .map(|text| text.trim().to_owned())
        .unwrap_or_else(|_| format!("{:?}", SystemTime::now()))
}
