//! What the API of Amazon RDS knows of a cluster, beside what its servers say of themselves.
//!
//! It enriches the topology and says who belongs to a custom endpoint. Nothing here changes a
//! role, a health or who is a member: the servers alone do that.

mod described;

pub(crate) use self::described::{Described, Details};
#[cfg(any(feature = "rds-api", test))]
pub(crate) use self::described::{DescribedInstance, Members};
