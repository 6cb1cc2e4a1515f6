//! The fault catalogue: every fault this software has to survive, and the tests that inject it.

use std::time::Duration;

/// The adapters, by the names of their doors in `tests/src/doors/`.
pub(crate) const ADAPTERS: [&str; 4] = ["diesel_r2d2", "bb8", "deadpool", "seaorm"];
/// The filter of nextest for all trials.
pub(super) const TRIALS: &str = "binary_id(aurora-tests::it) & test(/^faults::/)";
/// The adapter that meets every fault in the tests of every change.
const FIRST: &str = "bb8";
/// Those whose operations are futures, which can be dropped.
pub(super) const ASYNCHRONOUS: &[&str] = &["bb8", "deadpool", "seaorm"];

/// A fault of the catalogue.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Its number.
    pub(crate) id: &'static str,
    /// What it is.
    pub(crate) name: &'static str,
    /// How it is brought about.
    pub(crate) injected: &'static str,
    /// How long nobody may be able to write, where somebody else can take over at once.
    pub(crate) outage: Option<Duration>,
    pub(crate) proof: Proof,
}

/// What shows that a fault is survived.
#[derive(Debug)]
pub(crate) enum Proof {
    /// A test of each of these adapters, in the module of this name below `faults`.
    Trial { test: &'static str, adapters: &'static [&'static str], often: Often },
    /// Scenarios of each of these adapters.
    Scenarios { tests: &'static [&'static str], adapters: &'static [&'static str] },
    /// What no adapter has to do with: tests by binary and name, `aurora-core$engine::tests::...`.
    Core(&'static [&'static str]),
    /// Nothing yet; what is missing.
    NotYet(&'static str),
}

/// How often a trial is run with all its adapters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Often {
    /// With every change.
    Always,
    /// By `cargo xtask faults`; with every change, one adapter is run.
    Asked,
}

impl Fault {
    pub(super) const fn new(
        id: &'static str,
        name: &'static str,
        injected: &'static str,
        proof: Proof,
    ) -> Self {
        Self { id, name, injected, outage: None, proof }
    }

    pub(super) const fn within(self, outage: Duration) -> Self {
        Self { outage: Some(outage), ..self }
    }

    /// The tests of one adapter, or of none (`None`), as nextest calls them.
    pub(crate) fn tests(&self, adapter: Option<&str>) -> Vec<String> {
        let door = adapter.unwrap_or_default();
        match (&self.proof, adapter) {
            (Proof::Trial { test, adapters, .. }, Some(_)) if adapters.contains(&door) => {
                vec![format!("aurora-tests::it$faults::{test}::{door}")]
            }
            (Proof::Scenarios { tests, adapters }, Some(_)) if adapters.contains(&door) => {
                let names = tests.iter();
                names.map(|name| format!("aurora-tests::it$scenarios::{door}::{name}")).collect()
            }
            (Proof::Core(tests), None) => tests.iter().map(|name| (*name).to_owned()).collect(),
            _ => Vec::new(),
        }
    }
}

/// All faults in order.
pub(crate) fn all() -> impl Iterator<Item = &'static Fault> {
    super::rows::ROWS.iter().copied().flatten()
}

/// The filter of nextest for the tests of every change: of most faults, one adapter.
pub(crate) fn filter_for_every_change() -> String {
    let always = all().filter_map(|fault| match fault.proof {
        Proof::Trial { test, often: Often::Always, .. } => Some(test),
        _ => None,
    });
    let always: Vec<_> = always.collect();
    let always = always.join("|");
    let first = format!("test(/^faults::\\w+::{FIRST}$/)");
    format!("not ({TRIALS}) or {first} or test(/^faults::({always})::/)")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many faults each part of the catalogue has.
    const PARTS: [(char, usize); 9] = [
        ('A', 8),
        ('B', 11),
        ('C', 6),
        ('D', 10),
        ('E', 4),
        ('F', 6),
        ('G', 7),
        ('H', 5),
        ('I', 3),
    ];

    #[test]
    fn every_fault_of_the_catalogue_is_there_once_and_in_order() {
        let expected = PARTS
            .into_iter()
            .flat_map(|(part, count)| (1..=count).map(move |number| format!("{part}{number}")));
        let found = all().map(|fault| fault.id);
        assert!(expected.eq(found), "{:?}", all().map(|fault| fault.id).collect::<Vec<_>>());
    }

    #[test]
    fn every_fault_has_tests_or_says_what_is_missing() {
        for fault in all() {
            let adapters = ADAPTERS.iter().flat_map(|adapter| fault.tests(Some(adapter)));
            let tests = adapters.chain(fault.tests(None)).count();
            match fault.proof {
                Proof::NotYet(missing) => assert!(tests == 0 && !missing.is_empty(), "{fault:?}"),
                _ => assert!(tests > 0, "{fault:?}"),
            }
            assert!(!fault.name.is_empty() && !fault.injected.is_empty(), "{fault:?}");
        }
    }

    #[test]
    fn a_trial_has_the_number_of_a_fault_that_it_shows() {
        let trial = |fault: &Fault| match fault.proof {
            Proof::Trial { test, .. } => Some(test),
            _ => None,
        };
        for test in all().filter_map(trial) {
            let owner = all().find(|fault| trial(fault) == Some(test)).map(|fault| fault.id);
            let number = test.split('_').next().map(str::to_uppercase);
            assert_eq!(owner, number.as_deref(), "{test}");
        }
    }
}
