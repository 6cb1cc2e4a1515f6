//! A directory that is gone when it is not needed any more.

use std::fs;
use std::path::{Path, PathBuf};

use crate::step::StepError;

/// Removed, with what is in it, when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// `name` is part of its name, the rest is our process's number.
    pub(crate) fn make(name: &str) -> Result<Self, StepError> {
        let path = std::env::temp_dir().join(format!("aurora-{name}-{}", std::process::id()));
        fs::create_dir_all(&path)
            .map_err(|error| StepError::Other(format!("{}: {error}", path.display())))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is small, and in the directory for what may be removed.
        let _ = fs::remove_dir_all(&self.0);
    }
}
