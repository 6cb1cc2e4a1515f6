//! Without the feature `rds-api` nobody is asked.

use std::sync::Arc;

use crate::background::Background;
use crate::config::Config;
use crate::driver::Shared;
use crate::error::Error;

/// Asks nobody.
#[derive(Debug)]
pub(crate) struct Watch;

impl Watch {
    pub(crate) async fn begin(config: Config, _: &Background) -> Result<(Config, Self), Error> {
        Ok((config, Self))
    }

    pub(crate) fn begin_blocking(config: Config, _: &Background) -> Result<(Config, Self), Error> {
        Ok((config, Self))
    }

    pub(crate) fn start(self, _: &Background, _: &Arc<Shared>) {}
}
