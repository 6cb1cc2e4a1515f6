//! Types of the user's own, looked up through a session: for code that asks for their numbers
//! itself, and for `#[derive(MultiConnection)]`.
//!
//! A statement does not come here: the physical connection that runs it looks its types up.

use std::any::Any;

use diesel::connection::{MultiConnectionHelper, WithMetadataLookup};
use diesel::pg::{GetPgMetadataCache, Pg, PgConnection, PgMetadataCache};
use diesel::sql_types::TypeMetadata;

use crate::connection::AuroraConnection;

/// How Diesel names what looks types up: `dyn PgMetadataLookup`.
type Lookup = <Pg as TypeMetadata>::MetadataLookup;

/// The lookup is a read like any other. What it found is forgotten at check-in, and when a
/// connection breaks: a new writer may never have seen the type that is remembered.
impl GetPgMetadataCache for AuroraConnection<PgConnection> {
    fn get_metadata_cache(&mut self) -> &mut PgMetadataCache {
        &mut self.memory
    }
}

impl WithMetadataLookup for AuroraConnection<PgConnection> {
    fn metadata_lookup(&mut self) -> &mut Lookup {
        self
    }
}

/// A query is taken apart by the physical connection that runs it, so that is what is found here
/// as a rule.
impl MultiConnectionHelper for AuroraConnection<PgConnection> {
    fn to_any<'a>(lookup: &mut Lookup) -> &mut (dyn Any + 'a) {
        lookup.as_any()
    }

    fn from_any(lookup: &mut dyn Any) -> Option<&mut Lookup> {
        if lookup.is::<Self>() {
            let session = lookup.downcast_mut::<Self>()?;
            return Some(session);
        }
        <PgConnection as MultiConnectionHelper>::from_any(lookup)
    }
}
