//! What a causal token means in a topology.

use serde::Deserialize;

use super::routes::Scene;
use super::units::same;
use crate::token::{CausalToken, Judgement, judge};
use crate::topology::Reign;

/// A token of this cluster, and what it means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    #[serde(default)]
    timeline: Option<u64>,
    /// Who was the writer, and how much there was of others before.
    reign: Option<(String, u64)>,
    position: u64,
    means: String,
    /// The readers that show what it stands for.
    readers: Option<Vec<String>>,
}

impl Token {
    pub(super) fn check(&self, scene: &Scene<'_>) -> Result<(), String> {
        let reign = self.reign.as_ref();
        let reign =
            reign.map(|(origin, began)| Reign { origin: origin.as_str().into(), began: *began });
        let token = CausalToken::new("7".to_owned(), self.timeline, self.position).in_reign(reign);
        let judged = judge(&token, scene.topology, scene.now);
        let means = match judged {
            Some(Judgement::Holds { .. }) => "holds",
            Some(Judgement::MayBeLost) => "may-be-lost",
            None => "unknown",
        };
        let what = format!("token {:?} {:?} {}", self.timeline, self.reign, self.position);
        same(&what, &self.means.as_str(), &means)?;
        let (Some(expected), Some(Judgement::Holds { required })) = (&self.readers, judged) else {
            return Ok(());
        };
        let readers = scene.topology.readers_fresh_as_of(required);
        let name = |id: &str| id.trim_end_matches(":5432").to_owned();
        let mut got: Vec<_> = readers.iter().map(|reader| name(reader.id().as_str())).collect();
        got.sort();
        same(&format!("{what}: readers"), expected, &got)
    }
}
