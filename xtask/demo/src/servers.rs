//! The servers, whichever engine they run.

#[macro_use]
#[path = "../../both/servers.rs"]
mod both;

use test_kit::KitError;

pub(crate) use self::both::{Probe, Servers};

impl Servers {
    pub(crate) fn name(&self, index: usize) -> String {
        both!(self.name(index))
    }

    pub(crate) fn rejoin(&self, index: usize) -> Result<(), KitError> {
        both!(self.rejoin(index))
    }
}
