//! What servers to start, whichever engine they run.

/// Servers to start: so many, which lose nothing they acknowledged, without proxies, unless said
/// otherwise.
#[derive(Clone, Debug)]
#[must_use]
pub struct Setup {
    pub(super) instances: usize,
    pub(super) synchronous: bool,
    pub(super) proxies: bool,
    pub(super) settings: Vec<(String, String)>,
}

impl Setup {
    /// So many instances.
    pub const fn of(instances: usize) -> Self {
        Self { instances, synchronous: true, proxies: false, settings: Vec::new() }
    }

    /// Whether a commit waits for a reader.
    pub const fn synchronous(mut self, synchronous: bool) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// With a proxy before each instance.
    pub const fn behind_proxies(mut self) -> Self {
        self.proxies = true;
        self
    }

    /// With a setting of the server's.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }
}
