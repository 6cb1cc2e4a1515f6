//! What we know of a failure, and how it travels in an error of Diesel's.

use aurora_core::{InstanceId, Outcome, Retry};
use diesel::result::DatabaseErrorInformation;

/// A message of ours, as Diesel hands it on.
pub(super) struct Information {
    pub(super) message: String,
    pub(super) details: String,
    pub(super) remedy: &'static str,
}

impl DatabaseErrorInformation for Information {
    fn message(&self) -> &str {
        &self.message
    }

    fn details(&self) -> Option<&str> {
        Some(&self.details)
    }

    fn hint(&self) -> Option<&str> {
        Some(self.remedy)
    }

    fn table_name(&self) -> Option<&str> {
        None
    }

    fn column_name(&self) -> Option<&str> {
        None
    }

    fn constraint_name(&self) -> Option<&str> {
        None
    }

    fn statement_position(&self) -> Option<i32> {
        None
    }
}

/// What travels in `details()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts<'a> {
    pub(super) outcome: Outcome,
    pub(super) retry: Retry,
    pub(super) instance: Option<&'a str>,
}

const MARK: &str = "aurora: outcome=";

impl<'a> Facts<'a> {
    pub(super) fn of(error: &'a aurora_core::Error) -> Self {
        Self {
            outcome: error.outcome(),
            retry: error.retry(),
            instance: error.instance().map(InstanceId::as_str),
        }
    }

    pub(super) fn write(self) -> String {
        let outcome = match self.outcome {
            Outcome::Applied => "applied",
            Outcome::NotApplied => "not-applied",
            Outcome::Unknown => "unknown",
        };
        let retry = match self.retry {
            Retry::AfterTopologyChange => "after-topology-change",
            Retry::IfIdempotent => "if-idempotent",
            Retry::Never => "never",
        };
        let instance = self.instance.map(|name| format!(" instance={name}")).unwrap_or_default();
        format!("{MARK}{outcome} retry={retry}{instance}")
    }

    pub(super) fn read(
        information: &'a (dyn DatabaseErrorInformation + Send + Sync),
    ) -> Option<Self> {
        let mut words = information.details()?.strip_prefix(MARK)?.splitn(3, ' ');
        let outcome = match words.next()? {
            "applied" => Outcome::Applied,
            "not-applied" => Outcome::NotApplied,
            "unknown" => Outcome::Unknown,
            _ => return None,
        };
        let retry = match words.next()?.strip_prefix("retry=")? {
            "after-topology-change" => Retry::AfterTopologyChange,
            "if-idempotent" => Retry::IfIdempotent,
            "never" => Retry::Never,
            _ => return None,
        };
        let instance = words.next().and_then(|word| word.strip_prefix("instance="));
        Some(Self { outcome, retry, instance })
    }
}
