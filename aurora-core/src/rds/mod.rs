//! What the API of Amazon RDS knows of a cluster, beside what its servers say of themselves.
//!
//! It enriches the topology, says who belongs to a custom endpoint, and leads from the identifier
//! of a cluster to its addresses. Nothing here changes a role, a health or who is a member: the
//! servers alone do that.

#[cfg(feature = "rds-api")]
mod api;
mod described;
#[cfg(feature = "rds-api")]
mod pace;
#[cfg(feature = "rds-api")]
mod target;
#[cfg(feature = "rds-api")]
mod told;
#[cfg(feature = "rds-api")]
mod watch;
#[cfg(not(feature = "rds-api"))]
mod without;

pub(crate) use self::described::{Described, Details};
#[cfg(test)]
pub(crate) use self::described::{DescribedInstance, Members};
#[cfg(feature = "rds-api")]
pub(crate) use self::watch::Watch;
#[cfg(not(feature = "rds-api"))]
pub(crate) use self::without::Watch;
